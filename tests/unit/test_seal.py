"""A sealed journal is executed without its signatures; any other seal is named and not believed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from tests.journals import kernel_at_genesis, workload_entries, write_journal

from proofbook.api.signing import Key
from proofbook.kernel import Kernel
from proofbook.node import NodeSettings, open_node
from proofbook.protocol.entry import Entry
from proofbook.protocol.limits import ArenaId, OutcomeKind
from proofbook.protocol.records import GlobalRecord
from proofbook.recovery.errors import JournalBehindSeal, JournalUnlikeSeal
from proofbook.recovery.recover import recover
from proofbook.recovery.seal import LAYOUT, NAME, Sealer, read_seal
from proofbook.sequencer.journal import Journal
from proofbook.simulator.workload import CHAIN_ID, CONTRACT

ENTRIES = 600
KEY, OTHER_KEY = Key(b"\x07" * 32), Key(b"\x08" * 32)


class Venue:
    """A journal in which nothing is void, and a sealer of it."""

    def __init__(self, folder: Path, key: Key = KEY, seed: int = 3) -> None:
        self.folder = folder / "journal"
        self.genesis, entries = workload_entries(seed, ENTRIES, hostile_share=0.0)
        results = kernel_at_genesis(self.genesis).apply_unless_void(entries)
        self.entries = [
            entry
            for entry, result in zip(entries, results, strict=True)
            if result.outcome.kind != OutcomeKind.VOID
        ]
        self.key = key

    def write(self) -> None:
        write_journal(self.folder, self.entries)

    def replayed(self, sealed_seq: int = 0) -> Kernel:
        kernel = kernel_at_genesis(self.genesis)
        with Journal(self.folder) as journal:
            recover(kernel, journal, None, sealed_seq=sealed_seq)
        return kernel

    def seal(self) -> None:
        kernel = self.replayed()
        with Journal(self.folder) as journal:
            venue = kernel_at_genesis(self.genesis).root()
            Sealer(self.folder, self.key, venue, kernel, journal.tail).seal()

    def sealed_seq(self, key: Key = KEY) -> tuple[int, list[str]]:
        """Return what a start finds, and what it says of the seal."""
        kernel = kernel_at_genesis(self.genesis)
        with structlog.testing.capture_logs() as logs, Journal(self.folder) as journal:
            sealer = Sealer(self.folder, key, kernel.root(), kernel, journal.tail)
            found = sealer.read(journal.chain_hash)
        return found, [line["reason"] for line in logs if line["event"] == "seal.refused"]


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    venue = Venue(tmp_path)
    venue.write()
    venue.seal()
    return venue


def voids(kernel: Kernel) -> int:
    return GlobalRecord.unpack(kernel.read(ArenaId.GLOBAL, 0)).void_count


def with_a_spoilt_signature(entries: list[bytes]) -> list[bytes]:
    """Return entries of which the last signed one was not signed by who had to."""
    place = max(at for at, each in enumerate(entries) if any(Entry.decode(each).signature))
    entry = bytearray(entries[place])
    at = entries[place].index(Entry.decode(entries[place]).signature)
    entry[at] ^= 1
    return [*entries[:place], bytes(entry), *entries[place + 1 :]]


def test_sealed_entries_lead_where_they_lead_with_every_signature_checked(venue: Venue) -> None:
    assert venue.sealed_seq() == (len(venue.entries), [])
    checked = venue.replayed()
    count = len(venue.entries)
    for sealed_seq in (count, count // 2, 1):
        assert venue.replayed(sealed_seq).root() == checked.root()


def test_signatures_up_to_the_seal_are_believed_and_those_after_it_checked(tmp_path: Path) -> None:
    venue = Venue(tmp_path)
    good = kernel_at_genesis(venue.genesis)
    good.apply(venue.entries)
    venue.entries = with_a_spoilt_signature(venue.entries)
    venue.write()
    believed, checked = venue.replayed(len(venue.entries)), venue.replayed()
    assert (voids(believed), voids(checked)) == (0, 1)
    assert believed.root() == good.root() != checked.root()


def test_journal_with_a_void_entry_is_not_sealed(tmp_path: Path) -> None:
    venue = Venue(tmp_path)
    venue.entries = with_a_spoilt_signature(venue.entries)
    venue.write()
    venue.seal()
    assert not (venue.folder / NAME).exists() and venue.sealed_seq() == (0, [])


def test_seal_of_another_key_is_refused(venue: Venue) -> None:
    assert venue.sealed_seq(OTHER_KEY) == (0, [f"{venue.folder / NAME}: another key has signed it"])


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "magic": (flip(0), "the file is no seal"),
    "seq": (flip(8), "another key has signed it"),
    "chain hash": (flip(20), "another key has signed it"),
    "venue": (flip(50), "it is another venue's"),
    "signature": (flip(LAYOUT.size - 30), "another key has signed it"),
    "cut": (lambda data: data[:-1], "the file is no seal"),
    "empty": (lambda data: b"", "the file is no seal"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_seal_is_named_and_everything_checked(damage: str, venue: Venue) -> None:
    spoil, reason = DAMAGES[damage]
    path = venue.folder / NAME
    path.write_bytes(spoil(path.read_bytes()))
    assert venue.sealed_seq() == (0, [f"{path}: {reason}"])


def test_seal_of_another_venue_is_refused(venue: Venue, tmp_path: Path) -> None:
    other = Venue(tmp_path / "other", seed=4)
    other.write()
    other.seal()
    (other.folder / NAME).rename(venue.folder / NAME)
    assert venue.sealed_seq() == (0, [f"{venue.folder / NAME}: it is another venue's"])


def test_journal_with_other_entries_than_its_seal_is_not_gone_on_with(venue: Venue) -> None:
    """What the venue has sealed had receipts: another entry under its number contradicts them."""
    (segment,) = venue.folder.glob("*.journal")
    segment.unlink()
    count, sealed = len(venue.entries), (venue.folder / NAME).read_bytes()
    venue.entries = with_a_spoilt_signature(venue.entries)
    venue.write()
    settings = NodeSettings(venue.folder, CHAIN_ID, CONTRACT, KEY)
    for _ in range(2):
        with pytest.raises(JournalUnlikeSeal, match=f"other entries up to {count}") as caught:
            open_node(settings, kernel_at_genesis(venue.genesis))
        assert (caught.value.path, caught.value.seq) == (venue.folder / NAME, count)
        assert (venue.folder / NAME).read_bytes() == sealed, "nothing is sealed over it"
    (venue.folder / NAME).unlink()
    open_node(settings, kernel_at_genesis(venue.genesis)).close()


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_journal_that_ends_before_its_seal_is_not_gone_on_with(kept: float, venue: Venue) -> None:
    """Other entries under the lost numbers would contradict their receipts."""
    (segment,) = venue.folder.glob("*.journal")
    segment.unlink()
    count = len(venue.entries)
    venue.entries = venue.entries[: int(count * kept)]
    venue.write()
    settings = NodeSettings(venue.folder, CHAIN_ID, CONTRACT, KEY)
    for _ in range(2):
        with pytest.raises(JournalBehindSeal) as caught:
            open_node(settings, kernel_at_genesis(venue.genesis))
        assert (caught.value.path, caught.value.seq) == (venue.folder / NAME, count)
    (venue.folder / NAME).unlink()
    open_node(settings, kernel_at_genesis(venue.genesis)).close()


def test_seal_that_cannot_be_written_stops_nothing(venue: Venue) -> None:
    (venue.folder / NAME).unlink()
    (venue.folder / "seal.part").mkdir()
    with structlog.testing.capture_logs() as logs:
        venue.seal()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["seal.unwritten"]
    assert venue.sealed_seq() == (0, [])


def test_node_seals_its_journal_and_believes_that_when_it_starts_again(tmp_path: Path) -> None:
    venue = Venue(tmp_path)
    venue.write()
    settings = NodeSettings(venue.folder, CHAIN_ID, CONTRACT, KEY)
    sealed: list[int] = []
    for _ in range(2):
        with structlog.testing.capture_logs() as logs:
            open_node(settings, kernel_at_genesis(venue.genesis)).close()
        sealed += [line["sealed_seq"] for line in logs if line["event"] == "journal.replayed"]
    assert sealed == [0, len(venue.entries)]
    with Journal(venue.folder) as journal:
        root = kernel_at_genesis(venue.genesis).root()
        path = venue.folder / NAME
        assert read_seal(path, KEY.address, root, journal.chain_hash) == sealed[1]
