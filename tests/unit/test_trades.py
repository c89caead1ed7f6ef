"""The last trades of each instrument, and of all together."""

from hypothesis import given
from hypothesis import strategies as st

from proofbook.api.schema import TradeNotice
from proofbook.queries.trades import TRADES_KEPT, Trades


def trade(seq: int, place: int = 0) -> TradeNotice:
    return TradeNotice(
        trade=f"{seq}.{place}", instrument="BTC-PERP", seq=seq, window_ns="0",
        price="1", amount="1", side="buy",
    )  # fmt: skip


def names(trades: Trades) -> dict[int, list[str]]:
    return {instrument: [each.trade for each in kept] for instrument, kept in trades}


def test_of_one_instrument_a_thousand_are_kept() -> None:
    trades = Trades()
    for seq in range(1, TRADES_KEPT + 11):
        trades.keep(7, trade(seq))
    assert len(trades) == len(trades.of(7)) == TRADES_KEPT
    assert (trades.of(7)[0].seq, trades.of(7)[-1].seq) == (11, TRADES_KEPT + 10)
    assert not trades.of(8) and trades.most == TRADES_KEPT


def test_of_all_together_those_of_the_oldest_entries_go() -> None:
    trades = Trades(kept_max=4)
    for instrument, seq, place in ((1, 1, 0), (2, 1, 1), (1, 2, 0), (3, 3, 0), (3, 4, 0)):
        trades.keep(instrument, trade(seq, place))
    assert names(trades) == {1: ["2.0"], 3: ["3.0", "4.0"]}, "an entry's trades go together"
    assert trades.most == trades.kept_max == 4
    trades.forget(3)
    assert names(trades) == {1: ["2.0"]} and len(trades) == 1


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2), st.booleans()), max_size=60))
def test_no_more_are_kept_than_may_be_and_the_newest_are(
    steps: list[tuple[int, int, bool]],
) -> None:
    trades, told, seq = Trades(kept_max=6), list[tuple[int, int]](), 1
    for instrument, later, is_forgotten in steps:
        seq += later
        if is_forgotten:
            trades.forget(instrument)
            told = [each for each in told if each[1] != instrument]
        trades.keep(instrument, trade(seq))
        told.append((seq, instrument))
        while len(told) > trades.kept_max:
            told = [each for each in told if each[0] != told[0][0]]
        assert [(each.seq, of) for of, kept in trades for each in kept] == sorted(
            told, key=lambda each: each[1]
        )
        assert len(trades) == len(told) == sum(len(kept) for _, kept in trades)
