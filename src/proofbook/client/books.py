"""A book kept from its channel: a snapshot and changes, each checked to follow the one before."""

from collections.abc import Iterable
from decimal import Decimal

from proofbook.api.schema import BookNotice, SideName
from proofbook.client.errors import BookGap

Levels = dict[Decimal, Decimal]


class LocalBook:
    """The levels of one instrument, as of `seq` and `change_id`."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.seq = 0
        self.change_id: int | None = None
        self._sides: dict[SideName, Levels] = {"buy": {}, "sell": {}}

    @property
    def is_ready(self) -> bool:
        """Whether a snapshot has come."""
        return self.change_id is not None

    def apply(self, notice: BookNotice) -> None:
        """Take up a notice of this book. Raises BookGap, with the book as it was."""
        if notice.type == "snapshot":
            self._sides = {"buy": {}, "sell": {}}
        elif self.change_id is None or notice.prev_change_id != self.change_id:
            raise BookGap(self.instrument, self.change_id, notice.prev_change_id)
        _change(self._sides["buy"], notice.bids)
        _change(self._sides["sell"], notice.asks)
        self.change_id, self.seq = notice.change_id, notice.seq

    def levels(self, side: SideName) -> list[tuple[Decimal, Decimal]]:
        """Return price and amount of every level, best first."""
        return sorted(self._sides[side].items(), reverse=side == "buy")

    def best(self, side: SideName) -> tuple[Decimal, Decimal] | None:
        """Return price and amount of the best level."""
        levels = self._sides[side]
        if not levels:
            return None
        price = max(levels) if side == "buy" else min(levels)
        return price, levels[price]


def _change(levels: Levels, rows: Iterable[tuple[str, str]]) -> None:
    for price, amount in rows:
        if Decimal(amount):
            levels[Decimal(price)] = Decimal(amount)
        else:
            levels.pop(Decimal(price), None)
