"""A decree about a place of the grid holds for it, whatever is done while the decree waits."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from proofbook.protocol.commands import ListInstrument, SetInstrument
from proofbook.protocol.events import InstrumentChanged, InstrumentListed
from proofbook.protocol.limits import (
    EXPIRIES_PER_UNDERLYING_MAX,
    INSTRUMENT_IDLE_NS,
    NS_PER_DAY,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
)
from proofbook.simulator.inspection import instrument
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS, Scene

CALL = ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
U64_MAX = (1 << 64) - 1


def decree(place: ListInstrument, state: InstrumentState = InstrumentState.HALTED) -> SetInstrument:
    """Return what the governor says of a place, known to everybody for days before it holds."""
    return SetInstrument(
        0, state, InstrumentMode.CONTINUOUS, 0, 0,
        place.underlying, place.kind, place.expiry_ns, place.strike_atoms,
    )  # fmt: skip


def list_again(scene: Scene) -> int:
    return scene.list_instrument(CALL.kind, CALL.expiry_ns, CALL.strike_atoms)


def test_what_is_listed_anew_is_halted_all_the_same(scene: Scene, call: int) -> None:
    """An idle book, released and listed again before the halt: the number is another one."""
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(call).is_applied
    again = list_again(scene)
    assert again != call
    by_number = SetInstrument(call, InstrumentState.HALTED, InstrumentMode.CONTINUOUS)
    assert scene.submit(by_number).name == "INSTRUMENT_NOT_FOUND"
    assert scene.submit(decree(CALL)).is_applied
    assert instrument(scene, again).state == InstrumentState.HALTED


def test_what_is_not_listed_is_listed_as_the_governor_says(scene: Scene, call: int) -> None:
    """An idle book, released before the halt, to be listed again after it."""
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(call).is_applied
    assert scene.submit(decree(CALL)).is_applied
    listed, changed = scene.events()
    assert isinstance(listed, InstrumentListed) and isinstance(changed, InstrumentChanged)
    number = listed.instrument
    assert (listed.kind, listed.expiry_ns) == (CALL.kind, EXPIRY_NS)
    assert listed.strike_atoms == STRIKE_ATOMS
    assert (changed.instrument, changed.state) == (number, InstrumentState.HALTED)
    assert scene.submit(CALL).name == "INSTRUMENT_EXISTS"
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(number).name == "INSTRUMENT_NOT_ENDED", "it stays until its time"
    scene.wait(EXPIRY_NS - scene.window_ns)
    assert scene.release(number).is_applied


@pytest.mark.parametrize(
    "place",
    [
        ListInstrument(1, InstrumentKind.PERPETUAL),
        ListInstrument(1, InstrumentKind.FUTURE, EXPIRY_NS),
        CALL,
        replace(CALL, kind=InstrumentKind.PUT),
    ],
)
def test_a_place_of_any_kind_is_named(scene: Scene, call: int, place: ListInstrument) -> None:
    """And nothing else is changed by that."""
    others = [
        scene.list_instrument(kind, EXPIRY_NS, strike_atoms)
        for kind, strike_atoms in (
            (InstrumentKind.FUTURE, 0),
            (InstrumentKind.PUT, STRIKE_ATOMS),
            (InstrumentKind.CALL, STRIKE_ATOMS + 10**9),
        )
    ]
    assert scene.submit(decree(place, InstrumentState.POST_ONLY)).is_applied
    (event,) = (event for event in scene.events() if isinstance(event, InstrumentChanged))
    record = instrument(scene, event.instrument)
    assert (record.kind, record.expiry_ns, record.strike_atoms) == (
        place.kind, place.expiry_ns, place.strike_atoms,
    )  # fmt: skip
    for number in {call, *others} - {event.instrument}:
        assert instrument(scene, number).state == InstrumentState.OPEN


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: replace(d, underlying=9), "UNDERLYING_NOT_FOUND"),
        (lambda d: replace(d, instrument=1), "PARAMETERS_INVALID"),
        (lambda d: replace(d, instrument=1, strike_atoms=1), "PARAMETERS_INVALID"),
        (lambda d: replace(d, speed_bump_ms=1), "PARAMETERS_INVALID"),
        (lambda d: replace(d, strike_atoms=STRIKE_ATOMS + 1), "OFF_GRID"),
        (lambda d: replace(d, strike_atoms=0), "OFF_GRID"),
        (lambda d: replace(d, strike_atoms=U64_MAX), "OFF_GRID"),
        (lambda d: replace(d, expiry_ns=0), "OFF_GRID"),
        (lambda d: replace(d, expiry_ns=EXPIRY_NS + 1), "OFF_GRID"),
        (lambda d: replace(d, expiry_ns=U64_MAX), "OFF_GRID"),
        (lambda d: replace(d, kind=InstrumentKind.FUTURE), "OFF_GRID"),
        (lambda d: replace(d, kind=InstrumentKind.PERPETUAL), "OFF_GRID"),
    ],
)
def test_what_is_no_place_is_refused(
    scene: Scene, call: int, change: Callable[[SetInstrument], SetInstrument], reason: str
) -> None:
    before = instrument(scene, call).pack()
    assert scene.submit(change(decree(CALL))).name == reason
    assert not scene.events() and instrument(scene, call).pack() == before


@pytest.mark.parametrize(
    "place", [{"underlying": 1}, {"expiry_ns": EXPIRY_NS}, {"strike_atoms": STRIKE_ATOMS}]
)
def test_a_number_is_not_given_beside_a_place(
    scene: Scene, call: int, place: dict[str, int]
) -> None:
    by_number = SetInstrument(call, InstrumentState.HALTED, InstrumentMode.CONTINUOUS)
    assert scene.submit(replace(by_number, **place)).name == "PARAMETERS_INVALID"
    assert scene.submit(by_number).is_applied


def test_a_place_past_its_expiry_is_refused(scene: Scene, call: int) -> None:
    scene.wait(EXPIRY_NS - scene.window_ns)
    assert scene.submit(decree(CALL)).name == "INSTRUMENT_EXPIRED"
    assert scene.release(call).is_applied
    assert scene.submit(decree(CALL)).name == "OFF_GRID", "nobody can list it any more"


def test_a_decree_finds_no_place_beyond_24_expiries(scene: Scene, call: int) -> None:
    days = range(1, EXPIRIES_PER_UNDERLYING_MAX)
    for day in days:
        expiry_ns = EXPIRY_NS + day * NS_PER_DAY
        assert scene.list_instrument(InstrumentKind.FUTURE, expiry_ns, 0)
    beyond = ListInstrument(1, InstrumentKind.FUTURE, EXPIRY_NS + 40 * NS_PER_DAY)
    assert scene.submit(decree(beyond)).name == "EXPIRY_LIMIT"
    assert scene.submit(decree(CALL)).is_applied
