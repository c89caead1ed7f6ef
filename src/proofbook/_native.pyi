"""The extension module in Rust: doors without logic. Only the door modules import it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self, final

import numpy as np
from numpy.typing import NDArray

def keccak256(data: bytes) -> bytes:
    """Return the keccak-256 digest of the bytes."""

def keccak256_blocks(data: bytes) -> bytes:
    """Return the joined digests of joined blocks of 64 bytes. Raises ValueError for a part of one.

    Releases the interpreter's lock.
    """

@final
class ReceiptGroup:
    """The receipts of a group that is on disk, not signed yet."""

    def __init__(
        self,
        shared: tuple[int, int, int, int],
        entry_hashes: bytes,
        chain_hashes: bytes,
        received_ns: Sequence[int],
        outcomes: bytes,
    ) -> None:
        """Build the tree. Of all: epoch, first seq, window, promise; hashes and outcomes joined.

        Raises ValueError for none, or rows that do not fit.
        """

    @property
    def root(self) -> bytes: ...
    def signed(self, signature: bytes) -> list[SignedReceipt]:
        """Return all receipts, under a signature. Raises ValueError for one of another length."""

@final
class SignedReceipt:
    """One receipt of a signed group."""

    @property
    def seq(self) -> int: ...
    def json(self, name: str) -> str:
        """Return the receipt as the interface writes it; `name` is its outcome's."""

    def members(self) -> tuple[bytes, bytes, int, int, int, list[bytes]]:
        """Return hash, chain hash, time of receipt, kind and reason of the outcome, and path."""

    def shared(self) -> tuple[int, int, int, int, int, bytes, bytes]:
        """Return epoch, first seq, window, promise, count, root and signature of its group."""

@final
class Ordinary:
    """A signed method that was read off its JSON: `place`, `quote`, `cancel` or `cancel_all`.

    `instrument`: that of an order. `rows`: instrument and side of quotes, in the order in which
    they came. `body`: the command as it stands in an entry, from its tag on.
    """

    @property
    def id(self) -> int: ...
    @property
    def tag(self) -> int: ...
    @property
    def instrument(self) -> int: ...
    @property
    def rows(self) -> list[tuple[int, int]]: ...
    @property
    def body(self) -> bytes: ...
    def answer(self, events: bytes, receipt: str, us_in: int, us_out: int) -> bytes | None:
        """Return the whole answer once the command is applied; None if an event is unknown.

        `receipt`: its JSON.
        """

@final
class OrdinaryRequests:
    """Reads ordinary requests of the instruments that it was told of."""

    def __init__(self, sizes: bytes, removals: Sequence[str], rejects: Sequence[str]) -> None:
        """Know no instrument yet, but how many bytes events have after each tag, 0: there is none;
        and by number, the names of removals and of rejections.

        Raises ValueError for fewer or more sizes than 256.
        """

    def put(self, name: str, number: int, tick_atoms: int, lot_nanos: int) -> None:
        """Take up an instrument, or what has changed of it."""

    def drop(self, name: str) -> None:
        """Forget an instrument."""

    def read(self, frame: bytes) -> Ordinary | None:
        """Return what an ordinary request asks; None for any other."""

def evaluate_options(inputs: Sequence[NDArray[np.float64]], output: NDArray[np.float64]) -> None:
    """Evaluate options: arrays of forward, strike, volatility, years and sign in; rows of price,
    delta, gamma, vega and theta out. All are contiguous float64.

    Raises ValueError for arrays of other lengths, and for numbers that no option has.
    """

def recover_batch(digests: bytes, signatures: bytes) -> list[bytes | None]:
    """Return the address behind each signature, or None.

    Digests are joined 32-byte words, signatures joined 64-byte ones (EIP-2098).
    Releases the interpreter's lock. Raises ValueError when the lengths do not fit.
    """

def sign(digest: bytes, secret: bytes) -> bytes:
    """Sign a digest: 64 bytes (EIP-2098). Raises ValueError when the secret is out of range."""

def address_of_secret(secret: bytes) -> bytes:
    """Return the address of a secret's key. Raises ValueError when the secret is out of range."""

class JournalError(Exception):
    """A fault of the journal: message, kind and operands by name."""

    args: tuple[str, str, dict[str, object]]  # pyright: ignore[reportIncompatibleVariableOverride]

@final
class Completed:
    """A group that became durable, or can no longer become so: then `error` is set."""

    @property
    def first_seq(self) -> int: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def sync_ns(self) -> int: ...
    @property
    def chain_hash_before(self) -> bytes: ...
    @property
    def entry_hashes(self) -> bytes: ...
    @property
    def chain_hashes(self) -> bytes: ...
    @property
    def error(self) -> JournalError | None: ...

@final
class Journal:
    """The write-ahead journal of a folder; one writer."""

    def __new__(cls, folder: Path, *, segment_bytes: int, groups_waiting_max: int) -> Self: ...
    def append(self, entries: bytes, expected_seq: int, mark: bytes) -> tuple[int, int]:
        """Send entries and a mark of 16 bytes to the disk; return the first and last number."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while completed groups wait."""

    def drain(self) -> list[Completed]:
        """Take the groups completed since the last call, in order."""

    def read(self, from_seq: int, entries_max: int) -> bytes:
        """Return durable entries from a number on, one after the other."""

    def group(self, seq: int) -> tuple[int, bytes, bytes, bytes] | None:
        """Return first number, mark, chain hash before and entries of an entry's group."""

    def sizes(self) -> list[tuple[int, int]]:
        """Return the last number of some neighbouring groups each, and their entries' bytes."""

    @property
    def next_seq(self) -> int: ...
    def tail(self) -> tuple[int, bytes]:
        """Return the number of the last durable entry and the chain hash after it."""

    def torn(self) -> tuple[Path, int, int, int] | None:
        """Return file, offset, bytes and first number of what opening has found torn."""

    def close(self) -> None:
        """Write what waits, stop the thread and let another writer in."""

