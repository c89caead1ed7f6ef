"""Books that are told by events alone hold exactly the orders that can still trade."""

from collections import Counter

import pytest

from proofbook.protocol.commands import Quote
from proofbook.protocol.identifiers import instrument_slot, order_id
from proofbook.protocol.limits import Side
from proofbook.queries.models import ReadModels
from proofbook.simulator.scene import Scene
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State, cancellation

Levels = Counter[tuple[int, Side, int]]
"""Lots by the slot of the instrument, side and ticks."""


def tradable_levels(state: State) -> Levels:
    """Return what the state's orders that are neither dead nor expired offer."""
    world, levels = state.world, Levels()
    for slot in range(1, world.orders.high_water):
        order = world.orders[slot]
        if order.account and not cancellation.end_of(world, order):
            place = order.instrument, Side(order.side), order.price_ticks
            levels[place] += order.lots_remaining
    return levels


def shown_levels(models: ReadModels) -> Levels:
    return Levels(
        {
            (instrument_slot(instrument.number), side, ticks): lots
            for instrument in models.instruments
            for side in Side
            for ticks, lots in models.books.book(instrument.number).levels(side)
        }
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_books_show_what_can_trade_after_every_group(seed: int) -> None:
    workload = Workload(seed, hostile_share=0.0)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    models = ReadModels(state)
    while state.seq < 6_000:
        first_seq = state.seq + 1
        entries = [workload.next_entry() for _ in range(workload.random.randint(1, 6))]
        results = state.apply(entries)
        for entry, result in zip(entries, results, strict=True):
            workload.observe(entry, result)
        models.apply(first_seq, entries, results)
        assert shown_levels(models) == tradable_levels(state), f"after seq {state.seq}"
    orders = [order for account in workload.accounts for order in models.books.orders_of(account)]
    world = state.world
    assert all(
        order.order == order_id(slot := order.order & 0xFFFF_FFFF, world.orders[slot].generation)
        and world.orders[slot].lots_remaining == order.lots
        for order in orders
    ), "orders of an account are those of the state"
    assert orders, "something rests at the end"


def test_a_quote_for_no_instrument_at_all_is_told_by_its_number() -> None:
    scene = Scene(State)
    ann = scene.deposit("ann", 10**12)
    scene.open_perpetual()
    assert scene.quote("ann", Quote(99, Side.BUY, 1, 1)).is_applied
    notices = ReadModels(scene.engine).apply(1, scene.entries, scene.results).accounts
    refused = notices[-1].notice()
    assert (refused.account, refused.event) == (ann, "QUOTE_REFUSED")
    assert (refused.fields["instrument"], refused.fields["reason"]) == (
        "99",
        "INSTRUMENT_NOT_FOUND",
    )
