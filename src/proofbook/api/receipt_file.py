"""Receipts in a file, a line of JSON each, with the command that each is of and who signed it.

Enough to hold the sequencer to its word from the chain alone, long after the venue is gone.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path

import msgspec

from proofbook.api.convert import from_hex, hex_text, receipt_from_reply, receipt_reply
from proofbook.api.receipts import Receipt
from proofbook.api.schema import ReceiptReply


class ReceiptFileFault(Exception):
    """The file cannot be written, read or understood. Operands: path, reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"receipts in {path}: {reason}")
        self.path = path
        self.reason = reason


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line: the domain and the signer that the client trusted, command bytes, the receipt."""

    chain_id: int
    contract: str
    sequencer: str
    command: str
    receipt: ReceiptReply

    def parsed(self) -> Receipt:
        """Return the receipt. Raises ValueError."""
        return receipt_from_reply(self.receipt)

    def body(self) -> bytes:
        """Return the command's bytes. Raises ValueError."""
        return from_hex(self.command)


class ReceiptFile:
    """A file that grows by a line for each receipt; what was written survives the process."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if there is none. Raises ReceiptFileFault."""
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ReceiptFileFault(path, error.strerror or str(error)) from None

    def keep(
        self, chain_id: int, contract: str, sequencer: bytes, body: bytes, receipt: Receipt
    ) -> None:
        """Write a receipt down, wholly or not at all. Raises ReceiptFileFault."""
        row = Kept(chain_id, contract, hex_text(sequencer), hex_text(body), receipt_reply(receipt))
        line = msgspec.json.encode(row) + b"\n"
        try:
            flock(self._file, LOCK_EX)  # other programs may keep theirs in the same file
            try:
                self._append(line)
            finally:
                flock(self._file, LOCK_UN)
        except OSError as error:
            raise ReceiptFileFault(self.path, error.strerror or str(error)) from None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _append(self, line: bytes) -> None:
        """Write a line, on a new one where the last was cut short; take back a part of one."""
        status = os.fstat(self._file)
        if not status.st_nlink:
            raise ReceiptFileFault(self.path, "the file was removed, and what is written is lost")
        size = status.st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = os.write(self._file, line)
        if written != len(line):
            with suppress(OSError):  # what cannot be taken back is passed over by who reads
                os.ftruncate(self._file, size)
            raise ReceiptFileFault(self.path, f"{written} of {len(line)} bytes could be written")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no receipt: cut short, changed, or something else."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class KeptReceipts:
    """What a file holds: receipts in their order, and the lines that are none."""

    rows: list[Kept]
    unreadable: list[Unreadable]

    def __iter__(self) -> Iterator[Kept]:
        return iter(self.rows)


def read_receipts(path: Path) -> KeptReceipts:
    """Return what a file holds; a line that is no receipt spoils no other.

    Raises ReceiptFileFault, as well for a file with lines and no receipt among them.
    """
    kept = KeptReceipts([], [])
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    kept.rows.append(_readable(line))
                except (msgspec.DecodeError, RecursionError, ValueError) as fault:
                    kept.unreadable.append(Unreadable(number, str(fault)))
    except OSError as error:
        raise ReceiptFileFault(path, error.strerror or str(error)) from None
    if kept.unreadable and not kept.rows:
        first = kept.unreadable[0]
        words = f"{len(kept.unreadable)} lines, and no receipt among them"
        raise ReceiptFileFault(path, f"{words}; line {first.number}: {first.reason}")
    return kept


_decode = msgspec.json.Decoder(Kept).decode


def _readable(line: bytes) -> Kept:
    """Return a line whose hexadecimal is some. Raises DecodeError, RecursionError, ValueError."""
    row = _decode(line)
    try:
        row.parsed()
        row.body()
        from_hex(row.sequencer)
    except ValueError as fault:
        raise ValueError(f"receipt of seq {row.receipt.seq}: {fault}") from None
    return row
