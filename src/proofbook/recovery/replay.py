"""A journal executed in one go: most of what follows from it is taken up at its end.

Books and what is over are read off the state; of trades, notices and results only the last can be
asked for, and only they are looked at. What is left is handed on in order: instruments, deadlines,
orders that wait. A venue that has seen every event stands exactly there.
"""

from collections.abc import Iterable

from proofbook.protocol.events import (
    AuctionFilled,
    ComboCreated,
    ConversionEnded,
    ConversionStarted,
    DeadManSet,
    Event,
    Filled,
    InstrumentChanged,
    InstrumentListed,
    InstrumentReleased,
    Marked,
    TermsChanged,
    decode_event,
    tag_of,
)
from proofbook.protocol.limits import EventTag
from proofbook.protocol.replay import EventAt, EventUse, ReplayEngine, TapeLimits
from proofbook.queries.models import ACCOUNT_EVENTS
from proofbook.queries.trades import TRADES_KEPT
from proofbook.recovery.derived import Derived
from proofbook.sequencer import keeper
from proofbook.sequencer.recall import EVENTS_BYTES_MAX

FOR_MODELS: tuple[type[Event], ...] = (
    InstrumentListed,
    ComboCreated,
    InstrumentReleased,
    InstrumentChanged,
    TermsChanged,
    ConversionStarted,
    ConversionEnded,
    DeadManSet,
)
"""Events that read models have to see in order."""


def event_uses() -> dict[EventTag, EventUse]:
    """Return what becomes of each kind of event."""
    uses = dict.fromkeys(EventTag, EventUse(0))
    for event in {*FOR_MODELS, *keeper.HANDED}:
        uses[tag_of(event)] |= EventUse.HANDED
    uses[tag_of(Marked)] |= EventUse.LAST_HANDED
    for tag in ACCOUNT_EVENTS.values():
        uses[tag] |= EventUse.TOLD
    for event in (Filled, AuctionFilled):
        uses[tag_of(event)] |= EventUse.TOLD | EventUse.TRADE
    return uses


class Replay:
    """An engine on its way to the end of a journal, and what is derived from its entries.

    That stands where the engine stands after `finish`.
    """

    def __init__(self, engine: ReplayEngine, derived: Derived) -> None:
        assert derived.engine is engine, "what is derived looks at another engine"
        self._engine = engine
        self._derived = derived
        self._is_behind = False
        # One more than is kept, so that feeds see that something was forgotten.
        told = derived.most.notices + 1
        limits = TapeLimits(told, TRADES_KEPT, derived.most.results, EVENTS_BYTES_MAX)
        self._tape = engine.tape(event_uses(), limits)

    def take(self, entries: bytes, *, is_sealed: bool) -> None:
        """Execute joined entries; sealed ones without a look at their signatures."""
        self._is_behind = True
        for handed in self._engine.replay(entries, self._tape, is_sealed=is_sealed):
            self._hand(handed)

    def finish(self) -> None:
        """Take up what is left; more entries may follow."""
        derived, engine = self._derived, self._engine
        if not self._is_behind:
            return
        live, over = engine.resting_orders()
        derived.feeds.keep_told(derived.models.told(self._tape.take_told()))
        derived.models.catch_up(self._tape.window_ns, self._tape.take_trades(), live)
        derived.results.take_last(engine.seq, self._tape.take_results())
        derived.keeper.catch_up(over)
        self._is_behind = False

    def _hand(self, rows: Iterable[EventAt]) -> None:
        rows = list(rows)
        self._derived.models.hand(rows)
        self._derived.keeper.hand(decode_event(row.event) for row in rows)
