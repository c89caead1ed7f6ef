"""Canonical bytes: a reader that takes them apart, and what all commands share."""

from collections.abc import Callable
from dataclasses import fields
from enum import IntEnum
from functools import cache
from itertools import pairwise
from operator import attrgetter
from struct import Struct
from typing import Any, ClassVar, Self, TypeVar, get_type_hints

from proofbook.protocol.limits import Tag

SIGNATURE_BYTES = 64

Member = TypeVar("Member", bound=IntEnum)


class Malformed(ValueError):
    """Bytes that are not the canonical encoding of any entry."""


class Reader:
    """Takes fields off the front of some bytes."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset = offset

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes. Raises Malformed at the end."""
        piece = self.data[self.offset : self.offset + size]
        if len(piece) != size:
            raise Malformed(f"{size} bytes wanted at {self.offset}, {len(piece)} left")
        self.offset += size
        return piece

    def unpack(self, layout: Struct) -> tuple[int, ...]:
        return layout.unpack(self.take(layout.size))

    def count(self, limit: int) -> int:
        """Return a list's length byte. Raises Malformed above its limit."""
        count = self.take(1)[0]
        if count > limit:
            raise Malformed(f"list of {count}, at most {limit}")
        return count


class Command:
    """A command whose bytes are one fixed layout, a number or some bytes per field, in order.

    Others say themselves how their lists are written.
    """

    __slots__ = ()
    TAG: ClassVar[Tag]
    LAYOUT: ClassVar[Struct]

    def body(self) -> bytes:
        """Return the fields' bytes."""
        return self.LAYOUT.pack(*field_getter(type(self))(self))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return the command that stands next. Raises Malformed."""
        values = list(cls.LAYOUT.unpack(reader.take(cls.LAYOUT.size)))
        for place, enum in enumerated_fields(cls):
            values[place] = member(enum, values[place])
        for place in boolean_fields(cls):
            values[place] = boolean(values[place])
        return cls(*values)


class TraderCommand(Command):
    """A command that a trader signs; it begins with account, nonce and expiry."""

    __slots__ = ()
    account: int
    nonce: int
    expires_ns: int


@cache
def field_getter(command_type: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads all fields of a command at once."""
    names = [field.name for field in fields(command_type)]
    if len(names) == 1:
        read_one = attrgetter(names[0])
        return lambda command: (read_one(command),)
    return attrgetter(*names)


@cache
def enumerated_fields(command_type: Any) -> tuple[tuple[int, type[IntEnum]], ...]:
    """Return place and enumeration of the fields that are members of one."""
    kinds = enumerate(field_kinds(command_type))
    return tuple((place, kind) for place, kind in kinds if issubclass(kind, IntEnum))


@cache
def boolean_fields(command_type: Any) -> tuple[int, ...]:
    """Return the places of the fields that are 0 or 1."""
    return tuple(place for place, kind in enumerate(field_kinds(command_type)) if kind is bool)


def field_kinds(command_type: Any) -> list[type[Any]]:
    """Return the types of all fields, in order."""
    hints = get_type_hints(command_type)
    return [hints[field.name] for field in fields(command_type)]


def member(enum: type[Member], number: int) -> Member:
    """Return the member of a closed enumeration.

    Raises Malformed for a number that it does not have.
    """
    try:
        return enum(number)
    except ValueError:
        raise Malformed(f"{number} is no {enum.__name__}") from None


def boolean(number: int) -> bool:
    """Return 0 or 1 as a truth. Raises Malformed for any other number."""
    if number > 1:
        raise Malformed(f"{number} is neither 0 nor 1")
    return bool(number)


def require_ascending(publishers: list[int]) -> None:
    """Refuse a publisher named twice or out of order. Raises Malformed."""
    if any(before >= after for before, after in pairwise(publishers)):
        raise Malformed(f"publishers {publishers} are not ascending")
