"""Deleveraging: what holders on the other side close, at which price, and in which order."""

from dataclasses import dataclass

import pytest
from tests.unit.spec.falling import BUY, LONG_LOTS, MARK, SELL, equity_of, long_at, move

from proofbook.protocol.commands import Deleverage, Remark, Transfer
from proofbook.protocol.events import (
    DeficitCovered,
    DeleveragingEnded,
    DeleveragingStarted,
    InstrumentChanged,
    InstrumentListed,
    LiquidationAuctionEnded,
    PositionDeleveraged,
)
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    FUND_ACCOUNT,
    ArenaId,
    InstrumentKind,
    InstrumentState,
)
from proofbook.protocol.margin_report import Change
from proofbook.protocol.records import DeleveragingRecord
from proofbook.simulator.inspection import (
    account,
    account_at,
    auction,
    instrument,
    money,
    position_in,
    risk_array,
)
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, STRIKE_ATOMS, USDC, Scene

SECOND_NS = 10**9


@dataclass(frozen=True)
class Holder:
    """A short position on the other side of ann's, and what its owner has."""

    name: str
    lots: int
    money: int


def insolvent_long(scene: Scene, perpetual: int, holders: list[Holder], percent: int = 70) -> None:
    """Let ann buy from the holders, in order, and owe; her auction is against the fund."""
    for holder in holders:
        if holder.name not in scene.accounts:
            scene.deposit(holder.name, holder.money * USDC)
        scene.resting(holder.name, perpetual, SELL, MARK, holder.lots)
        assert scene.place("ann", perpetual, BUY, MARK, holder.lots).is_applied
    move(scene, percent)
    assert scene.start_auction("ann").is_applied


def closed(scene: Scene) -> list[tuple[str, int, int]]:
    """Return holder, lots and charge of what the last entry closed."""
    names = {slot: name for name, slot in scene.accounts.items()}
    return [
        (names[event.holder], event.lots, event.charge_atoms)
        for event in scene.events()
        if isinstance(event, PositionDeleveraged)
    ]


def equity(scene: Scene, name: str) -> int:
    return scene.engine.margin(scene.accounts[name]).equity_atoms


def record(scene: Scene, perpetual: int) -> DeleveragingRecord | None:
    slot = instrument(scene, perpetual).deleveraging
    return (
        DeleveragingRecord.unpack(scene.engine.read(ArenaId.DELEVERAGINGS, slot)) if slot else None
    )


# When


def test_an_unknown_account_or_leg_is_refused(scene: Scene, perpetual: int) -> None:
    assert scene.submit(Deleverage(99, perpetual)).name == "ACCOUNT_NOT_FOUND"
    assert scene.deleverage("ann", 77).name == "LEG_INVALID"
    assert scene.deleverage("ann", perpetual).name == "LEG_INVALID"


@pytest.mark.parametrize("percent", [95, 82])
def test_who_owes_nothing_is_not_deleveraged(scene: Scene, perpetual: int, percent: int) -> None:
    long_at(scene, perpetual, percent)
    scene.start_auction("ann")
    assert scene.deleverage("ann", perpetual).name == "DELEVERAGING_NOT_DUE"


def test_an_auction_comes_first(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 70)
    assert scene.deleverage("ann", perpetual).name == "DELEVERAGING_NOT_DUE"
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied, "the fund has nothing to bid with"


def test_bids_against_the_fund_have_their_time(scene: Scene, perpetual: int) -> None:
    scene.deposit("dan", 1_000_000 * USDC)
    gift = Transfer(*scene.header("dan"), FUND_ACCOUNT, 0, 900_000 * USDC)
    assert scene.submit(gift, "dan").is_applied
    long_at(scene, perpetual, 74)
    assert scene.start_auction("ann").is_applied
    scene.wait(59 * SECOND_NS)
    assert scene.deleverage("ann", perpetual).name == "DELEVERAGING_NOT_DUE"
    scene.wait(SECOND_NS)
    move(scene, 74)
    bob = equity(scene, "bob")
    assert scene.deleverage("ann", perpetual).is_applied
    assert closed(scene) == [("bob", LONG_LOTS, 0)], "the fund pays all of it"
    assert equity(scene, "bob") == bob
    assert position_in(scene, "ann", perpetual) is None
    assert account(scene, "ann").cash_atoms == 0 and auction(scene, "ann") is None


