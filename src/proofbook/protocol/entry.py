"""An entry: the sequencer's stamp around a command, its bytes and its hash."""

from dataclasses import dataclass
from functools import cache
from struct import Struct

from proofbook.protocol.commands import (
    COMMANDS,
    POST_ONLY_FLAG,
    SIGNATURE_BYTES,
    Amend,
    Command,
    Malformed,
    Party,
    Place,
    QuoteBatch,
    Reader,
    TraderCommand,
    TwoPartyCommand,
    UnreadableRequest,
)
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import ENTRY_BYTES_MAX, Tag

HEAD = Struct("<HQQ")
LENGTH = Struct("<H")
UNSIGNED = bytes(SIGNATURE_BYTES)

INBOX_TAGS = range(0x10)
TRADER_TAGS = range(0x10, 0x40)

SIGNED_BYTES = 1 + 1 + SIGNATURE_BYTES
"""Before the fields of what a trader signs: tag, session, signature."""
PLACE_FLAGS_AT = SIGNED_BYTES + Struct("<IQQIBBIQB").size
QUOTES_AT = SIGNED_BYTES + QuoteBatch.HEAD.size
"""Where in a QuoteBatch it stands how many quotes it has."""

CLASS_SYSTEM, CLASS_CANCEL, CLASS_POST_ONLY, CLASS_TAKER = range(4)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command with window and moment of receipt; session and signature if a trader signed it."""

    window_ns: int
    received_ns: int
    command: Command
    session: int = 0
    signature: bytes = UNSIGNED

    def encode(self) -> bytes:
        """Return the canonical bytes, length first."""
        body = command_bytes(self.command, self.session, self.signature)
        return (
            HEAD.pack(HEAD.size - LENGTH.size + len(body), self.window_ns, self.received_ns) + body
        )

    @classmethod
    def decode(cls, data: bytes) -> "Entry":
        """Return the entry that exactly these bytes hold. Raises Malformed."""
        if len(data) > ENTRY_BYTES_MAX:
            raise Malformed(f"entry of {len(data)} bytes, at most {ENTRY_BYTES_MAX}")
        reader = Reader(data)
        length, window_ns, received_ns = reader.unpack(HEAD)
        if length != len(data) - LENGTH.size:
            raise Malformed(f"length says {length}, {len(data) - LENGTH.size} bytes follow")
        try:
            session, signature, command = read_whole_command(data[reader.offset :])
        except Malformed:
            if len(data) == reader.offset or data[reader.offset] not in INBOX_TAGS:
                raise
            return cls(window_ns, received_ns, UnreadableRequest(data[reader.offset :]))
        return cls(window_ns, received_ns, command, session, signature)


def command_bytes(command: Command, session: int = 0, signature: bytes = UNSIGNED) -> bytes:
    """Return tag and fields, with session and signature between them where a trader signs."""
    tag = bytes((command.TAG,))
    if isinstance(command, TraderCommand):
        return tag + bytes((session,)) + signature + command.body()
    return tag + command.body()


def read_whole_command(data: bytes) -> tuple[int, bytes, Command]:
    """Return session, signature and command that exactly these bytes hold. Raises Malformed."""
    reader = Reader(data)
    read = read_command(reader)
    if reader.offset != len(data):
        raise Malformed(f"{len(data) - reader.offset} bytes after the command")
    return read


def read_command(reader: Reader) -> tuple[int, bytes, Command]:
    """Return session, signature and command off the reader. Raises Malformed."""
    tag = reader.take(1)[0]
    command = COMMANDS.get(tag)
    if command is None:
        raise Malformed(f"no command has tag {tag:#x}")
    session, signature = 0, UNSIGNED
    if tag in TRADER_TAGS:
        session, signature = reader.take(1)[0], reader.take(SIGNATURE_BYTES)
    return session, signature, command.read(reader)


def entry_hash(data: bytes) -> bytes:
    """Return the hash that journal, receipts, data tree and disputes all use."""
    return keccak(data)


def split_entries(data: bytes) -> list[bytes]:
    """Return the entries that stand one after the other in some bytes.

    Raises Malformed at a broken end.
    """
    entries: list[bytes] = []
    offset = 0
    while offset < len(data):
        if offset + LENGTH.size > len(data):
            raise Malformed(f"length cut off at byte {offset}")
        end = offset + LENGTH.size + LENGTH.unpack_from(data, offset)[0]
        if end > len(data):
            raise Malformed(f"entry at byte {offset} ends at {end}, beyond {len(data)}")
        entries.append(data[offset:end])
        offset = end
    return entries


def own_class(command: Command) -> int:
    """Return the ordering class of a command by itself, a function of its bytes alone.

    What makes orders trade that rest is a taker's, whoever sends it: makers may cancel before it.
    """
    if isinstance(command, Place):
        return CLASS_POST_ONLY if command.post_only else CLASS_TAKER
    if isinstance(command, Amend):
        return CLASS_TAKER if command.price_ticks else CLASS_CANCEL
    return _class_of_kind(type(command))


@cache
def _class_of_kind(kind: type[Command]) -> int:
    """Return the class of all commands of a kind that is always of the same."""
    if kind.TAG in (Tag.FIRE_TRIGGER, Tag.UNCROSS, Tag.LIQUIDATE):
        return CLASS_TAKER
    if kind.TAG not in TRADER_TAGS:
        return CLASS_SYSTEM
    if kind.TAG in (Tag.CANCEL, Tag.CANCEL_ALL, Tag.CANCEL_TRIGGER):
        return CLASS_CANCEL
    return CLASS_POST_ONLY if kind.TAG == Tag.QUOTE_BATCH else CLASS_TAKER


def own_class_of_bytes(body: bytes) -> int:
    """Return what `own_class` does of a command in its canonical bytes, one that rests or trades in
    a book: Place, QuoteBatch, Cancel or CancelAll.
    """
    if body[0] == Tag.PLACE:
        return CLASS_POST_ONLY if body[PLACE_FLAGS_AT] & POST_ONLY_FLAG else CLASS_TAKER
    return _class_of_kind(COMMANDS[body[0]])


def parties(entry: Entry) -> tuple[Party, ...]:
    """Return who signs an entry's command, first the trader that brings it; nobody for others."""
    command = entry.command
    if not isinstance(command, TraderCommand):
        return ()
    first = Party(
        command.account, command.nonce, command.expires_ns,
        entry.session, entry.signature, command,
    )  # fmt: skip
    return (first, command.maker) if isinstance(command, TwoPartyCommand) else (first,)
