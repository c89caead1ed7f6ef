"""What was sent and what came back, by kind."""

from collections import Counter, defaultdict
from collections.abc import Mapping


class Tally:
    """Answers by the kind of what was asked."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def count(self, kind: str, answer: str, times: int = 1) -> None:
        self._counts[kind][answer] += times

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Return kinds by name, answers by how often they came."""
        return {kind: dict(row.most_common()) for kind, row in sorted(self._counts.items())}


def total(counts: Mapping[str, Mapping[str, int]]) -> int:
    """Return how many answers there were of all kinds."""
    return sum(sum(row.values()) for row in counts.values())