def test_orders_end_first(scene: Scene, perpetual: int) -> None:
    """Ann placed one while her auction was not yet against the fund."""
    scene.deposit("dan", 1_000_000 * USDC)
    long_at(scene, perpetual, 80)
    assert scene.start_auction("ann").is_applied
    scene.resting("ann", perpetual, SELL, MARK, 1_000, reduce_only=True)
    move(scene, 70)
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).name == "DELEVERAGING_NOT_DUE"
    assert scene.liquidate("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied


def test_a_stale_or_closed_book_waits(scene: Scene, perpetual: int) -> None:
    insolvent_long(scene, perpetual, [Holder("bob", LONG_LOTS, 0)])
    scene.set_instrument(perpetual, InstrumentState.HALTED)
    assert scene.deleverage("ann", perpetual).name == "LEG_INVALID"
    scene.set_instrument(perpetual)
    scene.wait(61 * SECOND_NS)
    assert scene.deleverage("ann", perpetual).name == "LEG_INVALID"
    move(scene, 70)
    assert scene.deleverage("ann", perpetual).is_applied


# At which price


def test_holders_pay_the_debt_with_their_lots(scene: Scene, perpetual: int) -> None:
    insolvent_long(scene, perpetual, [Holder("bob", LONG_LOTS, 0)])
    total, deficit = money(scene), -equity_of(scene, perpetual)
    bob = equity(scene, "bob")
    mark = risk_array(scene, perpetual).mark_atoms
    assert scene.deleverage("ann", perpetual).is_applied
    ann, other = scene.accounts["ann"], scene.accounts["bob"]
    assert scene.events() == [
        DeleveragingStarted(ann, perpetual, LONG_LOTS, deficit),
        InstrumentChanged(perpetual, InstrumentState.HALTED, 0, 0, 0, 0),
        PositionDeleveraged(ann, other, perpetual, LONG_LOTS, mark, deficit),
        DeleveragingEnded(ann, perpetual),
        InstrumentChanged(perpetual, InstrumentState.OPEN, 0, 0, 0, 0),
        LiquidationAuctionEnded(ann),
    ]
    assert equity(scene, "bob") == bob - deficit
    assert account(scene, "ann").cash_atoms == 0
    assert position_in(scene, "ann", perpetual) is position_in(scene, "bob", perpetual) is None
    assert instrument(scene, perpetual).open_interest_lots == 0
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 0
    assert money(scene) == total


def test_the_funds_share_is_not_charged(scene: Scene, perpetual: int) -> None:
    scene.deposit("dan", 1_000_000 * USDC)
    gift = Transfer(*scene.header("dan"), FUND_ACCOUNT, 0, 400_000 * USDC)
    assert scene.submit(gift, "dan").is_applied
    insolvent_long(scene, perpetual, [Holder("bob", LONG_LOTS, 0)])
    total, deficit = money(scene), -equity_of(scene, perpetual)
    assert scene.deleverage("ann", perpetual).is_applied
    assert closed(scene) == [("bob", LONG_LOTS, deficit - 100_000 * USDC)]
    assert DeficitCovered(scene.accounts["ann"], 100_000 * USDC, 0) in scene.events()
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 300_000 * USDC
    assert money(scene) == total


def test_what_holders_cannot_bear_the_fund_owes(scene: Scene, perpetual: int) -> None:
    """Bob has taken his profit out: he loses what he has left, and no more."""
    long_at(scene, perpetual, 50)
    assert scene.transfer("bob", "cid", equity(scene, "bob") - 400_000 * USDC).is_applied
    total, deficit = money(scene), -equity_of(scene, perpetual)
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied
    assert closed(scene) == [("bob", LONG_LOTS, 400_000 * USDC)]
    assert account(scene, "bob").cash_atoms == account(scene, "ann").cash_atoms == 0
    missing = deficit - 400_000 * USDC - 2_000 * USDC
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == -missing
    assert money(scene) == total


def test_each_leg_bears_its_share(scene: Scene, perpetual: int) -> None:
    """Of 50 BTC in the perpetual and 20 in puts sold: as much as it relieves of the margin."""
    put = scene.open_option(kind=InstrumentKind.PUT)
    scene.resting("cid", put, BUY, 35_000, 2_000)
    assert scene.place("ann", put, SELL, 35_000, 2_000).is_applied
    long_at(scene, perpetual, 74)
    owed, total = -equity(scene, "ann"), money(scene)
    relief, margin = relief_of(scene, perpetual, -LONG_LOTS)
    assert owed > 0 and scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied
    ((_, _, charge),) = closed(scene)
    assert 0 < charge == owed * relief // margin < owed
    assert equity(scene, "ann") == charge - owed
    assert scene.deleverage("ann", put).is_applied
    assert closed(scene) == [("cid", -2_000, owed - charge)]
    assert equity(scene, "ann") == 0
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 0
    assert money(scene) == total


def relief_of(scene: Scene, leg: int, lots: int) -> tuple[int, int]:
    """Return by how much closing of lots lowers ann's maintenance margin, and what that is."""
    number = scene.accounts["ann"]
    margin = scene.engine.margin(number).maintenance_atoms
    without = scene.engine.margin(number, {instrument_slot(leg): Change(lots)})
    return margin - without.maintenance_atoms, margin


def worthless_calls(scene: Scene, perpetual: int, percent: int) -> int:
    """Ann buys 200 BTC of calls from dan for 20 USD, then 50 BTC from bob; then the market falls.

    Return what she owes.
    """
    scene.deposit("dan", 1_000_000 * USDC)
    call = scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, 5 * STRIKE_ATOMS)
    listed = scene.events()[0]
    assert isinstance(listed, InstrumentListed)
    for share in (100, percent):
        assert scene.publish_forward(SPOT_ATOMS * share // 100).is_applied
        assert scene.publish_surface().is_applied
        assert scene.submit(Remark(listed.expiry)).is_applied
        if share == 100:
            scene.resting("dan", call, SELL, 1, 20_000)
            assert scene.place("ann", call, BUY, 1, 20_000).is_applied
            long_at(scene, perpetual, percent)
    return call


def test_who_sold_what_is_worthless_pays_for_no_other_leg(scene: Scene, perpetual: int) -> None:
    """By the value of the underlying in them four fifths of the debt were the calls'."""
    call = worthless_calls(scene, perpetual, 65)
    owed, dan = -equity(scene, "ann"), equity(scene, "dan")
    assert owed > 400_000 * USDC and scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied
    ((_, _, charge),) = closed(scene)
    assert owed - USDC < charge <= owed
    assert scene.deleverage("ann", call).is_applied
    ((_, _, rest),) = closed(scene)
    assert rest < USDC and equity(scene, "dan") == dan - rest


@pytest.mark.parametrize("is_first", [False, True])
def test_what_holders_of_a_leg_cannot_bear_is_left_for_no_other(
    scene: Scene, perpetual: int, is_first: bool
) -> None:
    """Bob has taken his profit out: the fund owes the rest, in whichever order legs are closed."""
    call = worthless_calls(scene, perpetual, 50)
    assert scene.transfer("bob", "cid", equity(scene, "bob") - 400_000 * USDC).is_applied
    owed, dan, total = -equity(scene, "ann"), equity(scene, "dan"), money(scene)
    assert scene.start_auction("ann").is_applied
    for leg in (call, perpetual) if is_first else (perpetual, call):
        assert scene.deleverage("ann", leg).is_applied
    assert equity(scene, "bob") == equity(scene, "ann") == 0
    assert equity(scene, "dan") >= dan - USDC
    missing = owed - 400_000 * USDC - 2_000 * USDC
    assert missing - 2 * USDC < -account_at(scene, FUND_ACCOUNT).cash_atoms <= missing
    assert money(scene) == total


# In which order


def two_longs(scene: Scene, perpetual: int, shorts: list[Holder]) -> None:
    """Cid is long beside ann, and has money: not all shorts are needed for what ann holds."""
    assert sum(holder.lots for holder in shorts) == LONG_LOTS + 200_000
    for holder in shorts:
        scene.deposit(holder.name, holder.money * USDC)
        scene.resting(holder.name, perpetual, SELL, MARK, holder.lots)
    assert scene.place("cid", perpetual, BUY, MARK, 200_000).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, LONG_LOTS).is_applied
    move(scene, 70)
    assert scene.start_auction("ann").is_applied


