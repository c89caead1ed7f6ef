"""The only door to the state machine in Rust: entries in; outcomes, events, roots, records out.

It is an `Engine` like the reference program. A broken invariant in the kernel ends the process: it
is a bug of ours, and no layer above may go on with a state in doubt.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

from proofbook import _native
from proofbook.protocol.collateral_commands import SettleVariation, StartConversion
from proofbook.protocol.commands import Malformed
from proofbook.protocol.engine import Result
from proofbook.protocol.events import event_sizes
from proofbook.protocol.limits import ArenaId, EventTag, OutcomeKind, Reject, Tag, Void
from proofbook.protocol.liquidation_commands import Deleverage, Liquidate, StartAuction
from proofbook.protocol.margin_report import (
    NO_CHANGES_ASKED,
    ChangesAsked,
    ExpiryReport,
    MarginReport,
    QuestionInvalid,
    UnderlyingReport,
)
from proofbook.protocol.outcomes import APPLIED, Outcome
from proofbook.protocol.replay import EventAt, EventUse, Resting, RestingOrder, TapeLimits
from proofbook.protocol.watch import MOST, DebtStep, Findings, Step

Store = Literal["cached", "plain", "witness"]
"""Native with caches, native without, or each entry a second time from its witness alone."""

TAGS = 256
"""As many kinds of events as a byte can number."""

OUTCOMES: dict[bytes, Outcome] = {
    outcome.encode(): outcome
    for outcome in (
        APPLIED,
        *(Outcome(OutcomeKind.REJECTED, reason) for reason in Reject),
        *(Outcome(OutcomeKind.VOID, reason) for reason in Void),
    )
}


class Standing(NamedTuple):
    """What an account has and what it must keep, in quote atoms.

    `stale_high_atoms` is how much more than at their marks its stale legs may be worth.
    """

    account: int
    equity_atoms: int
    stale_high_atoms: int
    maintenance_atoms: int


class Applied(NamedTuple):
    """What joined entries did, joined: no object for any of them.

    `outcomes` has two bytes for each entry, `event_ends` four, little-endian: where its events end
    within `events`.
    """

    outcomes: bytes
    event_ends: bytes
    events: bytes


class Counts(NamedTuple):
    """How many entries had which outcome."""

    applied: int
    rejected: int
    void: int


class Tape:
    """What entries told that `Kernel.replay` has executed: the last of it. Nobody else fills it."""

    def __init__(self, native: _native.Tape) -> None:
        self.native = native

    @property
    def window_ns(self) -> int:
        """The window of the last entry."""
        return self.native.window_ns

    def take_told(self) -> list[EventAt]:
        """Return the last events that accounts are told of, oldest first."""
        return [EventAt._make(row) for row in self.native.take_told()]

    def take_trades(self) -> list[EventAt]:
        """Return the last trades of each instrument, oldest first."""
        return [EventAt._make(row) for row in self.native.take_trades()]

    def take_results(self) -> list[tuple[int, int, bytes]]:
        """Return kind and reason of the last outcomes, and events, oldest first."""
        return self.native.take_results()


class SnapshotRootMismatch(ValueError):
    """The words of a snapshot do not hash to the root that it names."""

    def __init__(self, named: bytes, computed: bytes) -> None:
        super().__init__(f"the snapshot names root {named.hex()}, its words give {computed.hex()}")
        self.named = named
        self.computed = computed


class Kernel:
    """The state machine somewhere between genesis and the end of the journal."""

    def __init__(
        self, genesis: bytes, chain_id: int, contract: bytes, *, store: Store = "cached"
    ) -> None:
        """Stand at state 0. Raises Malformed when the bytes are no canonical genesis."""
        try:
            self._kernel = _native.Kernel(genesis, chain_id, contract, store=store)
        except ValueError as error:
            raise Malformed(str(error)) from None

    @classmethod
    def restore(cls, snapshot: bytes, *, store: Store = "cached") -> Self:
        """Return the state of a snapshot.

        The root that a snapshot names is its own word for it: compare `root()` with a known one.
        Raises Malformed, SnapshotRootMismatch.
        """
        kernel = cls.__new__(cls)
        try:
            kernel._kernel = _native.Kernel.restore(snapshot, store=store)
        except ValueError as error:
            if len(error.args) == 3:
                _, named, computed = error.args
                raise SnapshotRootMismatch(bytes(named), bytes(computed)) from None
            raise Malformed(str(error)) from None
        return kernel

    def load(self, snapshot: bytes, root: bytes) -> None:
        """Become the state of a snapshot, over the cached store, if that has a root.

        Raises Malformed, SnapshotRootMismatch; then nothing has changed.
        """
        restored = self.restore(snapshot)
        if restored.root() != root:
            raise SnapshotRootMismatch(root, restored.root())
        self._kernel = restored._kernel

    @property
    def seq(self) -> int:
        """The number of the last entry applied; 0 at genesis."""
        return self._kernel.seq

    def apply(self, entries: Sequence[bytes]) -> list[Result]:
        """Apply whole entries in order. Total: every entry has a result.

        Releases the interpreter's lock; signatures are recovered on all threads first.
        """
        return _results(*self._kernel.apply(entries))

    def apply_unless_void(self, entries: Sequence[bytes]) -> list[Result]:
        """Apply whole entries in order, but those that would be void: they leave no trace."""
        return _results(*self._kernel.apply_unless_void(entries))

    def apply_recovered(self, entries: bytes, signers: bytes) -> Applied:
        """Apply joined entries without recovering a signature: the caller knows who signed.

        `signers` has a row for each entry: a byte that says how many signatures it holds, and so
        many addresses, zero for a signature of nobody. Raises ValueError when entries or rows are
        cut off; nothing is applied then.
        """
        return Applied._make(self._kernel.apply_recovered(entries, signers))

    def replay_recovered(self, entries: bytes, signers: bytes) -> Counts:
        """Apply as `apply_recovered` in one loop in Rust; count outcomes, and keep no events."""
        return Counts._make(self._kernel.replay_recovered(entries, signers))

    def tape(self, uses: Mapping[EventTag, EventUse], limits: TapeLimits) -> Tape:
        """Return an empty tape for `replay`."""
        by_tag, sizes = bytearray(TAGS), bytearray(TAGS)
        for tag, size in event_sizes().items():
            by_tag[tag], sizes[tag] = uses.get(tag, 0), size
        return Tape(_native.Tape(bytes(sizes), bytes(by_tag), *limits))

    def replay(self, entries: bytes, tape: Any, *, is_sealed: bool) -> Iterator[list[EventAt]]:
        """Apply joined entries; stop before each release and at the end, and yield what is handed
        on.

        Releases the interpreter's lock. With `is_sealed` no signature is recovered: the caller
        knows that all are good. Raises ValueError at an entry that is cut off.
        """
        assert isinstance(tape, Tape), "a tape is one of `tape`"
        place = 0
        while place < len(entries):
            place, handed = self._kernel.replay(entries, place, tape.native, is_sealed=is_sealed)
            yield [EventAt._make(row) for row in handed]

    def resting_orders(self) -> Resting:
        """Return the resting orders that can trade, by slot, and which can trade no more."""
        live, over = self._kernel.resting_orders()
        return Resting([RestingOrder._make(row) for row in live], over)

    def admits(self, command: bytes, now_ns: int) -> bool:
        """Return whether a command, from its tag on, is good at a time for certain.

        Of one that is not, nothing is said. Its signature is not recovered again when it is
        applied.
        """
        return self._kernel.admits(command, now_ns)

    def are_fresh(self, commands: Sequence[bytes], window_ns: int) -> bool:
        """Return whether the commands of a window, in order of receipt, are good for certain.

        Account, session, expiry, nonce and scope, at the time at which it closes.
        """
        return self._kernel.are_fresh(commands, window_ns)

    def root(self) -> bytes:
        """Return the state root, 32 bytes."""
        return self._kernel.root()

    def unhashed(self) -> tuple[int, int]:
        """Return how many words changed since the last root, and how many nodes it will hash."""
        return self._kernel.unhashed()

    def arena_roots(self) -> list[bytes]:
        """Return the leaves of the top tree, for proofs."""
        return self._kernel.arena_roots()

    def read(self, arena: ArenaId, slot: int) -> bytes:
        """Return the words of one record; zeros for a slot never used.

        Raises ValueError when the arena has no such slot.
        """
        return self._kernel.read(arena, slot)

    def below_maintenance(self) -> list["Standing"]:
        """Return the accounts that have less than they must keep, by number.

        One pass over all accounts; the interpreter's lock is released. What it finds
        is a hint: a Liquidate is judged by the state machine again.
        """
        return [Standing(*row) for row in self._kernel.below_maintenance()]

    def look(
        self, now_ns: int = 0, most: int = MOST, passed_over: Collection[int] = ()
    ) -> Findings:
        """Return the steps that would be applied now, at most so many, the worst first.

        A Liquidate names the leg that relieves most per cost, none if only orders are to end. Those
        come first that go on with what has begun and halts a book. There is none while an account
        cools down, if it has nothing that can be closed, or for those passed over. The state may go
        on meanwhile: this waits, a few accounts at a time.
        """
        duties, below, next_ns = self._kernel.look(now_ns, most, list(passed_over))
        return Findings([_step(*duty) for duty in duties], below, next_ns)

    def unbacked(self) -> list[Liquidate]:
        """Return a Liquidate for every account whose orders initial margin does not back."""
        return [Liquidate(account) for account in self._kernel.unbacked()]

    def debts(self) -> list[DebtStep]:
        """Return a step for every account whose tokens are to be sold, or are not any more, and
        for every one that would owe more if its losses were settled.
        """
        return [
            StartConversion(account) if is_conversion else SettleVariation(account)
            for account, is_conversion in self._kernel.debts()
        ]

    def standings(self) -> list["Standing"]:
        """Return what every account has and what it must keep, by number."""
        return [Standing(*row) for row in self._kernel.standings()[1:]]

    def margin(self, account: int, changes: ChangesAsked = NO_CHANGES_ASKED) -> MarginReport:
        """Return what an account owns and needs, with changes at their marks.

        Raises QuestionInvalid.
        """
        rows = [
            (instrument, c.lots, c.buys, c.sells, c.reserve_atoms)
            for instrument, c in changes.items()
        ]
        try:
            mode, amounts, underlyings = self._kernel.margin(account, rows)
        except (ValueError, OverflowError):
            raise QuestionInvalid from None
        reports = tuple(
            UnderlyingReport(number, column, loss, is_stale, tuple(map(ExpiryReport._make, rows)))
            for number, column, loss, is_stale, rows in underlyings
        )
        return MarginReport._make((account, mode, *amounts, reports))

    def snapshot(self) -> bytes:
        """Return the state written out, under its root."""
        return self._kernel.snapshot()


def keccak_blocks(data: bytes) -> bytes:
    """Return the joined digests of joined blocks of 64 bytes, by the kernel's keccak.

    Raises ValueError for a part of a block.
    """
    return _native.keccak256_blocks(data)


def _step(tag: int, account: int, instrument: int) -> Step:
    match Tag(tag):
        case Tag.LIQUIDATE:
            return Liquidate(account, instrument)
        case Tag.START_AUCTION:
            return StartAuction(account)
        case Tag.DELEVERAGE:
            return Deleverage(account, instrument)
        case other:
            raise AssertionError(f"{other.name} is no step of liquidation")


def _results(outcomes: bytes, events: Sequence[bytes]) -> list[Result]:
    return [
        Result(OUTCOMES[outcomes[2 * index : 2 * index + 2]], raised)
        for index, raised in enumerate(events)
    ]
