"""Commands in, one total order out: collect a window, order it, apply it, make it durable.

While one group is on its way to the disk the next window fills, so that a window lasts one commit.
Nothing is acknowledged or published before `fdatasync`; a journal that fails stops intake for good,
and a clock that steps back stops it until the venue's time has come again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from proofbook.api.errors import Refusal, Refused
from proofbook.api.receipts import Receipt
from proofbook.api.signing import Key
from proofbook.protocol.commands import Command, TraderCommand
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import INBOX_TAGS, UNSIGNED
from proofbook.protocol.limits import NS_PER_SECOND, ArenaId, OutcomeKind
from proofbook.protocol.records import GlobalRecord
from proofbook.sequencer.admission import admit, gate_of, signer_of
from proofbook.sequencer.clock import Clock
from proofbook.sequencer.freshness import sift
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.rates import KeyRates, tokens_of, tokens_of_bytes
from proofbook.sequencer.recall import RECEIPTS_KEPT as RECEIPTS_KEPT
from proofbook.sequencer.recall import Promise, Recall
from proofbook.sequencer.receipts import Shared, SignedReceipt, read_receipt, sign_group
from proofbook.sequencer.repeats import Receipted as Receipted
from proofbook.sequencer.repeats import Repeats, answered, copy_of, key_of
from proofbook.sequencer.sighting import Sighting
from proofbook.sequencer.stages import StagesListener, Stopwatch, WindowStages
from proofbook.sequencer.waiting import Waiting
from proofbook.sequencer.window import KeySlot, Received, changed_slots, order_window, stamp

_log = structlog.get_logger()

WINDOW_COMMANDS_MAX = 2_048
"""Commands of one window: a few milliseconds of the kernel's time."""
CLOCK_BEHIND_NS_MAX = 30 * NS_PER_SECOND
"""How far the clock may be behind the venue's time, which never steps back: half of what the chain
lets an append be ahead of it. Expiries, deadlines and averages would stand still meanwhile."""
REPEATS_BYTES_MAX = 64 << 20
"""Of so many commands their bytes and those of their events, so that they can be sent again."""
COPIES_MAX = 16_384
"""Copies of commands that may wait for the answer of the first: more are refused."""


class VoidRequest(Exception):
    """A request of the inbox would be void: later ones cannot go before it, so intake stops."""


class Durable(Protocol):
    """What the journal says of a group that is on disk."""

    @property
    def first_seq(self) -> int: ...
    @property
    def entry_hashes(self) -> Sequence[bytes]: ...
    @property
    def chain_hashes(self) -> Sequence[bytes]: ...


class OrderedLog(Protocol):
    """Where the order becomes durable."""

    @property
    def last_seq(self) -> int: ...

    def append_group(
        self, entries: Sequence[bytes], expected_seq: int, mark: bytes
    ) -> Awaitable[Durable]:
        """Make entries durable, and with them a mark of 16 bytes."""
        ...


class Committed(NamedTuple):
    """A group that is on disk and applied: what feeds and settlement learn of it."""

    first_seq: int
    window_ns: int
    entries: Sequence[bytes]
    results: Sequence[Result]

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.entries) - 1


class Signed(NamedTuple):
    """A command with what makes it somebody's."""

    command: TraderCommand
    session: int
    signature: bytes


Listener = Callable[[Committed], None]
Answers = dict[int, asyncio.Future[Receipted]]


