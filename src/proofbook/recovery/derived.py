"""What a node derives from entries beside the state: read models, notices, duties, results."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import msgspec

from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import HEAD
from proofbook.protocol.limits import OutcomeKind, Tag
from proofbook.queries.feeds import NOTICES_KEPT, Feeds, FeedsKept
from proofbook.queries.models import ModelsKept, ReadModels
from proofbook.sequencer.keeper import Keeper, KeeperKept
from proofbook.sequencer.recall import RECEIPTS_KEPT, RecentResults

RELEASE = bytes((Tag.RELEASE_INSTRUMENT,))


class DerivedKept(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps; of results kind, reason and events."""

    models: ModelsKept
    feeds: FeedsKept
    keeper: KeeperKept
    results: list[tuple[OutcomeKind, int, bytes]]


class KeptMost(NamedTuple):
    """How many notices of accounts, and results of entries, are kept at most."""

    notices: int = NOTICES_KEPT
    results: int = RECEIPTS_KEPT


KEPT_MOST = KeptMost()


class Derived:
    """An engine and what follows from the entries that it has applied, at the same seq."""

    def __init__(self, engine: Engine, most: KeptMost = KEPT_MOST) -> None:
        """Start from an engine at genesis."""
        self.engine = engine
        self.most = most
        self.models = ReadModels(engine)
        self.feeds = Feeds(most.notices)
        self.results = RecentResults(most.results)
        self.keeper = self._new_keeper()

    @classmethod
    def restored(cls, engine: Engine, kept: DerivedKept, most: KeptMost) -> Self:
        """Return what a snapshot kept, over an engine that stands where it was taken."""
        derived = cls(engine, most)
        derived.models = ReadModels.restored(engine, kept.models)
        derived.feeds = Feeds.restored(kept.feeds, most.notices)
        derived.results.restore(engine.seq, kept.results)
        derived.keeper = derived._new_keeper()
        derived.keeper.restore(kept.keeper)
        return derived

    def keep(self) -> DerivedKept:
        """Return what `restored` needs."""
        return DerivedKept(
            self.models.keep(), self.feeds.keep(), self.keeper.keep(), self.results.keep()
        )

    def replay(self, entries: Sequence[bytes]) -> None:
        """Apply the next entries of a journal, which were published before."""
        for piece in before_releases(entries):
            first_seq = self.engine.seq + 1
            results = self.engine.apply(piece)
            self.feeds.replay(self.models.apply(first_seq, piece, results, self.feeds.is_followed))
            self.keeper.take(results)
            self.results.take(self.engine.seq, results)

    def _new_keeper(self) -> Keeper:
        return Keeper(self.engine, self.models.is_crossed, self.models.take_lapsed)


def before_releases(entries: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut entries before each release: read models look at the records of what events name."""
    first = 0
    for place, entry in enumerate(entries):
        if place > first and entry[HEAD.size : HEAD.size + 1] == RELEASE:
            yield entries[first:place]
            first = place
    yield entries[first:]
