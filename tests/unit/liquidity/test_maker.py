"""How a maker goes round its share, without a venue."""

import asyncio
from collections.abc import Sequence

from proofbook.api.schema import InstrumentReply
from proofbook.liquidity.desk import quote_rows
from proofbook.liquidity.maker import PROTECTION, TOGETHER, Maker
from proofbook.liquidity.quoting import Fair, Quote
from proofbook.protocol.limits import Reject


class PaperDesk:
    """Notes what it is asked for; every quote is refused for the reason given, if there is one."""

    def __init__(self, reason: Reject | None = None) -> None:
        self.reason = reason
        self.asked: list[str] = []
        self.quoted: list[str] = []
        self.stop = asyncio.Event()

    async def fair(self, _: InstrumentReply, vega_ticks: float) -> Fair:
        return Fair(1_000.0, vega_ticks)

    async def protect(self, *_: object) -> None:
        self.asked.append("protect")

    async def thaw(self, protection: int) -> None:
        self.asked.append(f"thaw {protection}")

    async def quote(
        self, instruments: Sequence[InstrumentReply], quotes: Sequence[Quote], protection: int
    ) -> list[str]:
        assert len(instruments) == len(quotes) <= TOGETHER and protection == PROTECTION
        self.asked.append("quote")
        self.quoted += [instrument.name for instrument in instruments]
        if len(self.quoted) >= 3 * TOGETHER:
            self.stop.set()
        return [] if self.reason is None else [self.reason.name] * len(quotes)


def instruments(count: int) -> list[InstrumentReply]:
    return [
        InstrumentReply(
            name=f"I{number}", instrument=number, underlying="BTC", kind="perpetual",
            expiry_ns=None, strike=None, price_step="0.5", amount_step="0.001",
            maker_fee_ppm=0, taker_fee_ppm=0,
        )
        for number in range(count)
    ]  # fmt: skip


def maker(desk: PaperDesk, count: int) -> Maker:
    return Maker(desk, instruments(count), {}, 10)  # type: ignore[arg-type]


def test_a_maker_protects_itself_once_and_quotes_every_instrument() -> None:
    desk = PaperDesk()
    share = maker(desk, 2 * TOGETHER + 1)
    asyncio.run(share.quote_all())
    assert desk.asked == ["protect", "quote", "quote", "quote"]
    assert desk.quoted == [row.name for row in share.share]
    asyncio.run(share.quote_all())
    assert desk.asked.count("protect") == 1


def test_a_maker_goes_round_until_it_is_told_to_stop() -> None:
    desk = PaperDesk()
    asyncio.run(maker(desk, TOGETHER + 1).run(desk.stop))
    assert desk.quoted.count("I0") == 3 and desk.quoted.count(f"I{TOGETHER}") == 2


def test_a_frozen_maker_thaws_its_protection() -> None:
    desk = PaperDesk(Reject.PROTECTION_FROZEN)
    asyncio.run(maker(desk, 1).quote_all())
    assert desk.asked == ["protect", "quote", f"thaw {PROTECTION}"]


def test_rows_of_a_quote_are_its_two_sides() -> None:
    bid, ask = quote_rows(instruments(1)[0], Quote(999, 1_001, 10))
    assert (bid.side, bid.price, bid.amount) == ("buy", "499.5", "0.01")
    assert (ask.side, ask.price, ask.amount) == ("sell", "500.5", "0.01")