def test_the_most_leveraged_close_first(scene: Scene, perpetual: int) -> None:
    """Whoever came first into the book comes last here: his equity is the largest."""
    shorts = [
        Holder("dan", 300_000, 900_000),
        Holder("eve", 200_000, 400_000),
        Holder("fay", 200_000, 300_000),
    ]
    two_longs(scene, perpetual, shorts)
    total, deficit = money(scene), -equity_of(scene, perpetual)
    assert scene.deleverage("ann", perpetual).is_applied
    rows = closed(scene)
    assert [(name, lots) for name, lots, _ in rows] == [
        ("dan", 100_000), ("eve", 200_000), ("fay", 200_000),
    ]  # fmt: skip
    assert sum(charge for _, _, charge in rows) == deficit
    assert abs(rows[1][2] - 2 * rows[0][2]) <= 2, "all pay the same price"
    held = position_in(scene, "dan", perpetual)
    assert held and held.lots == -200_000
    assert money(scene) == total


def test_a_rank_of_which_a_part_is_needed_shares_it(scene: Scene, perpetual: int) -> None:
    shorts = [Holder(name, 233_333, 900_000) for name in ("dan", "eve")]
    two_longs(scene, perpetual, [*shorts, Holder("fay", 233_334, 900_000)])
    assert scene.deleverage("ann", perpetual).is_applied
    rows = closed(scene)
    assert [name for name, _, _ in rows] == ["dan", "eve", "fay"]
    assert sum(lots for _, lots, _ in rows) == LONG_LOTS
    assert all(166_666 <= lots <= 166_668 for _, lots, _ in rows)


