"""What waits for a window: copies take no room, and no key keeps others out."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_windows import Durable, Memory
from tests.set_clock import SetClock
from tests.strategies import EXAMPLES

from proofbook.api.errors import Refused
from proofbook.api.signing import Key
from proofbook.kernel import Kernel
from proofbook.protocol.commands import (
    Cancel,
    CancelAll,
    Command,
    Deposit,
    Place,
    RevokeRequest,
    Tick,
    TraderCommand,
)
from proofbook.protocol.entry import Entry, command_bytes
from proofbook.protocol.limits import Side
from proofbook.sequencer import waiting
from proofbook.sequencer.sequencer import Receipted, Sequencer
from proofbook.sequencer.waiting import Waiting
from proofbook.sequencer.window import Received, signing_slots
from proofbook.simulator.scene import USDC, Scene, key_of
from proofbook.simulator.workload import address_of

FOREVER_NS = 1 << 60
MARK = 800_000


class HeldDisk:
    """A journal that has a group and has not answered: what becomes of it is set by hand."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self.answer: asyncio.Future[Durable] | None = None

    async def append_group(self, entries: Any, expected_seq: int, mark: bytes) -> Durable:
        self.answer = asyncio.get_running_loop().create_future()
        return await self.answer


class Floor(NamedTuple):
    """Three traders before a sequencer over the kernel; a key of ann's in session 1."""

    scene: Scene
    sequencer: Sequencer

    def send(self, name: str, command: Command, session: int = 0) -> asyncio.Future[Receipted]:
        is_signed = isinstance(command, TraderCommand)
        signature = self.scene.signature(name, command) if is_signed else bytes(64)
        return self.sequencer.enqueue(command, session, signature)

    def cancel_all(self, name: str) -> CancelAll:
        return CancelAll(*self.scene.header(name))


def floor(journal: Any = None) -> Floor:
    scene = Scene(Kernel)
    for name in ("ann", "bob"):
        scene.deposit(name, 1_000_000 * USDC)
    scene.open_perpetual()
    scene.owners["phone"] = "phone"
    scene.grant("ann", "phone", 1)
    clock = SetClock(scene.window_ns + 10**9)
    disk = journal or Memory(scene.engine.seq)
    disk.last_seq = scene.engine.seq
    return Floor(scene, Sequencer(scene.engine, disk, clock, Key(b"\x07" * 32), epoch=1))


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def end(venue: Floor) -> None:
    venue.sequencer.stop()
    await venue.sequencer.run()


