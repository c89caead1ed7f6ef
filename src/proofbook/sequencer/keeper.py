"""Does what anyone may do and somebody has to: fires waiting orders, takes auctions on, settles.

The state machine believes nobody, so nothing depends on who does it. This is the venue's own hand:
it looks at prices after every group, and at the clock.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from proofbook.api.errors import Refused
from proofbook.protocol.agenda import Agenda
from proofbook.protocol.commands import FireTrigger, ReleaseInstrument, Tick, Uncross
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.events import (
    AuctionEnded,
    AuctionFilled,
    ComboCreated,
    Event,
    Filled,
    IndexChanged,
    InstrumentChanged,
    InstrumentListed,
    InstrumentReleased,
    Marked,
    TriggerFired,
    TriggerPlaced,
    TriggerRemoved,
    decode_events,
)
from proofbook.protocol.identifiers import instrument_slot, order_slot
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    NS_PER_SECOND,
    ArenaId,
    AuctionPhase,
    InstrumentMode,
    InstrumentState,
    Reject,
    TriggerCondition,
)
from proofbook.protocol.records import (
    InstrumentRecord,
    OrderRecord,
    RiskArrayRecord,
    UnderlyingRecord,
)
from proofbook.sequencer.releases import NEVER_NS, Releases
from proofbook.sequencer.sequencer import Sequencer
from proofbook.sequencer.settlements import Settlements, Settling

HANDED: tuple[type[Event], ...] = (
    TriggerPlaced,
    TriggerFired,
    TriggerRemoved,
    InstrumentListed,
    ComboCreated,
    InstrumentReleased,
    InstrumentChanged,
    AuctionEnded,
)
"""Events that `Keeper.hand` has to see; those that only move prices are not among them."""

NOTED = frozenset((*HANDED, Marked, Filled, AuctionFilled, IndexChanged))
"""All events that mean something to a keeper: most of a venue's do not."""

COMMANDS_PER_ROUND_MAX = 64
"""Commands that are sent before the next look, so that traders keep most of every window."""

RETRY_NS = NS_PER_SECOND
"""How long to leave alone what was refused for the moment."""

IDLE_NS = NS_PER_SECOND
"""How long to sleep at most: what is listed meanwhile may end soon, and clocks are put forward."""

FALLING = (
    TriggerCondition.MARK_AT_OR_BELOW,
    TriggerCondition.INDEX_AT_OR_BELOW,
    TriggerCondition.LAST_AT_OR_BELOW,
)
TRADING = (InstrumentState.OPEN, InstrumentState.SETTLING)

Poke = FireTrigger | Uncross | Tick | ReleaseInstrument | Settling

Lapsed = Callable[[], Iterable[tuple[int, int]]]
"""Gives accounts and orders of theirs that can trade no more, each once."""


class Wait(NamedTuple):
    """What an order waits for: a price of an instrument; condition 0: the end of a speed bump."""

    instrument: int
    condition: int
    ticks: int