class Sequencer:
    """One writer over one engine and one journal that stand at the same seq."""

    def __init__(
        self,
        engine: Engine,
        journal: OrderedLog,
        clock: Clock,
        key: Key,
        epoch: int,
        inclusion: Inclusion | None = None,
        sighting: Sighting | None = None,
        receipts_kept: int = RECEIPTS_KEPT,
        recall: Recall | None = None,
    ) -> None:
        assert engine.seq == journal.last_seq, (
            f"the engine stands at {engine.seq}, the journal at {journal.last_seq}"
        )
        header = GlobalRecord.unpack(engine.read(ArenaId.GLOBAL, 0))
        self.engine = engine
        self.clock = clock
        self.key = key
        self.epoch = epoch
        self.separator = header.domain_separator
        self.window_ns = header.window_ns
        self.inclusion = inclusion
        self.sighting = sighting
        self.rates: KeyRates | None = None
        self.recall = recall
        self._gate = gate_of(engine)
        self._journal = journal
        self._last_received_ns = header.window_ns
        self._waiting = Waiting()
        self._answers: Answers = {}
        self._wake = asyncio.Event()
        self._listeners: list[Listener] = []
        self._stages_listeners: list[StagesListener] = []
        self._receipts: dict[int, SignedReceipt] = {}
        self._receipts_kept = receipts_kept
        self._repeats = Repeats(receipts_kept, REPEATS_BYTES_MAX)
        self._copies = 0
        self._last: list[Signed] = []
        self._is_accepting = True
        self.fault: Exception | None = None

    @property
    def is_accepting(self) -> bool:
        """Whether commands are taken at all."""
        return self._is_accepting

    def subscribe(self, listener: Listener) -> None:
        """Call the listener with every group, after it is durable and before it is acknowledged."""
        self._listeners.append(listener)

    def watch_stages(self, listener: StagesListener) -> None:
        """Call the listener with the times of every window, after it is acknowledged."""
        self._stages_listeners.append(listener)

    def when_answered(self, callback: Callable[[], object]) -> None:
        """Call back once everything that is taken by now is answered: at once if all is."""
        if not self._answers:
            callback()
            return
        latest = next(reversed(self._answers.values()))
        latest.add_done_callback(lambda _: callback())

    @property
    def waiting(self) -> int:
        """How many commands wait for a window."""
        return len(self._waiting)

    @property
    def journal_seq(self) -> int:
        """The last entry of the journal."""
        return self._journal.last_seq

    @property
    def clock_behind_ns(self) -> int:
        """How far the clock is behind the venue's time; 0 if it is not."""
        return max(0, self._last_received_ns - self.clock.now_ns())

    @property
    def is_chain_unseen(self) -> bool:
        """Whether the chain was not seen for so long that the venue's time stands still."""
        return self.sighting is not None and self.clock.now_ns() > self.sighting.limit_ns

    @property
    def kept(self) -> dict[str, tuple[int, int]]:
        """How much is kept of what was answered, and up to how much."""
        return {
            "receipts": (len(self._receipts), self._receipts_kept),
            "answers": (len(self._repeats), self._receipts_kept),
            "answer_bytes": (self._repeats.kept_bytes, REPEATS_BYTES_MAX),
        }

    def receipt(self, seq: int) -> Receipt | None:
        """Return a receipt that is still kept, or can be signed again as it was."""
        signed = self._receipts.get(seq)
        if signed is None and self.recall is not None:
            signed = self.recall.receipt(seq)
        return None if signed is None else read_receipt(signed)

    async def submit(
        self, command: Command, session: int = 0, signature: bytes = UNSIGNED
    ) -> Receipted:
        """Sequence one command; return once it is durable. Raises Refused before it has a seq."""
        return await self.enqueue(command, session, signature)

    def enqueue(
        self,
        command: Command,
        session: int = 0,
        signature: bytes = UNSIGNED,
        *,
        is_limited: bool = True,
    ) -> asyncio.Future[Receipted]:
        """Take a command as `take`, for one who may go away before it is answered."""
        return copy_of(self.take(command, session, signature, is_limited=is_limited))

    def take(
        self,
        command: Command,
        session: int = 0,
        signature: bytes = UNSIGNED,
        *,
        is_limited: bool = True,
    ) -> asyncio.Future[Receipted]:
        """Take a command into the open window, in the order of the calls. Raises Refused.

        A command that was taken before is answered as it was then: who has lost an answer asks
        again. The answer belongs to all who ask, so that nobody may cancel it. What is not
        `is_limited` counts against the rate of its key and is not held up by it: whoever sent it is
        gone and cannot ask again.
        """
        is_request = command.TAG in INBOX_TAGS
        self._check_open(is_request)
        known = self._known_answer(command, session, signature)
        if known is not None:
            self._count_copy(known)
            return known
        signed_by = self._waiting.check_keys(command, session)
        self._waiting.check_room(command, signed_by)
        rates = self.rates if signed_by else None
        if rates is not None and is_limited:
            rates.check(command.TAG, tokens_of(command), signed_by[0])
        now_ns = self._venue_time(is_request)
        body = admit(self.engine, self.separator, now_ns, command, session, signature)
        changes = changed_slots(self.engine, command)
        answer = self._let_in(now_ns, command, body, signed_by, changes)
        self._repeats.add(command, session, body, answer)
        if rates is not None:
            rates.take(command.TAG, tokens_of(command), signed_by[0])
        return answer

    def take_ordinary(self, body: bytes) -> asyncio.Future[Receipted] | None:
        """Take a Place, QuoteBatch, Cancel or CancelAll in its canonical bytes, as `take`.

        None for one that is not new and good for certain: `take` says what it is.
        """
        key = key_of(body)
        if self._gate is None or self._repeats.knows(key):
            return None
        if self.recall is not None and self.recall.knows(key):
            return None
        slot, tokens, rates = key[:2], tokens_of_bytes(body), self.rates
        try:
            self._check_open(False)
            self._waiting.check_slots((slot,))
            self._waiting.check_share(slot)
            if rates is not None:
                rates.check(body[0], tokens, slot)
            now_ns = self._venue_time(False)
        except Refused:
            return None
        if not self._gate.admits(body, now_ns):
            return None
        answer = self._let_in(now_ns, None, body, (slot,))
        self._repeats.add_bytes(key, body, answer)
        if rates is not None:
            rates.take(body[0], tokens, slot)
        return answer

    def _let_in(
        self,
        now_ns: int,
        read: Command | None,
        body: bytes,
        signed_by: tuple[KeySlot, ...],
        changes: tuple[KeySlot, ...] = (),
    ) -> asyncio.Future[Receipted]:
        """Put a command into the open window; return its answer."""
        received_ns = max(now_ns, self._last_received_ns + 1)
        self._last_received_ns = received_ns
        answer: asyncio.Future[Receipted] = asyncio.get_running_loop().create_future()
        self._answers[received_ns] = answer
        self._waiting.add(Received(received_ns, read, body, signed_by, changes))
        self._wake.set()
        return answer

    def _known_answer(
        self, command: Command, session: int, signature: bytes
    ) -> asyncio.Future[Receipted] | None:
        """Return the answer of the same command, if it was signed and taken, or still waits."""
        if not isinstance(command, TraderCommand):
            received_ns = self._waiting.same(command)
            return None if received_ns is None else self._answers[received_ns]
        answer = self._repeats.find(command, session, signature)
        if answer is None and self.recall is not None:
            before = self.recall.find(command, session, signature)
            answer = None if before is None else answered(before)
        return answer

    def _count_copy(self, known: asyncio.Future[Receipted]) -> None:
        """Count one more who waits for the answer of a command taken before. Raises Refused."""
        if known.done():
            return
        if self._copies >= COPIES_MAX:
            message = f"{self._copies} copies wait for their answer, at most {COPIES_MAX}"
            raise Refused(Refusal.OVERLOADED, message, self._copies, COPIES_MAX)
        self._copies += 1
        known.add_done_callback(self._forget_copy)

    def _forget_copy(self, _: asyncio.Future[Receipted]) -> None:
        self._copies -= 1

    async def run(self) -> None:
        """Commit one window after the other until `stop`. A fault of the journal ends it."""
        try:
            while await self._wait_for_commands():
                await self._commit(self._close_window())
            self._take_last()
            while self._waiting:
                await self._commit(self._close_window())
        except Exception as fault:
            self.fault = fault
            raise
        finally:
            self._is_accepting = False
            self._refuse_waiting()

    def stop(self, last: Sequence[Signed] = ()) -> None:
        """Take no more commands; `run` returns when those that wait are committed.

        `last` goes in behind them, in a window of its own, unless it is refused by now.
        """
        self._last += last
        self._is_accepting = False
        self._wake.set()

    def _take_last(self) -> None:
        """Take what was to go in behind everything else, as long as nobody else has his turn."""
        self._is_accepting = True
        for signed in self._last:
            try:
                forget(self.enqueue(*signed, is_limited=False))
            except Refused as fault:
                account = signed.command.account
                _log.warning("sequencer.last_refused", account=account, reason=fault.reason)
        self._is_accepting = False

    def _check_open(self, is_request: bool) -> None:
        if not self._is_accepting:
            raise self._stopped("the sequencer takes no commands")
        # A request of the inbox must go in: left out for an hour it would block every append.
        is_throttled = self.inclusion is not None and not self.inclusion.is_open
        if is_throttled and not is_request:
            message = "too much waits to be appended on chain to promise when an entry will be"
            raise Refused(Refusal.OVERLOADED, message)

    def _venue_time(self, is_request: bool) -> int:
        """Return the time at which a command comes in.

        Raises Refused while the clock is behind, or too far ahead of what was seen of the chain.
        """
        if is_request:
            # Requests go in whatever the clock says: left out they block every append.
            return self._now_ns()
        now_ns = self.clock.now_ns()
        if self.sighting is not None and now_ns > self.sighting.limit_ns:
            limit_ns = self.sighting.limit_ns
            message = f"the chain was not seen for too long: it is {now_ns} ns, at most {limit_ns}"
            raise Refused(Refusal.CHAIN_UNSEEN, message, now_ns, limit_ns)
        behind_ns = self._last_received_ns - now_ns
        if behind_ns > CLOCK_BEHIND_NS_MAX:
            limit_ns = CLOCK_BEHIND_NS_MAX
            message = f"the clock is {behind_ns} ns behind the venue's time, at most {limit_ns}"
            raise Refused(Refusal.CLOCK_BEHIND, message, behind_ns, limit_ns)
        return now_ns

    def _now_ns(self) -> int:
        """Return the clock's time, or the latest that the venue may have."""
        now_ns = self.clock.now_ns()
        return now_ns if self.sighting is None else min(now_ns, self.sighting.limit_ns)

    def _stopped(self, message: str) -> Refused:
        """Return why nothing is taken: a fault by its name, or that the venue is closing."""
        if self.fault is None:
            return Refused(Refusal.NOT_ACCEPTING, message)
        name = type(self.fault).__name__
        return Refused(Refusal.STOPPED_BY_FAULT, f"{message}: {name}: {self.fault}", name)

    async def _wait_for_commands(self) -> bool:
        """Wait for something to commit; false when stopped and nothing waits."""
        while not self._waiting and self._is_accepting:
            self._wake.clear()
            await self._wake.wait()
        return bool(self._waiting)

    def _close_window(self) -> list[Received]:
        """Take the commands of one window and fix its closing time.

        What is no longer good at that time is refused, and does not go in.
        """
        received = self._waiting.take_window(WINDOW_COMMANDS_MAX)
        # What still waits was received later, so the window must close before it.
        is_all = not self._waiting
        self.window_ns = (
            max(self._now_ns(), self._last_received_ns) if is_all else received[-1].received_ns
        )
        self._last_received_ns = max(self._last_received_ns, self.window_ns)
        if self._are_fresh(received):
            return order_window(received)
        good, dead = sift(received, self.window_ns, partial(signer_of, self.engine))
        for item, fault in dead:
            self._refuse(item, fault)
        return order_window(good)

    def _are_fresh(self, received: Sequence[Received]) -> bool:
        """Whether the engine knows at once that all of a window is good when it closes."""
        bodies = [item.body for item in received]
        return self._gate is not None and self._gate.are_fresh(bodies, self.window_ns)

    async def _commit(self, window: Sequence[Received]) -> None:
        """Apply a window and make it durable, then tell everybody.

        Applied first: what would be void is never written.
        """
        first_seq, window_ns = self.engine.seq + 1, self.window_ns
        stopwatch = Stopwatch()
        applied = self._apply(window)
        if not applied:
            return
        execute_ns = stopwatch.lap_ns()
        window, entries, results = zip(*applied, strict=True)
        promise = self._promise()
        durable = await self._journal.append_group(entries, first_seq, promise.mark())
        assert durable.first_seq == first_seq, (
            f"journal at {durable.first_seq}, engine at {first_seq}"
        )
        journal_ns = stopwatch.lap_ns()
        receipts = self._sign(first_seq, window, durable, results, promise)
        sign_ns = stopwatch.lap_ns()
        committed = Committed(first_seq, window_ns, entries, results)
        for listener in self._listeners:
            listener(committed)
        publish_ns = stopwatch.lap_ns()
        self._acknowledge(window, results, receipts)
        if self.inclusion is not None:
            self.inclusion.journalled(committed.last_seq, sum(map(len, entries)))
        if self._stages_listeners:
            times = execute_ns, journal_ns, sign_ns, publish_ns, stopwatch.lap_ns()
            self._tell_stages(committed, window, times)

    def _tell_stages(
        self, committed: Committed, window: Sequence[Received], times_ns: tuple[int, ...]
    ) -> None:
        applied = sum(result.outcome.is_applied for result in committed.results)
        collect_ns = committed.window_ns - min(item.received_ns for item in window)
        rejected = len(window) - applied
        stages = WindowStages(applied, rejected, collect_ns, *times_ns)
        for listener in self._stages_listeners:
            listener(stages)

    def _apply(self, window: Sequence[Received]) -> list[tuple[Received, bytes, Result]]:
        """Apply what is not void, and refuse the rest. Raises VoidRequest.

        Admission lets nothing void pass: a void is a fault of ours, which must cost neither the
        bond nor the venue.
        """
        entries = [stamp(item, self.window_ns) for item in window]
        applied: list[tuple[Received, bytes, Result]] = []
        results = self.engine.apply_unless_void(entries)
        for item, entry, result in zip(window, entries, results, strict=True):
            if result.outcome.kind != OutcomeKind.VOID:
                applied.append((item, entry, result))
                continue
            reason = result.outcome.name
            _log.error("sequencer.void", reason=reason, entry=entry.hex())
            if item.is_request:
                raise VoidRequest(f"a request of the inbox would be {reason}: {entry.hex()}")
            message = f"the entry would be {reason}; this is a fault of the venue's, now in its log"
            self._refuse(item, Refused(Refusal.ENTRY_VOID, message, reason))
        return applied

    def _refuse(self, item: Received, fault: Refused) -> None:
        """Tell who waits that a command gets no seq."""
        answer = self._answers.pop(item.received_ns)
        if not answer.done():
            answer.set_exception(fault)

    def _promise(self) -> Promise:
        """Return what the receipts of the next group will say of when it is on chain."""
        if self.inclusion is None:
            return Promise(self.epoch, 0)
        return Promise(self.epoch, self.window_ns + self.inclusion.promise_ns)

    def _sign(
        self,
        first_seq: int,
        window: Sequence[Received],
        durable: Durable,
        results: Sequence[Result],
        promise: Promise,
    ) -> list[SignedReceipt]:
        """Return the receipts of a group that is on disk, under one signature."""
        shared = Shared(promise.epoch, first_seq, self.window_ns, promise.include_by_ns)
        hashes = durable.entry_hashes, durable.chain_hashes
        received_ns = [item.received_ns for item in window]
        outcomes = [result.outcome for result in results]
        return sign_group(self.key, self.separator, shared, hashes, received_ns, outcomes)

    def _acknowledge(
        self,
        window: Sequence[Received],
        results: Sequence[Result],
        receipts: Sequence[SignedReceipt],
    ) -> None:
        """Give everybody who waits for a command of the window its result and its receipt."""
        for item, result, receipt in zip(window, results, receipts, strict=True):
            self._keep(receipt)
            answer = self._answers.pop(item.received_ns)
            answer.set_result(Receipted(result, receipt))
            self._repeats.answered(item.body, answer)

    def _keep(self, receipt: SignedReceipt) -> None:
        seq = receipt.seq
        self._receipts[seq] = receipt
        self._receipts.pop(seq - self._receipts_kept, None)

    def _refuse_waiting(self) -> None:
        """Answer what was not acknowledged; it may be on disk or not."""
        fault = self._stopped("the sequencer stopped before this was acknowledged")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(fault)
        self._answers.clear()


def forget(answer: asyncio.Future[Receipted]) -> None:
    """Let an answer come that nobody waits for."""
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
