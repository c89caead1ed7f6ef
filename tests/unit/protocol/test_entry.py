"""The bytes of entries: what is written reads back, and nothing else reads at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.strategies import EXAMPLES, FEW_EXAMPLES

from proofbook.protocol import entry as entry_module
from proofbook.protocol.commands import (
    COMMANDS,
    Amend,
    Command,
    ForwardCurve,
    IndexPrice,
    Malformed,
    TraderCommand,
    UnreadableRequest,
    VolSurface,
)
from proofbook.protocol.entry import (
    HEAD,
    LENGTH,
    TRADER_TAGS,
    UNSIGNED,
    Entry,
    command_bytes,
    entry_hash,
    own_class,
    split_entries,
)
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import (
    ENTRY_BYTES_MAX,
    EXPIRIES_PER_UNDERLYING_MAX,
    PUBLISHERS_MAX,
    InstrumentKind,
    Side,
    Tag,
)

SIGNED_FIELDS = HEAD.size + 1 + 1 + 64
PLAIN_FIELDS = HEAD.size + 1
PLACE_ENUMERATORS = {
    "side": (24, 2),
    "order_type": (25, 2),
    "time_in_force": (38, 4),
    "self_trade_prevention": (40, 4),
}
"""Where they stand among the fields, and how many members they have from 0 on."""

PLACE_FLAGS = 39
LIST_KIND = 4

every_command = pytest.mark.parametrize(
    "kind", list(strategies.COMMANDS), ids=lambda kind: kind.__name__
)


def relengthened(data: bytes) -> bytes:
    """Correct an entry's length, so that only what follows it can be wrong."""
    return LENGTH.pack(len(data) - LENGTH.size) + data[LENGTH.size :]