def test_an_owner_is_deleveraged_against_himself_first(scene: Scene, perpetual: int) -> None:
    """What is left on his other account does not outlive what he owes on this one."""
    scene.deposit("other", 5_000_000 * USDC, owner="ann")
    scene.deposit("dan", 600_000 * USDC)
    scene.resting("dan", perpetual, SELL, MARK, 400_000)
    scene.resting("other", perpetual, SELL, MARK, 300_000)
    assert scene.place("cid", perpetual, BUY, MARK, 200_000).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, LONG_LOTS).is_applied
    move(scene, 70)
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied
    assert [(name, lots) for name, lots, _ in closed(scene)] == [
        ("dan", 200_000), ("other", 300_000),
    ]  # fmt: skip


def test_a_hedged_holder_comes_last(scene: Scene, perpetual: int) -> None:
    """To close his short would leave him with puts sold: nobody else may be there for that."""
    put = scene.open_option(kind=InstrumentKind.PUT)
    scene.deposit("cid", 3_000_000 * USDC)
    scene.resting("cid", put, BUY, 35_000, 8_000)
    scene.deposit("dan", 3_000_000 * USDC)
    assert scene.place("dan", put, SELL, 35_000, 8_000).is_applied
    two_longs(scene, perpetual, [Holder("dan", 400_000, 1), Holder("eve", 300_000, 900_000)])
    before = scene.engine.margin(scene.accounts["dan"]).maintenance_atoms
    assert scene.deleverage("ann", perpetual).is_applied
    (eve, dan) = closed(scene)
    assert eve[:2] == ("eve", 300_000)
    assert dan == ("dan", 200_000, 0), "at the mark"
    assert before < scene.engine.margin(scene.accounts["dan"]).maintenance_atoms