class KeeperKept(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps of a keeper that has sent nothing yet.

    `over`: orders by account that can trade no more, and are still there; `waits`: trigger and what
    it waits for; `by_time`: those that wait for a time; `ready`: those that wait for nothing more;
    `combos_of`: combos by leg; `releases`, `settlements`: when to look at what.
    """

    over: list[tuple[int, list[int]]]
    waits: list[tuple[int, int, int, int]]
    by_time: list[tuple[int, int]]
    ready: list[int]
    of_underlying: list[tuple[int, list[int]]]
    combos_of: list[tuple[int, list[int]]]
    auctions: list[int]
    releases: list[tuple[int, int]]
    settlements: list[tuple[int, int]]


class Keeper:
    """Knows what waits, and what of it is due. `is_crossed` answers for the book of a number."""

    def __init__(
        self, engine: Engine, is_crossed: Callable[[int], bool], take_lapsed: Lapsed
    ) -> None:
        self._engine = engine
        self._is_crossed = is_crossed
        self._take_lapsed = take_lapsed
        self._over: defaultdict[int, deque[int]] = defaultdict(deque)
        self._waits: dict[int, Wait] = {}
        # Triggers by ticks, those that are reached first before the others.
        self._by_price: dict[tuple[int, int], Agenda[int]] = {}
        self._by_time: list[tuple[int, int]] = []
        self._held: defaultdict[int, set[int]] = defaultdict(set)
        self._of_underlying: defaultdict[int, list[int]] = defaultdict(list)
        self._combos_of: defaultdict[int, list[int]] = defaultdict(list)
        self._auctions: dict[int, int] = {}
        self._releases = Releases(engine)
        self._settlements = Settlements(engine)
        self._touched: set[int] = set()
        self._ready: dict[Poke, None] = {}
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many orders are noted as waiting, those that ended since included."""
        prices = sum(prices.size for prices in self._by_price.values())
        return prices + len(self._by_time) + sum(map(len, self._held.values()))

    def keep(self) -> KeeperKept:
        """Return what `restore` needs, and forget what is over. For one that has sent nothing."""
        assert not self._held, "a keeper that has sent commands knows what a snapshot does not"
        self._forget_gone()
        ready = [each.trigger for each in self._ready if isinstance(each, FireTrigger)]
        return KeeperKept(
            sorted((account, sorted(orders)) for account, orders in self._over.items()),
            sorted(
                (trigger, wait.instrument, wait.condition, wait.ticks)
                for trigger, wait in self._waits.items()
            ),
            sorted(self._by_time),
            sorted(ready),
            sorted((key, list(each)) for key, each in self._of_underlying.items() if each),
            sorted((key, list(each)) for key, each in self._combos_of.items() if each),
            sorted(self._auctions),
            self._releases.keep(),
            self._settlements.keep(),
        )

    def restore(self, kept: KeeperKept) -> None:
        """Go on from a snapshot, over an engine that stands where it was taken."""
        self._over.update((account, deque(orders)) for account, orders in kept.over)
        self._waits = {trigger: Wait(*wait) for trigger, *wait in kept.waits}
        self._by_time = list(kept.by_time)
        for trigger in kept.ready:
            self._get_ready(trigger)
        placed = {trigger for _, trigger in kept.by_time}.union(kept.ready)
        for trigger in self._waits.keys() - placed:
            self._await(trigger)
            self._touched.add(self._waits[trigger].instrument)
        self._of_underlying.update((key, list(each)) for key, each in kept.of_underlying)
        self._combos_of.update((key, list(each)) for key, each in kept.combos_of)
        self._auctions = dict.fromkeys(kept.auctions, 0)
        for at_ns, instrument in kept.releases:
            self._releases.look_at(instrument, at_ns)
        for expiry, at_ns in kept.settlements:
            self._settlements.watch(expiry, at_ns)

    def take(self, results: Iterable[Result]) -> None:
        """Take note of what a durable group did."""
        for result in results:
            for event in decode_events(result.events):
                if type(event) in NOTED:
                    self._note(event)
        if not self._waits:
            self._touched.clear()
        for account, order in self._take_lapsed():
            self._over[account].append(order)
        if self._touched or self._ready or self._by_time or self._auctions or self._over:
            self._wake.set()

    def hand(self, events: Iterable[Event]) -> None:
        """Take note of events of entries that are executed in one go: `HANDED`, in order."""
        for event in events:
            self._note(event)

    def catch_up(self, over: Iterable[tuple[int, int]]) -> None:
        """Take note of accounts and orders that can trade no more, of all there are.

        Prices may have moved meanwhile, so that everything that waits is to be looked at.
        """
        self._over.clear()
        for account, order in over:
            self._over[account].append(order)
        self._touched = {wait.instrument for wait in self._waits.values()}
        self._wake.set()

    def due(self, now_ns: int) -> list[Poke]:
        """Return a bounded number of commands that are due now; they are not told again."""
        for instrument in sorted(self._touched):
            self._check_prices(instrument)
        self._touched.clear()
        while self._by_time and self._by_time[0][0] <= now_ns:
            self._get_ready(heappop(self._by_time)[1])
        for instrument in self._auctions:
            if self._auction_ns(instrument, now_ns) <= now_ns:
                self._ready[Uncross(instrument)] = None
        for instrument in self._releases.due(now_ns):
            self._ready[ReleaseInstrument(instrument)] = None
        for command in self._settlements.due(now_ns):
            self._ready[command] = None
        self._sweep()
        commands = list(self._ready)[:COMMANDS_PER_ROUND_MAX]
        for command in commands:
            del self._ready[command]
        return commands

    def sleep_ns(self, now_ns: int) -> int:
        """Return after how long to look again though no group has made anything due."""
        times = [self._auction_ns(instrument, now_ns) for instrument in self._auctions]
        if self._by_time:
            times.append(self._by_time[0][0])
        times += [self._releases.next_ns, self._settlements.next_ns]
        return max(0, min([now_ns + IDLE_NS, *times]) - now_ns)

    def rejected(self, command: Poke, reason: Reject, now_ns: int) -> None:
        """Take note that a command came too soon: a price went back, or a book is closed."""
        if isinstance(command, Uncross):
            if command.instrument in self._auctions:
                self._auctions[command.instrument] = now_ns + RETRY_NS
        elif not isinstance(command, FireTrigger):
            return  # somebody was quicker, and what is still over will be looked at again
        elif wait := self._waits.get(command.trigger):
            if reason == Reject.INSTRUMENT_STATE:
                self._held[wait.instrument].add(command.trigger)
            elif wait.condition:
                self._await(command.trigger)
            else:
                heappush(self._by_time, (now_ns + RETRY_NS, command.trigger))

    async def run(self, sequencer: Sequencer) -> None:
        """Send what is due until the sequencer stops."""
        while sequencer.is_accepting:
            now_ns = sequencer.clock.now_ns()
            commands = self.due(now_ns)
            sent = await asyncio.gather(*(self._send(sequencer, command) for command in commands))
            if not all(sent):
                await asyncio.sleep(RETRY_NS / NS_PER_SECOND)
            elif not commands:
                await self._sleep(self.sleep_ns(now_ns) / NS_PER_SECOND)

    async def _send(self, sequencer: Sequencer, command: Poke) -> bool:
        """Send one command; false if the sequencer takes none for the moment."""
        try:
            outcome = (await sequencer.submit(command)).result.outcome
        except Refused:
            self._ready[command] = None
            return False
        if not outcome.is_applied:
            self.rejected(command, Reject(outcome.reason), sequencer.clock.now_ns())
        return True

    async def _sleep(self, seconds: float) -> None:
        """Wait until it is time, or a group may have made something due before."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _note(self, event: Event) -> None:
        if isinstance(event, TriggerPlaced):
            self._waits[event.trigger] = Wait(
                event.instrument, event.condition, event.trigger_ticks
            )
            if event.condition:
                self._await(event.trigger)
                self._touched.add(event.instrument)
            else:
                heappush(self._by_time, (event.release_ns, event.trigger))
        elif isinstance(event, TriggerFired | TriggerRemoved):
            self._end_wait(event.trigger)
        elif isinstance(event, Marked | Filled | AuctionFilled):
            self._touched.update((event.instrument, *self._combos_of.get(event.instrument, ())))
        elif isinstance(event, IndexChanged):
            self._touched.update(self._of_underlying[event.underlying])
        elif isinstance(event, InstrumentListed):
            self._of_underlying[event.underlying].append(event.instrument)
            self._releases.look_at(event.instrument, event.expiry_ns)
            self._settlements.watch(event.expiry, event.expiry_ns)
        elif isinstance(event, ComboCreated):
            self._of_underlying[event.underlying].append(event.instrument)
            self._releases.look_at(event.instrument, 0)
            for leg in {event.leg_0, event.leg_1, event.leg_2, event.leg_3} - {0}:
                self._combos_of[leg].append(event.instrument)
        elif isinstance(event, InstrumentReleased):
            self._forget(event)
        elif isinstance(event, InstrumentChanged | AuctionEnded):
            self._note_auction(event.instrument)

    def _note_auction(self, instrument: int) -> None:
        """Watch the book if it has auctions; try again what it or a combo of it did not let in."""
        record = self._instrument(instrument)
        is_batched = record.mode == InstrumentMode.BATCH_AUCTION
        if is_batched or record.auction_phase != AuctionPhase.NONE:
            self._auctions[instrument] = 0
        else:
            self._auctions.pop(instrument, None)
        for book in (instrument, *self._combos_of.get(instrument, ())):
            for trigger in self._held.pop(book, ()):
                self._get_ready(trigger)
            if record.state == InstrumentState.EXPIRED:
                self._end_waits(book)

    def _forget(self, event: InstrumentReleased) -> None:
        """Take an instrument off all lists; what waits for it is over."""
        instrument = event.instrument
        if event.expiry:
            self._settlements.forget(event.expiry)
        self._of_underlying[event.underlying].remove(instrument)
        self._combos_of.pop(instrument, None)
        for combos in self._combos_of.values():
            if instrument in combos:
                combos.remove(instrument)
        self._auctions.pop(instrument, None)
        self._end_waits(instrument)

    def _forget_gone(self) -> None:
        """Forget orders whose records are gone, and triggers that wait no more."""
        for account, orders in list(self._over.items()):
            resident = deque(filter(self._is_resident, orders))
            if resident:
                self._over[account] = resident
            else:
                del self._over[account]
        self._by_time = sorted(each for each in self._by_time if each[1] in self._waits)
        for command in list(self._ready):
            if isinstance(command, FireTrigger) and command.trigger not in self._waits:
                del self._ready[command]

    def _end_waits(self, instrument: int) -> None:
        """Get ready, to be removed, whatever waits for a book that is at its end."""
        for condition in TriggerCondition:
            prices = self._by_price.pop((instrument, condition), None)
            for trigger in prices.keys() if prices is not None else ():
                self._get_ready(trigger)
        for trigger in self._held.pop(instrument, ()):
            self._get_ready(trigger)

    def _await(self, trigger: int) -> None:
        wait = self._waits[trigger]
        sign = -1 if wait.condition in FALLING else 1
        prices = self._by_price.setdefault((wait.instrument, wait.condition), Agenda())
        prices.put(trigger, sign * wait.ticks)

    def _end_wait(self, trigger: int) -> None:
        """Forget an order that waits no more, wherever it is noted."""
        wait = self._waits.pop(trigger, None)
        if wait is None:
            return
        self._held[wait.instrument].discard(trigger)
        if not self._held[wait.instrument]:
            del self._held[wait.instrument]
        prices = self._by_price.get((wait.instrument, wait.condition))
        if prices is not None:
            prices.drop(trigger)
            if not prices:
                del self._by_price[wait.instrument, wait.condition]

    def _get_ready(self, trigger: int) -> None:
        if trigger in self._waits:
            self._ready[FireTrigger(trigger)] = None

    def _sweep(self) -> None:
        """Get one sweep ready for each account with records of orders that are over.

        It takes the orders after the first along; what is left, the next look finds.
        """
        for account in list(self._over)[:COMMANDS_PER_ROUND_MAX]:
            orders = self._over[account]
            while orders and not self._is_resident(orders[0]):
                orders.popleft()
            if orders:
                self._ready[Tick(account, orders.popleft())] = None
            else:
                del self._over[account]

    def _is_resident(self, order: int) -> bool:
        record = OrderRecord.unpack(self._engine.read(ArenaId.ORDERS, order_slot(order)))
        return record.generation == order >> 32 and record.account != 0

    def _check_prices(self, instrument: int) -> None:
        """Get ready whatever waits for a price of the instrument that has been reached."""
        for condition in TriggerCondition:
            prices = self._by_price.get((instrument, condition))
            reached = self._reached_ticks(instrument, condition) if prices else None
            if prices is not None and reached is not None:
                for trigger in prices.take(reached):
                    self._get_ready(trigger)

    def _reached_ticks(self, instrument: int, condition: TriggerCondition) -> int | None:
        """Return up to which key of its heap a condition is met; None without a price.

        Rounds to the ticks that the price has reached: down for rising, up for falling ones.
        """
        record, zero_ticks = self._instrument(instrument), 0
        match condition:
            case TriggerCondition.MARK_AT_OR_ABOVE | TriggerCondition.MARK_AT_OR_BELOW:
                price, step = self._mark_atoms(instrument, record), record.tick_value_atoms
                zero_ticks = COMBO_PRICE_OFFSET_TICKS if record.legs_count else 0
            case TriggerCondition.INDEX_AT_OR_ABOVE | TriggerCondition.INDEX_AT_OR_BELOW:
                data = self._engine.read(ArenaId.UNDERLYINGS, record.underlying)
                price, step = UnderlyingRecord.unpack(data).index_atoms or None, record.tick_atoms
            case _:
                price, step = record.last_price_ticks or None, 1
        if price is None:
            return None
        falls = condition in FALLING
        return -price // step - zero_ticks if falls else price // step + zero_ticks

    def _mark_atoms(self, instrument: int, record: InstrumentRecord) -> int | None:
        """Return the mark of a lot, a combo's as the sum of its legs; None without one."""
        legs = list(zip(record.legs, record.ratios, strict=True))[: record.legs_count]
        mark_atoms = 0
        for slot, ratio in legs or [(instrument_slot(instrument), 1)]:
            array = RiskArrayRecord.unpack(self._engine.read(ArenaId.RISK_ARRAYS, slot))
            if not array.marked_ns:
                return None
            mark_atoms += ratio * array.mark_atoms
        return mark_atoms

    def _auction_ns(self, instrument: int, now_ns: int) -> int:
        """Return when the auction of a book goes on, or begins; far off if nothing makes it."""
        record, not_before_ns = self._instrument(instrument), self._auctions[instrument]
        if record.state not in TRADING or 0 < record.expiry_ns <= now_ns:
            return NEVER_NS
        if record.auction_phase != AuctionPhase.NONE:
            return not_before_ns
        is_crossed = self._is_crossed(instrument)
        return max(not_before_ns, record.auction_next_ns) if is_crossed else NEVER_NS

    def _instrument(self, instrument: int) -> InstrumentRecord:
        slot = instrument_slot(instrument)
        return InstrumentRecord.unpack(self._engine.read(ArenaId.INSTRUMENTS, slot))
