"""What a venue keeps beside its state is bounded, whatever is sent for however long."""

import asyncio
import gc
from typing import Any

from proofbook.protocol.commands import CancelAll, TraderCommand
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.events import (
    DeadManSet,
    OrderRemoved,
    OrderRested,
    TriggerPlaced,
    TriggerRemoved,
    encode_event,
)
from proofbook.protocol.limits import Removal, Side, TriggerCondition
from proofbook.protocol.outcomes import APPLIED
from proofbook.queries.books import Books, Ends
from proofbook.sequencer.keeper import Keeper
from proofbook.sequencer.repeats import Receipted, Repeats
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State

SIGNATURE = b"\1" * 64
FAR_NS = 2**62


def command(nonce: int) -> CancelAll:
    return CancelAll(3, nonce, FAR_NS)


def body(nonce: int) -> bytes:
    return command_bytes(command(nonce), 0, SIGNATURE)


def receipted(events: bytes) -> Receipted:
    nobodys: Any = None
    return Receipted(Result(APPLIED, events), nobodys)


def with_answers(repeats: Repeats, nonces: range, events: bytes) -> None:
    """Take commands and answer them."""

    async def answer() -> None:
        for nonce in nonces:
            future: asyncio.Future[Receipted] = asyncio.get_running_loop().create_future()
            repeats.add(command(nonce), 0, body(nonce), future)
            future.set_result(receipted(events))
            repeats.answered(body(nonce), future)

    asyncio.run(answer())


def is_found(repeats: Repeats, wanted: TraderCommand, session: int, signature: bytes) -> bool:
    """Whether a command has an answer already, and it is the one that it was given."""

    async def find() -> bool:
        answer = repeats.find(wanted, session, signature)
        return answer is not None and (await answer).result.outcome == APPLIED

    return asyncio.run(find())


def test_repeats_forget_the_oldest_of_too_many() -> None:
    repeats = Repeats(10, 1 << 20)
    with_answers(repeats, range(1, 101), b"")
    assert len(repeats) == 10 and repeats.kept_bytes == 10 * len(body(1))
    assert not is_found(repeats, command(90), 0, SIGNATURE)
    assert is_found(repeats, command(91), 0, SIGNATURE)


def test_repeats_forget_the_oldest_of_too_many_bytes() -> None:
    each = len(body(1)) + 1_000
    repeats = Repeats(1_000, 7 * each + each // 2)
    with_answers(repeats, range(1, 101), bytes(1_000))
    assert len(repeats) == 7 and repeats.kept_bytes == 7 * each


def test_only_the_same_bytes_are_the_same_command() -> None:
    repeats = Repeats(10, 1 << 20)
    with_answers(repeats, range(1, 2), b"")
    assert is_found(repeats, command(1), 0, SIGNATURE)
    assert not is_found(repeats, command(1), 0, b"\2" * 64)
    assert not is_found(repeats, command(1), 1, SIGNATURE)
    other: TraderCommand = CancelAll(3, 1, FAR_NS + 1)
    assert not is_found(repeats, other, 0, SIGNATURE)


def test_search_for_garbage_does_not_walk_through_answers_that_are_kept() -> None:
    """They are the most of what a venue holds: walking through them stops the event loop.

    Beside each answer only its receipt, which these have not, is looked at.
    """
    repeats, events = Repeats(1_000, 1 << 20), b"told"
    gc.collect()
    before = len(gc.get_objects())
    with_answers(repeats, range(1, 1_001), events)
    gc.collect()
    assert len(repeats) == 1_000 and is_found(repeats, command(1_000), 0, SIGNATURE)
    assert len(gc.get_objects()) - before < 200


def rested(order: int) -> OrderRested:
    return OrderRested(order, 3, 1, Side.BUY, 100, 1, order, bytes(8))


def removed(order: int) -> OrderRemoved:
    return OrderRemoved(order, 3, 1, Side.BUY, 100, 1, order, Removal.CANCELLED)


def test_orders_that_are_placed_and_cancelled_for_ever_leave_nothing() -> None:
    books = Books()
    books.rested(rested(1), Ends(expires_ns=FAR_NS))
    for order in range(2, 5_000):
        books.rested(rested(order), Ends(expires_ns=FAR_NS))
        books.removed(removed(order))
    assert books.orders_count == 1 and books.dates_count < 100
    books.removed(removed(1))
    assert not books.orders_of(3) and books.count == 1
    books.released(1)
    assert books.count == 0


def test_deadlines_that_are_moved_for_ever_leave_nothing() -> None:
    books = Books()
    for moved in range(5_000):
        books.dead_man_set(DeadManSet(3, FAR_NS + moved))
    assert books.dates_count < 100
    books.rested(rested(1))
    books.pass_time(FAR_NS + 4_999)
    assert books.orders_count == 1, "the last deadline counts"
    books.pass_time(FAR_NS + 5_000)
    assert books.orders_count == 0


def test_stops_that_are_placed_and_cancelled_for_ever_leave_nothing() -> None:
    keeper = Keeper(State(Workload(1).genesis, CHAIN_ID, CONTRACT), lambda _: False, lambda: ())
    for trigger in range(1, 5_000):
        placed = TriggerPlaced(
            trigger, 3, 1, TriggerCondition.MARK_AT_OR_ABOVE, trigger, 0,
            Side.BUY, 100, 1, trigger, bytes(8),
        )  # fmt: skip
        gone = TriggerRemoved(trigger, 3, 1, Removal.CANCELLED)
        events = b"".join(encode_event(event) for event in (placed, gone)[: 1 + (trigger > 1)])
        keeper.take([Result(APPLIED, events)])
    assert keeper.waiting < 100