@final
class Tape:
    """Keeps the last of what entries told that `Kernel.replay` has executed."""

    def __new__(
        cls,
        sizes: bytes,
        uses: bytes,
        told: int,
        trades: int,
        results: int,
        result_bytes: int,
    ) -> Self:
        """Keep at most so many of each; 256 sizes and uses, those of events by tag."""

    def take_told(self) -> list[tuple[int, int, int, bytes]]:
        """Take out the last events that accounts are told of, oldest first."""

    def take_trades(self) -> list[tuple[int, int, int, bytes]]:
        """Take out the last trades of each instrument, oldest first."""

    def take_results(self) -> list[tuple[int, int, bytes]]:
        """Take out the last results, oldest first."""

    @property
    def window_ns(self) -> int: ...

@final
class Kernel:
    """The state machine. A broken invariant in it ends the process."""

    def __new__(
        cls,
        genesis: bytes,
        chain_id: int,
        contract: bytes,
        *,
        store: Literal["cached", "plain", "witness"],
    ) -> Self:
        """Return state 0. Raises ValueError when the bytes are no canonical genesis."""

    @staticmethod
    def restore(data: bytes, *, store: Literal["cached", "plain", "witness"]) -> Kernel:
        """Return the state of a snapshot.

        Raises ValueError: with a message when the bytes are no snapshot; with message, root named
        and root computed when the two differ.
        """

    def apply(self, entries: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
        """Apply whole entries: two bytes of outcome for each, joined, and each one's events.

        Signatures are recovered on all threads; the interpreter's lock is released.
        """

    def apply_unless_void(self, entries: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
        """Apply whole entries, but those that would be void: they leave no trace."""

    def apply_recovered(self, entries: bytes, signers: bytes) -> tuple[bytes, bytes, bytes]:
        """Apply joined entries whose signers are given.

        Returns two bytes of outcome for each, where its events end as four bytes, and the events.
        Raises ValueError when entries or rows of signers are cut off.
        """

    def replay_recovered(self, entries: bytes, signers: bytes) -> list[int]:
        """Apply joined entries whose signers are given: how many were applied, rejected, void."""

    def replay(
        self, entries: bytes, first: int, tape: Tape, *, is_sealed: bool
    ) -> tuple[int, list[tuple[int, int, int, bytes]]]:
        """Apply joined entries from a place on, as far as the next release; return the place where
        it stopped, and the events that are handed on. Sealed: no signature is recovered.

        Raises ValueError when an entry is cut off.
        """

    def resting_orders(
        self,
    ) -> tuple[
        list[tuple[int, int, int, int, int, int, bytes, int, int, int]], list[tuple[int, int]]
    ]:
        """Return the resting orders that can trade, and account and number of those that cannot."""

    def admits(self, command: bytes, now_ns: int) -> bool:
        """Return whether a command, from its tag on, is good at a time for certain: account,
        session, expiry, nonce, scope and signature. A signature found good is not recovered again.
        """

    def are_fresh(self, commands: Sequence[bytes], window_ns: int) -> bool:
        """Return whether commands, from their tags on, in order of receipt, are all good for
        certain in a window that closes at a time.
        """

    def root(self) -> bytes:
        """Return the state root."""

    def unhashed(self) -> tuple[int, int]:
        """Return how many words changed since the last root, and how many nodes it will hash."""

    def arena_roots(self) -> list[bytes]:
        """Return the roots of the arenas by number: the leaves of the top tree."""

    @property
    def seq(self) -> int: ...
    def read(self, arena: int, slot: int) -> bytes:
        """Return the words of one record. Raises ValueError when there is no such slot."""

    def below_maintenance(self) -> list[tuple[int, int, int, int]]:
        """Return the accounts that have less than they must keep: number; equity, what stale legs
        may add to it, and maintenance margin, in atoms.
        """

    def look(
        self, now_ns: int, most: int, passed_over: list[int]
    ) -> tuple[list[tuple[int, int, int]], int, int]:
        """Return tag, account and leg of the commands that would be applied now: those that go on
        with what has begun, then for the worst covered account first; how many accounts are below
        maintenance margin; and when the first of those that cool down may be looked at again, 0 if
        none does.
        """

    def unbacked(self) -> list[int]:
        """Return the accounts whose orders initial margin does not back."""

    def debts(self) -> list[tuple[int, bool]]:
        """Return what may be done about accounts that owe: their numbers, and whether it is a
        StartConversion and not a SettleVariation.
        """

    def standings(self) -> list[tuple[int, int, int, int]]:
        """Return the same of all accounts, by number from 0."""

    def margin(
        self, account: int, changes: Sequence[tuple[int, int, int, int, int]]
    ) -> tuple[int, list[int], list[tuple[int, int, int, bool, list[tuple[int, int, int, int]]]]]:
        """Return mode, amounts and underlyings of a margin report.

        A change is instrument, lots, buys, sells, reserve. Raises ValueError for what is not there.
        """

    def snapshot(self) -> bytes:
        """Return the arenas written out, under their root."""
