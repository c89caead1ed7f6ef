"""The bytes of events, outcomes and identifiers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.strategies import EXAMPLES, U32

from proofbook.protocol.events import Event, decode_events, encode_event
from proofbook.protocol.identifiers import instrument_id, instrument_slot, order_id, order_slot
from proofbook.protocol.limits import EventTag, OutcomeKind, Reject, Void
from proofbook.protocol.outcomes import APPLIED, Outcome

any_event: st.SearchStrategy[Any] = st.one_of(*strategies.EVENTS.values())


def test_every_event_has_a_tag_of_its_own() -> None:
    assert {kind.__name__.upper() for kind in strategies.EVENTS} == {
        tag.name.replace("_", "") for tag in EventTag
    }


@EXAMPLES
@given(st.lists(any_event, max_size=8))
def test_events_read_back_as_written(events: list[Event]) -> None:
    data = b"".join(encode_event(event) for event in events)
    read = list(decode_events(data))
    assert read == events
    assert [type(event) for event in read] == [type(event) for event in events]


@pytest.mark.parametrize("kind", list(strategies.EVENTS), ids=lambda kind: kind.__name__)
@EXAMPLES
@given(data=st.data())
def test_fields_stand_in_the_order_of_the_class(kind: type[Any], data: st.DataObject) -> None:
    event = data.draw(strategies.EVENTS[kind])
    encoded = encode_event(event)
    first = event[0].to_bytes(8, "little").rstrip(b"\0")
    assert encoded[1 : 1 + len(first)] == first
    if isinstance(event[-1], bytes):
        assert encoded.endswith(event[-1])


def test_unknown_event_is_a_broken_invariant() -> None:
    with pytest.raises(ValueError, match="99"):
        list(decode_events(b"\x63"))


@pytest.mark.parametrize(
    "outcome",
    [APPLIED, *map(Outcome.rejected, Reject), *map(Outcome.void, Void)],
    ids=lambda outcome: outcome.name,
)
def test_outcome_is_two_bytes_and_a_name(outcome: Outcome) -> None:
    assert Outcome.decode(outcome.encode()) == outcome
    assert len(outcome.encode()) == 2
    assert (
        outcome.is_applied == (outcome.name == "APPLIED") == (outcome.kind == OutcomeKind.APPLIED)
    )
    assert outcome.name.startswith("VOID_") == (outcome.kind == OutcomeKind.VOID)


@EXAMPLES
@given(st.integers(0, (1 << 12) - 1), U32)
def test_instrument_id_holds_its_slot_and_generation(slot: int, generation: int) -> None:
    identifier = instrument_id(slot, generation)
    assert identifier < 1 << 32
    assert (instrument_slot(identifier), identifier >> 16) == (slot, generation & 0xFFFF)


@EXAMPLES
@given(U32, U32)
def test_order_id_holds_its_slot_and_generation(slot: int, generation: int) -> None:
    identifier = order_id(slot, generation)
    assert (order_slot(identifier), identifier >> 32) == (slot, generation)