def with_byte(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + bytes((value,)) + data[offset + 1 :]


def refuses(data: bytes) -> bool:
    """Whether the bytes hold no command; a request that is none is an entry all the same."""
    try:
        return isinstance(Entry.decode(data).command, UnreadableRequest)
    except Malformed:
        return True


def test_every_command_has_a_strategy_and_a_tag_of_its_own() -> None:
    assert set(strategies.COMMANDS) == set(COMMANDS.values())
    assert set(COMMANDS) == set(Tag)


@every_command
@EXAMPLES
@given(data=st.data())
def test_entry_reads_back_as_written(kind: type[Command], data: st.DataObject) -> None:
    entry = data.draw(strategies.entries(strategies.COMMANDS[kind]))
    encoded = entry.encode()
    assert Entry.decode(encoded) == entry
    assert len(encoded) == LENGTH.unpack_from(encoded)[0] + LENGTH.size <= ENTRY_BYTES_MAX
    assert encoded[HEAD.size] == kind.TAG, "the tag follows the stamp"


@every_command
@FEW_EXAMPLES
@given(data=st.data())
def test_every_truncation_is_refused(kind: type[Command], data: st.DataObject) -> None:
    encoded = data.draw(strategies.entries(strategies.COMMANDS[kind])).encode()
    for size in {*range(min(len(encoded), 200)), len(encoded) - 1}:
        cut = encoded[:size]
        assert refuses(cut), f"{size} of {len(encoded)} bytes"
        if size >= LENGTH.size:
            assert refuses(relengthened(cut)), f"{size} bytes, length corrected"


@every_command
@FEW_EXAMPLES
@given(data=st.data(), tail=st.binary(min_size=1, max_size=80))
def test_every_trailing_byte_is_refused(
    kind: type[Command], data: st.DataObject, tail: bytes
) -> None:
    encoded = data.draw(strategies.entries(strategies.COMMANDS[kind])).encode()
    assert refuses(encoded + tail)
    assert refuses(relengthened(encoded + tail))


@every_command
@FEW_EXAMPLES
@given(data=st.data(), difference=st.integers(1, 0xFFFF))
def test_every_wrong_length_is_refused(
    kind: type[Command], data: st.DataObject, difference: int
) -> None:
    encoded = data.draw(strategies.entries(strategies.COMMANDS[kind])).encode()
    length = LENGTH.unpack_from(encoded)[0] + difference & 0xFFFF
    assert refuses(LENGTH.pack(length) + encoded[LENGTH.size :])


@pytest.mark.parametrize("tag", sorted(set(range(256)) - set(Tag)))
def test_every_unknown_tag_is_refused(tag: int) -> None:
    for body in (bytes(4), bytes(200), bytes(1_000)):
        assert refuses(relengthened(bytes(HEAD.size) + bytes((tag,)) + body))


@FEW_EXAMPLES
@given(strategies.entries(strategies.places))
def test_every_unknown_enumerator_of_an_order_is_refused(entry: Entry) -> None:
    encoded = entry.encode()
    for name, (offset, members) in PLACE_ENUMERATORS.items():
        for value in range(256):
            spoiled = with_byte(encoded, SIGNED_FIELDS + offset, value)
            assert refuses(spoiled) == (value >= members), f"{name} {value}"


@FEW_EXAMPLES
@given(strategies.entries(strategies.places))
def test_every_reserved_flag_is_refused(entry: Entry) -> None:
    encoded = entry.encode()
    for flags in range(256):
        is_known = flags & ~2 in (0, 1, 5)
        assert refuses(with_byte(encoded, SIGNED_FIELDS + PLACE_FLAGS, flags)) != is_known


@FEW_EXAMPLES
@given(strategies.entries(strategies.listings))
def test_every_unknown_kind_is_refused(entry: Entry) -> None:
    encoded = entry.encode()
    for kind in range(256):
        is_known = kind in set(InstrumentKind)
        assert refuses(with_byte(encoded, PLAIN_FIELDS + LIST_KIND, kind)) != is_known


@EXAMPLES
@given(st.sampled_from((IndexPrice, VolSurface, ForwardCurve)), st.data())
def test_publishers_that_do_not_ascend_are_refused(
    kind: type[IndexPrice | VolSurface | ForwardCurve], data: st.DataObject
) -> None:
    command = data.draw(strategies.COMMANDS[kind])
    name = "signatures" if kind is VolSurface else "observations"
    rows = list(getattr(command, name))[:4]
    if not rows:
        return
    repeated = data.draw(st.permutations([*rows, data.draw(st.sampled_from(rows))]))
    spoiled = replace(command, **{name: tuple(repeated)})
    assert refuses(Entry(1, 1, spoiled).encode()), "a publisher named twice"
    if len(rows) > 1:
        spoiled = replace(command, **{name: tuple(reversed(rows))})
        assert refuses(Entry(1, 1, spoiled).encode()), "publishers out of order"


@pytest.mark.parametrize(
    ("tag", "before", "limit", "item"),
    [
        (Tag.INDEX_PRICE, b"", PUBLISHERS_MAX, 73),
        (Tag.FORWARD_CURVE, b"", EXPIRIES_PER_UNDERLYING_MAX, 8),
        (Tag.FORWARD_CURVE, b"\x00", PUBLISHERS_MAX, 65),
        (Tag.VOL_SURFACE, b"", EXPIRIES_PER_UNDERLYING_MAX, 48),
        (Tag.VOL_SURFACE, b"\x00", PUBLISHERS_MAX, 65),
    ],
)
def test_lists_over_their_limit_are_refused(tag: Tag, before: bytes, limit: int, item: int) -> None:
    """Only the count is wrong: all items are there, and their publishers ascend."""
    head = bytes(HEAD.size) + bytes((tag,)) + bytes(12) + before
    for count, is_refused in ((limit, False), (limit + 1, True)):
        items = b"".join(bytes((place,)) + bytes(item - 1) for place in range(count))
        has_second_list = tag != Tag.INDEX_PRICE and not before
        data = head + bytes((count,)) + items + (b"\x00" if has_second_list else b"")
        assert len(data) <= ENTRY_BYTES_MAX
        assert refuses(relengthened(data)) == is_refused, f"{count} items"


@EXAMPLES
@given(st.integers(1, 400))
def test_entry_above_the_limit_of_bytes_is_refused(excess: int) -> None:
    assert refuses(relengthened(bytes(ENTRY_BYTES_MAX + excess)))


random_bytes = st.binary(min_size=LENGTH.size, max_size=300)


@st.composite
def spoiled_entries(draw: st.DrawFn) -> bytes:
    """Draw an entry with some bytes changed and its length corrected."""
    data = bytearray(draw(strategies.entries()).encode())
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(LENGTH.size, min(len(data), 120) - 1))] = draw(strategies.U8)
    return relengthened(bytes(data) + draw(st.binary(max_size=2)))