# In steps


NAMES = [f"h{number}" for number in range(60)]
EACH = LONG_LOTS // len(NAMES)


@pytest.fixture
def crowded(scene: Scene, perpetual: int) -> Scene:
    """Sixty are short: more than one step can visit twice."""
    insolvent_long(scene, perpetual, [Holder(name, EACH, 40_000) for name in NAMES])
    return scene


def finish(scene: Scene, perpetual: int) -> int:
    """Go on until the book is open again; return in how many steps."""
    steps = 0
    while record(scene, perpetual):
        assert scene.deleverage("ann", perpetual).is_applied
        steps += 1
    return steps


def test_steps_are_bounded_and_go_on(crowded: Scene, perpetual: int) -> None:
    total = money(crowded)
    assert crowded.deleverage("ann", perpetual).is_applied
    assert record(crowded, perpetual) and closed(crowded) == []
    assert crowded.place("h1", perpetual, BUY, MARK * 70 // 100, 1).name == "INSTRUMENT_STATE"
    assert 1 <= finish(crowded, perpetual) <= 3
    assert position_in(crowded, "ann", perpetual) is None
    assert instrument(crowded, perpetual).state == InstrumentState.OPEN
    assert money(crowded) == total
    equities = {equity(crowded, name) for name in NAMES}
    assert max(equities) - min(equities) <= 1, "all alike pay alike"


def test_a_holder_cannot_move_away_between_steps(crowded: Scene, perpetual: int) -> None:
    crowded.deposit("rich", 1_000_000 * USDC, owner="h59")
    assert crowded.deleverage("ann", perpetual).is_applied
    outcome = crowded.position_transfer("h59", "rich", perpetual, EACH)
    assert outcome.name == "INSTRUMENT_STATE"


def test_the_governor_ends_it_between_steps(crowded: Scene, perpetual: int) -> None:
    total = money(crowded)
    assert crowded.deleverage("ann", perpetual).is_applied
    assert crowded.set_instrument(perpetual, InstrumentState.CANCEL_ONLY).is_applied
    assert record(crowded, perpetual) is None
    assert DeleveragingEnded(crowded.accounts["ann"], perpetual) in crowded.events()
    assert crowded.deleverage("ann", perpetual).name == "LEG_INVALID"
    assert crowded.set_instrument(perpetual).is_applied
    assert crowded.deleverage("ann", perpetual).is_applied
    finish(crowded, perpetual)
    assert position_in(crowded, "ann", perpetual) is None
    assert money(crowded) == total


def test_who_pays_in_between_steps_keeps_what_is_left(crowded: Scene, perpetual: int) -> None:
    assert crowded.deleverage("ann", perpetual).is_applied
    crowded.deposit("ann", 3_000_000 * USDC)
    assert crowded.deleverage("ann", perpetual).is_applied
    assert record(crowded, perpetual) is None and closed(crowded) == []
    held = position_in(crowded, "ann", perpetual)
    assert held and held.lots == EACH * len(NAMES)
    assert instrument(crowded, perpetual).state == InstrumentState.OPEN


def test_another_account_waits_for_the_book(crowded: Scene, perpetual: int) -> None:
    assert crowded.deleverage("ann", perpetual).is_applied
    assert crowded.deleverage("h3", perpetual).name == "LEG_INVALID"
