"""Receipts in a file, a line of JSON each, with the command that each is of and who signed it.

Enough to hold the sequencer to its word from the chain alone, long after the venue is gone.
"""

import os
from collections.abc import Iterator
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
            self._end_torn_line()
        except OSError as error:
            raise ReceiptFileFault(path, error.strerror or str(error)) from None

    def keep(
        self, chain_id: int, contract: str, sequencer: bytes, body: bytes, receipt: Receipt
    ) -> None:
        """Write a receipt down. Raises ReceiptFileFault."""
        row = Kept(chain_id, contract, hex_text(sequencer), hex_text(body), receipt_reply(receipt))
        line = msgspec.json.encode(row) + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise ReceiptFileFault(self.path, error.strerror or str(error)) from None
        if written != len(line):
            raise ReceiptFileFault(self.path, f"{written} of {len(line)} bytes could be written")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _end_torn_line(self) -> None:
        """Begin a new line after one that was cut short."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")


def read_receipts(path: Path) -> Iterator[Kept]:
    """Yield what a file holds; lines that were cut short are passed over.

    Raises ReceiptFileFault, as well for a file with lines and no receipt among them.
    """
    decode = msgspec.json.Decoder(Kept).decode
    number = count = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield decode(line)
                    count += 1
                except msgspec.ValidationError as error:
                    raise ReceiptFileFault(path, f"line {number}: {error}") from None
                except msgspec.DecodeError:
                    continue  # a write that was cut short
    except OSError as error:
        raise ReceiptFileFault(path, error.strerror or str(error)) from None
    if number and not count:
        raise ReceiptFileFault(path, f"{number} lines, and no receipt among them")