@EXAMPLES
@given(st.one_of(spoiled_entries(), random_bytes, random_bytes.map(lambda d: relengthened(d * 2))))
def test_bytes_are_malformed_or_encode_to_themselves(data: bytes) -> None:
    try:
        entry = Entry.decode(data)
    except Malformed:
        return
    assert entry.encode() == data


@EXAMPLES
@given(st.lists(strategies.entries(), max_size=6))
def test_entries_are_split_as_they_were_joined(entries: list[Entry]) -> None:
    encoded = [entry.encode() for entry in entries]
    assert split_entries(b"".join(encoded)) == encoded


@EXAMPLES
@given(st.lists(strategies.entries(), min_size=1, max_size=3), st.data())
def test_broken_end_of_joined_entries_is_refused(entries: list[Entry], data: st.DataObject) -> None:
    encoded = [entry.encode() for entry in entries]
    cut = data.draw(st.integers(1, len(encoded[-1]) - 1))
    with pytest.raises(Malformed):
        split_entries(b"".join(encoded)[:-cut])


@EXAMPLES
@given(strategies.entries())
def test_hash_covers_the_length(entry: Entry) -> None:
    assert entry_hash(entry.encode()) == keccak(entry.encode())


@EXAMPLES
@given(strategies.commands)
def test_request_is_the_command_without_its_stamp(command: Command) -> None:
    data = Entry(5, 5, command).encode()[HEAD.size :]
    assert command_bytes(command) == data
    assert (UNSIGNED in data) or command.TAG not in TRADER_TAGS


@EXAMPLES
@given(strategies.commands)
def test_class_follows_from_the_command(command: Command) -> None:
    is_signed = isinstance(command, TraderCommand)
    lets_orders_trade = command.TAG in (Tag.FIRE_TRIGGER, Tag.UNCROSS, Tag.LIQUIDATE)
    is_taker = is_signed or lets_orders_trade
    expected = entry_module.CLASS_TAKER if is_taker else entry_module.CLASS_SYSTEM
    keeps_place = isinstance(command, Amend) and command.price_ticks == 0
    if command.TAG in (Tag.CANCEL, Tag.CANCEL_ALL, Tag.CANCEL_TRIGGER) or keeps_place:
        expected = entry_module.CLASS_CANCEL
    if is_signed and getattr(command, "post_only", False):
        expected = entry_module.CLASS_POST_ONLY
    assert own_class(command) == expected


def test_a_known_order_has_known_bytes() -> None:
    """Written out by hand from the table of the reference."""
    command = strategies.Place(
        0x01020304, 5, 6, 0x00010002, Side.SELL, 7, 8,
        post_only=True, max_fee_ppm=9, label=b"abcdefgh",
    )  # fmt: skip
    fields = (
        "04030201" + "0500000000000000" + "0600000000000000" + "02000100" + "01" + "00" + "07000000"
        + "0800000000000000" + "00" + "01" + "00" + "0000" + "09000000" + "6162636465666768"
    )  # fmt: skip
    signature = bytes(range(64))
    stamp = "8900" + "0b00000000000000" + "0a00000000000000"
    expected = bytes.fromhex(stamp + "10" + "03") + signature + bytes.fromhex(fields)
    assert Entry(11, 10, command, 3, signature).encode().hex() == expected.hex()


@EXAMPLES
@given(st.integers(0, 15), st.binary(max_size=60), strategies.U64, strategies.U64)
def test_a_request_of_any_bytes_is_an_entry(
    tag: int, rest: bytes, window_ns: int, received_ns: int
) -> None:
    """The chain has taken it up: it must be consumed, whatever it is."""
    body = bytes((tag,)) + rest
    data = HEAD.pack(HEAD.size - LENGTH.size + len(body), window_ns, received_ns) + body
    entry = Entry.decode(data)
    assert entry.encode() == data
    assert own_class(entry.command) == entry_module.CLASS_SYSTEM