def test_copies_of_a_message_take_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed or not: all get the answer of the first, and others find room."""
    monkeypatch.setattr(waiting, "WAITING_MAX", 3)

    async def story() -> None:
        venue = floor()
        before, copied = venue.sequencer.engine.seq, venue.cancel_all("bob")
        copies = [venue.send("bob", copied) for _ in range(50)]
        pokes = [venue.send("", Tick()) for _ in range(50)]
        other = venue.send("ann", venue.cancel_all("ann"))
        await end(venue)
        assert len({(await copy).receipt for copy in copies}) == 1
        assert len({(await poke).receipt for poke in pokes}) == 1
        assert (await other).result.outcome.is_applied
        assert venue.sequencer.engine.seq == before + 3

    run(story())


def test_what_needs_no_signature_is_taken_again_once_it_is_done() -> None:
    async def story() -> None:
        venue = floor()
        running = asyncio.create_task(venue.sequencer.run())
        first, second = [await venue.send("", Tick()) for _ in range(2)]
        assert second.receipt.seq == first.receipt.seq + 1
        venue.sequencer.stop()
        await running

    run(story())


def test_a_second_message_under_a_nonce_does_not_hide_the_answer_of_the_first() -> None:
    async def story() -> None:
        venue = floor()
        first = venue.cancel_all("bob")
        other = CancelAll(first.account, first.nonce, first.expires_ns + 1)
        answers = [venue.send("bob", first), venue.send("bob", other), venue.send("bob", first)]
        await end(venue)
        assert (await answers[2]).receipt == (await answers[0]).receipt
        with pytest.raises(Refused) as refused:
            await answers[1]
        assert refused.value.reason == "NONCE_USED"

    run(story())


@pytest.mark.parametrize("is_lost", [False, True])
def test_who_asks_again_before_it_is_durable_hears_what_the_first_hears(is_lost: bool) -> None:
    """Never that the nonce is used: the disk may still lose the message."""

    async def story() -> None:
        disk = HeldDisk(0)
        venue = floor(disk)
        running = asyncio.create_task(venue.sequencer.run())
        message, seq = venue.cancel_all("ann"), venue.sequencer.engine.seq + 1
        answers = [venue.send("ann", message)]
        while disk.answer is None:
            await asyncio.sleep(0)
        answers.append(venue.send("ann", message))
        if is_lost:
            disk.answer.set_exception(OSError("no space left on device"))
            for answer in answers:
                with pytest.raises(Refused) as refused:
                    await answer
                assert refused.value.reason == "STOPPED_BY_FAULT"
            with pytest.raises(OSError, match="no space"):
                await running
            return
        disk.answer.set_result(Durable(seq, [bytes(32)], [bytes(32)]))
        assert (await answers[0]).receipt == (await answers[1]).receipt
        venue.sequencer.stop()
        await running

    run(story())


def test_a_key_has_a_share_of_the_queue_and_its_owner_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "WAITING_PER_KEY_MAX", 4)

    async def story() -> None:
        venue = floor()
        account = venue.scene.accounts["ann"]

        def order(nonce: int) -> asyncio.Future[Receipted]:
            head = (account, nonce, FOREVER_NS << 3)
            return venue.send("phone", Place(*head, 1, Side.BUY, 1, 1, max_fee_ppm=1_000), 1)

        taken = [order(10**6 + place) for place in range(4)]
        with pytest.raises(Refused) as refused:
            order(10**6 + 4)
        assert (refused.value.reason, refused.value.limit) == ("TOO_MANY_WAITING", "4")
        taken.append(venue.send("ann", venue.cancel_all("ann")))
        await end(venue)
        for answer in taken:
            assert (await answer).result.outcome.is_applied

    run(story())


def test_what_nobody_signs_has_a_share_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITING_UNSIGNED_MAX", 4)

    async def story() -> None:
        venue = floor()
        for account in range(4):
            venue.send("", Tick(account))
        with pytest.raises(Refused) as refused:
            venue.send("", Tick(4))
        assert (refused.value.reason, refused.value.limit) == ("TOO_MANY_WAITING", "4")
        owner = address_of(key_of("bob"))
        others = [
            venue.send("bob", venue.cancel_all("bob")),
            venue.send("", Deposit(venue.scene.accounts["bob"], owner, 0, 0, 5)),
        ]
        await end(venue)
        for answer in others:
            assert (await answer).result.outcome.is_applied

    run(story())


@pytest.mark.parametrize("session", [0, 1])
def test_a_stranger_s_request_keeps_no_command_out(session: int) -> None:
    """Anybody may post a revocation on chain that names another's account."""

    async def story() -> None:
        venue = floor()
        account, stranger = venue.scene.accounts["ann"], address_of(key_of("bob"))
        request = venue.send("", RevokeRequest(account, stranger, session))
        cancel = CancelAll(account, 10**6, FOREVER_NS << 3)
        answer = venue.send("phone" if session else "ann", cancel, session)
        await end(venue)
        assert (await request).result.outcome.name == "OWNER_MISMATCH"
        assert (await answer).result.outcome.is_applied

    run(story())


class Step(NamedTuple):
    """A window of at most so many commands, or a command that comes."""

    window: int
    command: Command
    session: int


heads = st.tuples(st.integers(3, 5), st.integers(1, 40), st.just(FOREVER_NS))
steps = st.builds(
    Step,
    st.sampled_from((0, 0, 0, 0, 0, 0, 1, 5)),
    st.one_of(
        st.builds(Tick, st.integers(0, 30)),
        st.builds(lambda head: Cancel(*head, 7), heads),
        st.builds(lambda account: Deposit(account, bytes(20), 0, 0, 1), st.integers(3, 5)),
    ),
    st.integers(0, 1),
)


@EXAMPLES
@given(st.lists(steps, max_size=120))
def test_no_share_is_exceeded_and_all_leave_in_their_order(drawn: list[Step]) -> None:
    """Against lists that are counted anew at every step."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MAX", 16), ("PER_KEY_MAX", 4), ("UNSIGNED_MAX", 6)):
            patch.setattr(waiting, f"WAITING_{name}", value)
        queue, inside, left = Waiting(), list[Received](), list[Received]()
        for moment, step in enumerate(drawn):
            if step.window:
                taken = queue.take_window(step.window)
                assert taken == inside[: len(taken)] and (taken or not inside)
                left += taken
                del inside[: len(taken)]
                continue
            command = step.command
            is_signed = isinstance(command, TraderCommand)
            signed_by = signing_slots(Entry(0, 0, command, step.session if is_signed else 0))
            is_copy = isinstance(command, Tick) and any(i.command == command for i in inside)
            assert (queue.same(command) is not None) == is_copy
            is_request = isinstance(command, Deposit)
            same_sender = [
                item
                for item in inside
                if item.signed_by == signed_by and not isinstance(item.command, Deposit)
            ]
            has_room = len(inside) < 16 and len(same_sender) < (4 if is_signed else 6)
            try:
                queue.check_room(command, signed_by)
            except Refused as fault:
                assert not is_request and not has_room
                assert fault.reason == ("OVERLOADED" if len(inside) >= 16 else "TOO_MANY_WAITING")
                continue
            assert is_request or has_room
            if not is_copy:
                inside.append(Received(moment, command, command_bytes(command), signed_by))
                queue.add(inside[-1])
            assert len(queue) == len(inside)
        assert [item.received_ns for item in left] == sorted(item.received_ns for item in left)
