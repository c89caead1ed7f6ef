"""The records: every field stands where protocol.toml puts it, and packing loses nothing."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, exactly, signed, unsigned
from tools.generate import SOURCE, Field, camel, parse_record

from proofbook.protocol.records import RECORDS, Record

PROTOCOL = tomllib.loads(Path(SOURCE).read_text())
LAYOUTS = {
    f"{camel(name)}Record": parse_record(name, table, PROTOCOL["parameters"])
    for name, table in PROTOCOL["records"].items()
}
WORD_BYTES = 32

every_record = pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)


def item_strategy(field: Field) -> st.SearchStrategy[Any]:
    bits = 8 * field.item_bytes
    if field.kind.startswith("bytes"):
        return exactly(field.item_bytes)
    return signed(bits) if field.kind.startswith("i") else unsigned(bits)


def item_bytes(field: Field, item: Any) -> bytes:
    """Return one item as the table describes it, without the record's own code."""
    if isinstance(item, bytes):
        return item
    return item.to_bytes(field.item_bytes, "little", signed=field.kind.startswith("i"))


@st.composite
def filled(draw: st.DrawFn, kind: type[Record]) -> Record:
    record = kind()
    for field in LAYOUTS[kind.__name__].fields:
        if not field.is_reserved:
            items = [draw(item_strategy(field)) for _ in range(field.count)]
            setattr(record, field.name, items if field.count > 1 else items[0])
    return record


def values(record: Record) -> list[Any]:
    return [getattr(record, name) for name in type(record).__slots__]


def test_every_layout_has_a_record() -> None:
    assert {kind.__name__ for kind in RECORDS} == set(LAYOUTS)


@every_record
def test_record_is_a_power_of_two_of_words(kind: type[Record]) -> None:
    layout = LAYOUTS[kind.__name__]
    assert layout.words == kind.WORDS and kind.WORDS & kind.WORDS - 1 == 0
    assert layout.capacity_log2 == kind.CAPACITY_LOG2
    assert len(kind().pack()) == kind.WORDS * WORD_BYTES


@every_record
def test_new_record_is_all_zeros(kind: type[Record]) -> None:
    assert kind().pack() == bytes(kind.WORDS * WORD_BYTES)


@every_record
@EXAMPLES
@given(data=st.data())
def test_record_reads_back_as_packed(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(filled(kind))
    read = kind.unpack(record.pack())
    assert values(read) == values(record)
    assert read.pack() == record.pack()


@every_record
@EXAMPLES
@given(data=st.data())
def test_fields_stand_where_the_table_puts_them(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(filled(kind))
    expected = bytearray(kind.WORDS * WORD_BYTES)
    for field in LAYOUTS[kind.__name__].fields:
        if field.is_reserved:
            continue
        value = getattr(record, field.name)
        items = value if field.count > 1 else [value]
        piece = b"".join(item_bytes(field, item) for item in items)
        expected[field.offset : field.offset + len(piece)] = piece
    assert record.pack() == bytes(expected)


@every_record
def test_two_records_share_no_list(kind: type[Record]) -> None:
    first, second = kind(), kind()
    for name in kind.__slots__:
        if isinstance(getattr(first, name), list):
            assert getattr(first, name) is not getattr(second, name), name
