"""Every kind of order, shown once by two traders in an empty book and held to what it promises."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from proofbook.api.actions import PlaceReply
from proofbook.api.display import amount_text, price_text, usdc_atoms
from proofbook.api.errors import ApiError
from proofbook.api.schema import InstrumentReply, SideName
from proofbook.cli.demonstration.errors import ParadeFailed
from proofbook.cli.demonstration.people import Person
from proofbook.cli.demonstration.venue import (
    GOVERNANCE_DELAY_SECONDS,
    PROPOSER_KEY,
    Venue,
    development_key,
)
from proofbook.client import Trader
from proofbook.client.order_actions import QuoteRow
from proofbook.client.steps import held_lots as held_size
from proofbook.protocol.commands import (
    AcceptQuote,
    BlockTrade,
    ComboLeg,
    CreateCombo,
    Leg,
    Place,
    RfqQuote,
    SetInstrument,
)
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    NS_PER_SECOND,
    ArenaId,
    InstrumentMode,
    InstrumentState,
    Reject,
    Side,
    TimeInForce,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.settlement.development_chain import advance_clock
from proofbook.settlement.governance import execute, schedule

LOTS = 10
MAX_FEE_PPM = 100_000
SESSION = 1
PROTECTION = 4
AUCTION_INTERVAL_MS = 200
WAITS_MAX, WAIT_SECONDS = 100, 0.1
FIRED_SECONDS_MAX = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Stage:
    """Two traders, the book of a perpetual that nobody else is in, and its mark in ticks."""

    venue: Venue
    ada: Person
    bob: Person
    row: InstrumentReply
    mark_ticks: int

    def price(self, offset_ticks: int = 0) -> str:
        return price_text(self.mark_ticks + offset_ticks, usdc_atoms(self.row.price_step))

    def amount(self, lots: int = LOTS) -> str:
        return amount_text(lots, round(float(self.row.amount_step) * 1e9))

    async def place(
        self,
        trader: Trader,
        side: SideName,
        offset_ticks: int = 0,
        lots: int = LOTS,
        **terms: object,
    ) -> PlaceReply:
        """Place an order of so many lots, so many ticks from the mark."""
        return await trader.place(
            self.row.name,
            side,
            self.price(offset_ticks),
            self.amount(lots),
            **terms,  # type: ignore[arg-type]
        )

    def legs(self, offset_ticks: int = 0) -> tuple[Leg, ...]:
        return (Leg(self.row.instrument, LOTS, self.mark_ticks + offset_ticks),)


def expect(promise: str, is_kept: bool) -> None:
    """Raise ParadeFailed if an order did not do what it promises."""
    if not is_kept:
        raise ParadeFailed(promise)


async def expect_rejection(action: Awaitable[object], reason: Reject) -> None:
    """Await what has to be rejected. Raises ParadeFailed, naming what happened instead."""
    try:
        await action
    except ApiError as refusal:
        expect(f"{reason.name}, not {refusal.reason}", refusal.reason == reason.name)
        return
    raise ParadeFailed(reason.name)


async def good_till_cancelled(stage: Stage) -> None:
    rested = await stage.place(stage.ada.trader, "sell", 5)
    expect("an order rests", rested.resting == stage.amount())
    taken = await stage.place(stage.bob.trader, "buy", 5)
    expect("it trades at its price", [fill.price for fill in taken.fills] == [stage.price(5)])


async def immediate_or_cancel(stage: Stage) -> None:
    reply = await stage.place(stage.bob.trader, "buy", time_in_force="immediate_or_cancel")
    expect("nothing rests", reply.order is None and reply.removed == "IMMEDIATE")


async def fill_or_kill(stage: Stage) -> None:
    await stage.place(stage.ada.trader, "sell", lots=LOTS - 1)
    killed = stage.place(stage.bob.trader, "buy", time_in_force="fill_or_kill")
    await expect_rejection(killed, Reject.WOULD_NOT_FILL)
    filled = await stage.place(stage.bob.trader, "buy", 0, LOTS - 1, time_in_force="fill_or_kill")
    expect("all at once", filled.filled == stage.amount(LOTS - 1))


async def good_till_time(stage: Stage) -> None:
    until_ns = stage.ada.client.now_ns() + NS_PER_SECOND
    terms: dict[str, Any] = {"time_in_force": "good_till_time", "expires_ns": until_ns}
    await stage.place(stage.ada.trader, "sell", **terms)
    await asyncio.sleep(1.2)
    missed = await stage.place(stage.bob.trader, "buy", time_in_force="immediate_or_cancel")
    expect("no trade after its time", missed.fills == [])


async def market(stage: Stage) -> None:
    await stage.place(stage.ada.trader, "sell", 2)
    terms: dict[str, Any] = {"order_type": "market", "time_in_force": "immediate_or_cancel"}
    reply = await stage.place(stage.bob.trader, "buy", 50, **terms)
    expect("the best price", [fill.price for fill in reply.fills] == [stage.price(2)])


async def post_only(stage: Stage) -> None:
    await stage.place(stage.ada.trader, "sell")
    crossing = stage.place(stage.bob.trader, "buy", post_only=True)
    await expect_rejection(crossing, Reject.POST_ONLY_WOULD_CROSS)
    slid = await stage.place(stage.bob.trader, "buy", 3, slide=True)
    expect("it rests a tick short", slid.resting == stage.amount())


async def reduce_only(stage: Stage) -> None:
    grown = stage.place(stage.bob.trader, "buy", reduce_only=True)
    await expect_rejection(grown, Reject.REDUCE_ONLY_WOULD_INCREASE)
    await stage.place(stage.ada.trader, "buy", lots=2 * LOTS)
    before = await held_lots(stage, stage.bob)
    reply = await stage.place(stage.bob.trader, "sell", lots=LOTS // 2, reduce_only=True)
    after = await held_lots(stage, stage.bob)
    expect("the position shrinks", after == before - LOTS // 2 and reply.resting == stage.amount(0))


async def self_trade_prevention(stage: Stage) -> None:
    for mode in ("cancel_taker", "cancel_both", "decrement", "cancel_maker"):
        await stage.place(stage.ada.trader, "sell")
        reply = await stage.place(stage.ada.trader, "buy", self_trade_prevention=mode)
        expect(f"{mode}: nobody trades with himself", reply.fills == [])
        await stage.ada.trader.cancel_all()


async def amend(stage: Stage) -> None:
    rested = await stage.place(stage.ada.trader, "buy", -10)
    expect("an order rests", rested.order is not None)
    shrunk = await stage.ada.trader.amend(stage.row.name, rested.order or 0, stage.amount(4))
    expect("it keeps its number", shrunk.order == rested.order)
    moved = await stage.ada.trader.amend(
        stage.row.name, rested.order or 0, stage.amount(), stage.price(-9)
    )
    expect("it is placed anew", moved.order not in (None, rested.order))


async def quotes_under_protection(stage: Stage) -> None:
    maker, name = stage.ada.trader, stage.row.name
    await maker.set_protection(PROTECTION, stage.amount(), 60 * NS_PER_SECOND)
    sides = [
        QuoteRow(instrument=name, side="buy", price=stage.price(-5), amount=stage.amount(2 * LOTS)),
        QuoteRow(instrument=name, side="sell", price=stage.price(5), amount=stage.amount(2 * LOTS)),
    ]
    reply = await maker.quote(sides, protection=PROTECTION)
    expect("both sides rest", all(quote.order is not None for quote in reply.quotes))
    terms: dict[str, Any] = {"time_in_force": "immediate_or_cancel"}
    taken = await stage.place(stage.bob.trader, "buy", 5, 2 * LOTS, **terms)
    expect("no more than the limit trades", taken.filled == stage.amount())
    other = await stage.place(stage.bob.trader, "sell", -5, **terms)
    expect("then no quote is left", other.fills == [])
    await maker.reset_protection(PROTECTION)


async def trigger(stage: Stage) -> None:
    await stage.ada.trader.place_trigger(
        stage.row.name,
        "mark_at_or_above",
        stage.row.price_step,
        "buy",
        stage.price(-20),
        stage.amount(),
        time_in_force="good_till_cancelled",
    )
    deadline = time.monotonic() + FIRED_SECONDS_MAX
    while not (orders := (await stage.ada.trader.state()).open_orders):
        expect("the node fires a trigger", time.monotonic() < deadline)
        await asyncio.sleep(POLL_SECONDS)
    prices = [order.price for order in orders]
    expect("the node puts the order into the book", prices == [stage.price(-20)])


async def dead_man(stage: Stage) -> None:
    await stage.place(stage.ada.trader, "sell")
    await stage.ada.trader.set_dead_man(stage.ada.client.now_ns() + NS_PER_SECOND // 2)
    await asyncio.sleep(0.8)
    missed = await stage.place(stage.bob.trader, "buy", time_in_force="immediate_or_cancel")
    expect("no order outlives the deadline", missed.fills == [])


async def session(stage: Stage) -> None:
    key = development_key("telephone")
    owner = stage.ada.trader
    until_ns = stage.ada.client.now_ns() + 60 * NS_PER_SECOND
    await owner.grant_session(SESSION, key.address, ["place", "cancel"], until_ns)
    phone = stage.ada.client.trader(key, stage.ada.account, session=SESSION)
    await stage.place(phone, "buy", -30)
    await expect_rejection(phone.withdraw("1"), Reject.SESSION_SCOPE_EXCEEDED)
    await owner.revoke_session(SESSION)


async def request_for_quote(stage: Stage) -> None:
    account, nonce, expires_ns = stage.ada.trader.head()
    quote = RfqQuote(account, nonce, expires_ns, stage.bob.account, MAX_FEE_PPM, stage.legs(7))
    signature = stage.ada.trader.sign(quote)
    before = await held_lots(stage, stage.bob)
    accept = AcceptQuote(*stage.bob.trader.head(), MAX_FEE_PPM, 0, signature, quote)
    await stage.bob.trader.submit(accept)
    after = await held_lots(stage, stage.bob)
    expect("the taker has what he accepted", after == before + LOTS)


async def block_trade(stage: Stage) -> None:
    maker_account, maker_nonce, _ = stage.ada.trader.head()
    terms = BlockTrade(
        *stage.bob.trader.head(), MAX_FEE_PPM, maker_account, maker_nonce, 0, bytes(64),
        stage.legs(-7),
    )  # fmt: skip
    before = await held_lots(stage, stage.bob)
    await stage.bob.trader.submit(replace(terms, maker_signature=stage.ada.trader.sign(terms)))
    after = await held_lots(stage, stage.bob)
    expect("both have what they signed", after == before + LOTS)


async def combo(stage: Stage) -> None:
    """A call spread: one call bought, another sold, both or neither."""
    ada, bob = stage.ada.trader, stage.bob.trader
    calls = [row for row in stage.ada.client.instruments.values() if row.kind == "call"]
    first, second = sorted(row.instrument for row in calls[:2])
    legs = (ComboLeg(first, 1), ComboLeg(second, -1))
    created = await ada.submit(CreateCombo(*ada.head(), legs))
    name = created.events[0].fields["instrument"]
    await stage.ada.client.refresh_instruments()
    number = stage.ada.client.instruments[name].instrument
    terms = (number, Side.SELL, COMBO_PRICE_OFFSET_TICKS, LOTS)
    await ada.submit(Place(*ada.head(), *terms, max_fee_ppm=MAX_FEE_PPM))
    buy = (number, Side.BUY, COMBO_PRICE_OFFSET_TICKS, LOTS, TimeInForce.IMMEDIATE_OR_CANCEL)
    reply = await bob.submit(Place(*bob.head(), *buy, max_fee_ppm=MAX_FEE_PPM))
    legs_filled = [event for event in reply.events if event.event == "LEG_FILLED"]
    expect("both legs trade", len(legs_filled) == 2)


async def batch_auction(stage: Stage) -> None:
    """The governor makes the book gather orders; they trade together, at one price."""
    await govern(stage, InstrumentMode.BATCH_AUCTION, AUCTION_INTERVAL_MS)
    before = await held_lots(stage, stage.bob)
    await stage.place(stage.ada.trader, "sell", -5)
    gathered = await stage.place(stage.bob.trader, "buy", 5)
    expect("orders gather, though they cross", gathered.resting == stage.amount())
    for _ in range(WAITS_MAX):
        if await held_lots(stage, stage.bob) == before + LOTS:
            break
        await asyncio.sleep(WAIT_SECONDS)
    else:
        raise ParadeFailed("the auction trades")
    await govern(stage, InstrumentMode.CONTINUOUS)


async def govern(stage: Stage, mode: InstrumentMode, interval_ms: int = 0) -> None:
    """Change the mode of the book: scheduled, due, executed, taken off the chain by the venue."""
    venue, number = stage.venue, stage.row.instrument
    change = SetInstrument(number, InstrumentState.OPEN, mode, auction_interval_ms=interval_ms)
    proposer = venue.sender(PROPOSER_KEY)
    scheduled = await schedule(proposer, venue.deployment, [command_bytes(change)])
    await advance_clock(venue.rpc, GOVERNANCE_DELAY_SECONDS)
    await execute(proposer, venue.deployment, scheduled.identifier)
    slot = instrument_slot(number)
    for _ in range(WAITS_MAX):
        record = InstrumentRecord.unpack(venue.node.engine.read(ArenaId.INSTRUMENTS, slot))
        if record.mode == mode:
            return
        await asyncio.sleep(WAIT_SECONDS)
    raise ParadeFailed("the venue takes what the governor sends")


async def held_lots(stage: Stage, person: Person) -> int:
    """Return the position in the stage's book, in lots."""
    positions = (await person.trader.state()).positions
    held = [row.amount for row in positions if row.instrument == stage.row.name]
    return held_size(held[0], stage.row) if held else 0


ACTS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    act.__name__: act
    for act in (
        good_till_cancelled, immediate_or_cancel, fill_or_kill, good_till_time, market, post_only,
        reduce_only, self_trade_prevention, amend, quotes_under_protection, trigger, dead_man,
        session, request_for_quote, block_trade, combo,
        batch_auction,
    )
}  # fmt: skip
"""What is shown, in order."""


async def parade(stage: Stage) -> list[str]:
    """Show everything; return the names of what was shown. Raises ParadeFailed, ApiError."""
    for act in ACTS.values():
        await act(stage)
        for person in (stage.ada, stage.bob):
            await person.trader.cancel_all()
    return list(ACTS)
