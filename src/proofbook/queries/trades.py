"""The last trades: so many of each instrument, and so many of all together."""

from collections import deque
from collections.abc import Iterator, Sequence

from proofbook.api.schema import TradeNotice
from proofbook.protocol.agenda import Agenda

TRADES_KEPT = 1_000
"""Trades of one instrument that can be asked for; the journal has them all."""
TRADES_KEPT_IN_ALL = 262_144
"""Of all instruments: some 100 MB. Every one of 4,095 could have its thousand, for next to no fee
where prices are next to nothing."""


class Trades:
    """Trades by instrument, oldest first. Of too many those of the oldest entries are dropped."""

    def __init__(self, kept_max: int = TRADES_KEPT_IN_ALL) -> None:
        self.kept_max = kept_max
        self._by_instrument: dict[int, deque[TradeNotice]] = {}
        # Instruments by the entry of their oldest trade, or of one that has made room already.
        self._oldest = Agenda[int]()
        self._count = 0

    def __len__(self) -> int:
        """How many are kept."""
        return self._count

    def __iter__(self) -> Iterator[tuple[int, Sequence[TradeNotice]]]:
        """Yield instruments that have trades, in the order of their numbers."""
        return iter(sorted(self._by_instrument.items()))

    @property
    def most(self) -> int:
        """How many there may be of the instruments that have any."""
        return min(self.kept_max, TRADES_KEPT * len(self._by_instrument))

    def of(self, instrument: int) -> Sequence[TradeNotice]:
        """Return the trades of an instrument that are kept."""
        return self._by_instrument.get(instrument, ())

    def keep(self, instrument: int, trade: TradeNotice) -> None:
        """Keep a trade that follows those of its instrument."""
        kept = self._by_instrument.get(instrument)
        if kept is None:
            kept = self._by_instrument[instrument] = deque(maxlen=TRADES_KEPT)
            self._oldest.put(instrument, trade.seq)
        self._count += len(kept) < TRADES_KEPT
        kept.append(trade)
        while self._count > self.kept_max:
            self._drop_oldest()

    def forget(self, instrument: int) -> None:
        """Forget the trades of an instrument that is there no more."""
        self._count -= len(self._by_instrument.pop(instrument, ()))
        self._oldest.drop(instrument)

    def _drop_oldest(self) -> None:
        """Drop what the oldest entry traded, or find out that an older one is gone already."""
        seq = self._oldest.first()
        assert seq is not None, "whoever has trades has an oldest one"
        for instrument in self._oldest.take(seq):
            kept = self._by_instrument[instrument]
            while kept and kept[0].seq <= seq:
                kept.popleft()
                self._count -= 1
            if kept:
                self._oldest.put(instrument, kept[0].seq)
            else:
                del self._by_instrument[instrument]
