"""Everybody leaves: orders out, positions closed through the books, money back on the chain."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

from proofbook.api.display import decimal_text
from proofbook.api.schema import InstrumentReply
from proofbook.chain.contracts import CLAIMS_COUNT
from proofbook.cli.demonstration.errors import PositionsLeft
from proofbook.cli.demonstration.people import Person, account_record, balance_atoms
from proofbook.cli.demonstration.venue import PAYER_KEY, Venue
from proofbook.client.steps import held_lots
from proofbook.liquidity.closing import Closing, Held, closing_orders
from proofbook.protocol.commands import Tick
from proofbook.protocol.limits import REMOVALS_PER_TICK_MAX
from proofbook.settlement.development_chain import advance_clock

TOGETHER = 64
Answer = TypeVar("Answer")


async def cancel_everything(venue: Venue, people: Sequence[Person]) -> None:
    """End every order, and sweep the books of the dead: they would stand in the way of new ones."""
    for person in people:
        await person.desk.cancel_all()
    for person in people:
        dead = account_record(venue, person.account).orders_resident
        sweeps = -(-dead // REMOVALS_PER_TICK_MAX)
        await venue.apply([Tick(person.account)] * sweeps)


async def close_positions(people: Sequence[Person]) -> int:
    """Close every position by reduce-only orders; return how many there were.

    Raises PositionsUnbalanced, PositionsLeft.
    """
    instruments = people[0].client.instruments
    by_number = {row.instrument: row for row in instruments.values()}
    by_account = {person.account: person for person in people}
    held = [position for person in people for position in await _held(person)]
    wanted = {position.instrument for position in held}
    marks_ticks = {
        number: (await people[0].desk.fair(by_number[number])).mark_ticks for number in wanted
    }
    offers, takes = closing_orders(held, marks_ticks)
    for orders in (offers, takes):
        await _in_bunches(_place(by_account, by_number, closing) for closing in orders)
    for person in people:
        left = await _held(person)
        if left:
            names = [by_number[position.instrument].name for position in left]
            raise PositionsLeft(person.account, names)
    return len(held)


async def withdraw_everything(people: Iterable[Person]) -> None:
    """Withdraw the cash of every account to its owner's address. Raises ApiError."""
    for person in people:
        state = await person.trader.state()
        if state.cash != decimal_text(0, 0):
            await person.trader.withdraw(state.cash)


async def pay_out(venue: Venue, people: Iterable[Person]) -> int:
    """Settle everything, let the finality window pass, pay every withdrawal.

    Returns what the owners hold on chain, in atoms.
    """
    await venue.settlement.settle_all()
    await advance_clock(venue.rpc, venue.deployment.finality_window_seconds + 1)
    await venue.settlement.pay_withdrawals(venue.sender(PAYER_KEY))
    await venue.settlement.release_bonds()
    return sum([await balance_atoms(venue, person.key.address) for person in people])


async def batches_claimed(venue: Venue) -> int:
    """Return how many batches stand on chain."""
    count: int = await venue.rpc.view(venue.deployment.chain, CLAIMS_COUNT)
    return count


async def _held(person: Person) -> list[Held]:
    state = await person.trader.state()
    instruments = person.client.instruments
    rows = [(instruments[position.instrument], position.amount) for position in state.positions]
    return [Held(person.account, row.instrument, held_lots(amount, row)) for row, amount in rows]


async def _place(
    people: dict[int, Person], instruments: dict[int, InstrumentReply], closing: Closing
) -> None:
    desk = people[closing.account].desk
    await desk.place(instruments[closing.instrument], closing.intent)


async def _in_bunches(actions: Iterable[Awaitable[Answer]]) -> None:
    """Await actions, some at a time."""
    bunch: list[Awaitable[Answer]] = []
    for action in actions:
        bunch.append(action)
        if len(bunch) == TOGETHER:
            await asyncio.gather(*bunch)
            bunch = []
    await asyncio.gather(*bunch)
