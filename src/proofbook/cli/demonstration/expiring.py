"""An expiry comes: two traders hold an option to its end, and the node settles it by itself.

The clocks of venue and chain are put forward to the half hour before it. Publishers go on every
minute; nobody asks for anything else.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from proofbook.api.display import price_text
from proofbook.cli.demonstration import people
from proofbook.cli.demonstration.errors import ExpiryNotSettled
from proofbook.cli.demonstration.people import Person, account_record
from proofbook.cli.demonstration.report import Settled
from proofbook.cli.demonstration.venue import Venue
from proofbook.liquidity.tally import Tally
from proofbook.protocol.commands import BlockTrade, Leg
from proofbook.protocol.events import InstrumentListed
from proofbook.protocol.limits import (
    NS_PER_SECOND,
    SETTLEMENT_WINDOW_NS,
    ArenaId,
    InstrumentKind,
)
from proofbook.protocol.records import ExpiryRecord
from proofbook.settlement.development_chain import advance_clock

LOTS = 100
MAX_FEE_PPM = 100_000
STEP_NS = 60 * NS_PER_SECOND
"""Between two prices."""

BEFORE_NS = SETTLEMENT_WINDOW_NS + STEP_NS
SETTLED_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05


async def let_expire(venue: Venue, accounts: Mapping[str, int]) -> Settled | None:
    """Trade an option between two of the accounts, and let its expiry come; return what it paid.

    None if nothing that is listed ends later than in half an hour. Connections that were open keep
    the time of before. Raises ExpiryNotSettled, CommandRefused, ChainFault, ConnectionLost.
    """
    option = next_option(venue)
    if option is None:
        return None
    first_two = dict(list(accounts.items())[:2])
    pair = await people.meet(venue, first_two, Tally())
    try:
        await venue.publish()
        name, price = await _trade(option, *pair)
    finally:
        await people.part(pair)
    buyer = pair[0].account
    before_atoms = account_record(venue, buyer).cash_atoms
    await _pass_time(venue, option.expiry_ns)
    await _until_settled(venue, name, list(first_two.values()))
    await venue.publish()
    record = ExpiryRecord.unpack(venue.node.engine.read(ArenaId.EXPIRIES, option.expiry))
    paid_atoms = account_record(venue, buyer).cash_atoms - before_atoms
    return Settled(name, price, price_text(record.settlement_atoms, 1), paid_atoms)


def next_option(venue: Venue) -> InstrumentListed | None:
    """Return the call of the next expiry with the highest strike below its forward, if any."""
    begin_ns = venue.clock.now_ns() + BEFORE_NS
    calls = [
        event
        for event in venue.still_listed()
        if event.kind == InstrumentKind.CALL and event.expiry_ns > begin_ns
    ]
    if not calls:
        return None
    next_ns = min(event.expiry_ns for event in calls)
    engine = venue.node.engine

    def is_below(event: InstrumentListed) -> bool:
        record = ExpiryRecord.unpack(engine.read(ArenaId.EXPIRIES, event.expiry))
        return event.strike_atoms < record.forward_atoms

    of_next = [event for event in calls if event.expiry_ns == next_ns]
    below = [event for event in of_next if is_below(event)]
    return max(below or of_next, key=lambda event: (-event.underlying, event.strike_atoms))


async def _trade(option: InstrumentListed, buyer: Person, seller: Person) -> tuple[str, str]:
    """Let one buy the option of the other at its mark; return its name and price."""
    await buyer.client.refresh_instruments()
    rows = buyer.client.instruments.values()
    row = next(row for row in rows if row.instrument == option.instrument)
    ticks = max(1, round((await buyer.desk.fair(row)).mark_ticks))
    account, nonce, _ = seller.trader.head()
    legs = (Leg(option.instrument, LOTS, ticks),)
    head = buyer.trader.head()
    terms = BlockTrade(*head, MAX_FEE_PPM, account, nonce, 0, bytes(64), legs)
    await buyer.trader.submit(replace(terms, maker_signature=seller.trader.sign(terms)))
    ticker = await buyer.client.ticker(row.name)
    return row.name, str(ticker.mark)


async def _pass_time(venue: Venue, expiry_ns: int) -> None:
    """Put the clocks forward to the window of an expiry, and publish until it is over.

    What was committed before is on the chain first: it may not come there hours late.
    """
    await venue.settlement.settle_all()
    until_ns = expiry_ns + STEP_NS
    left_ns = until_ns - venue.clock.now_ns()
    await advance_clock(venue.rpc, left_ns // NS_PER_SECOND)
    moment_ns = expiry_ns - BEFORE_NS
    while moment_ns <= until_ns:
        venue.clock.advance_to(moment_ns)
        await _until_seen(venue)
        await venue.publish()
        moment_ns += STEP_NS


async def _until_seen(venue: Venue) -> None:
    """Wait until the node has looked at the chain late enough to let its time go on."""
    sighting = venue.node.sequencer.sighting
    while sighting is not None and sighting.limit_ns < venue.clock.now_ns():
        await asyncio.sleep(POLL_SECONDS)


async def _until_settled(venue: Venue, name: str, accounts: list[int]) -> None:
    """Wait until the node has closed what these accounts hold. Raises ExpiryNotSettled."""
    deadline = time.monotonic() + SETTLED_SECONDS_MAX
    while any(account_record(venue, account).positions_count for account in accounts):
        if time.monotonic() > deadline:
            raise ExpiryNotSettled(name, SETTLED_SECONDS_MAX)
        await asyncio.sleep(POLL_SECONDS)
