"""Rows that a projection writes from a snapshot on are those of one that began at genesis."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.journals import kernel_at_genesis, workload_entries

from proofbook.history.journal_reader import Read
from proofbook.history.projection import Projection, Rows
from proofbook.kernel import Kernel
from proofbook.protocol.entry import entry_hash
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import NS_PER_DAY, Side
from proofbook.simulator.scene import CHAIN_ID, CONTRACT, USDC, Scene

VECTORS = Path(__file__).resolve().parents[2] / "vectors/transition"
ENTRIES = 4_000
PLACES = 12
PREMIUM_TICKS = 30_000
NO_HASH = bytes(32)
Tables = dict[str, list[tuple[Any, ...]]]


def rows_of(projection: Projection, seq: int, entry: bytes) -> Tables:
    rows = Rows()
    projection.take(Read(seq, entry, entry_hash(entry), NO_HASH), rows)
    return rows.tables


def written_from_genesis(
    engine: Kernel, entries: list[bytes], places: set[int]
) -> tuple[list[Tables], dict[int, bytes]]:
    """Return the rows of every entry, and the states at some places."""
    projection = Projection(engine)
    written: list[Tables] = []
    states = {0: engine.snapshot()} if 0 in places else {}
    for seq, entry in enumerate(entries, 1):
        written.append(rows_of(projection, seq, entry))
        if seq in places:
            states[seq] = engine.snapshot()
    return written, states


def assert_tails_are_equal(engine: Kernel, entries: list[bytes], places: set[int]) -> list[Tables]:
    """Begin at each of some places, and hold every row to the one written from genesis."""
    written, states = written_from_genesis(engine, entries, places)
    assert set(states) == places
    for place, state in states.items():
        projection = Projection(Kernel.restore(state))
        for seq, entry in enumerate(entries[place:], place + 1):
            found = rows_of(projection, seq, entry)
            assert found == written[seq - 1], f"entry {seq}, from a state after {place}"
    return written


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_after_a_snapshot_are_those_of_a_replay_from_genesis(seed: int) -> None:
    genesis, entries = workload_entries(seed, ENTRIES)
    places = set(Random(seed).sample(range(ENTRIES), PLACES))
    written = assert_tails_are_equal(kernel_at_genesis(genesis), entries, places)
    after = {name for tables in written[max(places) :] for name in tables}
    assert {"transactions", "positions", "fills"} <= after, "rows of every kind were compared"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_rows_after_snapshots_of_long_streams_are_the_same(seed: int) -> None:
    genesis, entries = workload_entries(seed, 5 * ENTRIES)
    places = set(Random(seed).sample(range(5 * ENTRIES), PLACES))
    assert_tails_are_equal(kernel_at_genesis(genesis), entries, places)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_rows_of_every_story_are_the_same_from_any_of_its_states(path: Path) -> None:
    story = json.loads(path.read_text())
    origin = (bytes.fromhex(story[name].removeprefix("0x")) for name in ("genesis", "contract"))
    genesis, contract = origin
    entries = [bytes.fromhex(row["entry"].removeprefix("0x")) for row in story["entries"]]
    random = Random(path.stem)
    places = set(random.sample(range(len(entries)), min(PLACES, len(entries))))
    assert_tails_are_equal(Kernel(genesis, story["chain_id"], contract), entries, places)


def story_of_a_reused_slot() -> tuple[Scene, set[int]]:
    """An option is traded, closed, released; another one takes its slot, and is traded."""
    scene, numbers = Scene(Kernel), set[int]()
    for name in ("ann", "bob"):
        scene.deposit(name, 1_000_000 * USDC)
    for _ in range(2):
        option = scene.open_option()
        numbers.add(option)
        for maker, taker in (("bob", "ann"), ("ann", "bob")):
            scene.resting(maker, option, Side.SELL, PREMIUM_TICKS, 7)
            assert scene.place(taker, option, Side.BUY, PREMIUM_TICKS, 7).is_applied
        scene.wait(NS_PER_DAY + 1)
        assert scene.release(option).is_applied
    return scene, numbers


def test_rows_name_the_instrument_that_is_in_a_slot_now() -> None:
    scene, numbers = story_of_a_reused_slot()
    assert len(numbers) == 2 and len({instrument_slot(number) for number in numbers}) == 1
    places = set(range(len(scene.entries)))
    engine = Kernel(scene.genesis, CHAIN_ID, CONTRACT)
    written = assert_tails_are_equal(engine, scene.entries, places)
    assert {row[2] for tables in written for row in tables.get("positions", [])} == numbers
