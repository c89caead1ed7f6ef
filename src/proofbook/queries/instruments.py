"""The instruments that are listed, by number and by name."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

import msgspec

from proofbook.api.display import (
    amount_text,
    combo_name,
    combo_ticks,
    instrument_name,
    price_text,
    price_ticks,
    usdc_text,
)
from proofbook.api.errors import Refused
from proofbook.api.schema import InstrumentReply, LegReply
from proofbook.protocol.engine import Engine
from proofbook.protocol.events import (
    ComboCreated,
    InstrumentListed,
    InstrumentReleased,
    Marked,
    TermsChanged,
)
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import COMBO_PRICE_OFFSET_TICKS, ArenaId, InstrumentKind, Reject
from proofbook.protocol.records import InstrumentRecord, UnderlyingRecord

RELEASED_KEPT = 65_536
"""Released instruments that are still known by their number, for the history: some 30 MB."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What never changes about an instrument, and its fees."""

    number: int
    name: str
    symbol: str
    underlying: int
    kind: InstrumentKind
    expiry_ns: int
    strike_atoms: int
    tick_atoms: int
    lot_nanos: int
    tick_value_atoms: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    legs: tuple[tuple["Instrument", int], ...] = ()

    @property
    def price_offset_ticks(self) -> int:
        """What stands for a price of zero."""
        return COMBO_PRICE_OFFSET_TICKS if self.kind == InstrumentKind.COMBO else 0

    def price(self, ticks: int) -> str:
        """Return a price in USDC per unit; a combo's may be below zero."""
        steps = ticks - self.price_offset_ticks
        sign = "-" if steps < 0 else ""
        return sign + price_text(abs(steps), self.tick_atoms)

    def ticks(self, price: str) -> int:
        """Return a price in ticks. Raises OffStep, OutOfRange."""
        is_combo = self.kind == InstrumentKind.COMBO
        return (
            combo_ticks(price, self.tick_atoms) if is_combo else price_ticks(price, self.tick_atoms)
        )

    def amount(self, lots: int) -> str:
        """Return a size in units of the underlying."""
        return amount_text(lots, self.lot_nanos)

    def reply(self) -> InstrumentReply:
        """Return the instrument as the interface shows it."""
        is_option = self.kind in (InstrumentKind.CALL, InstrumentKind.PUT)
        return InstrumentReply(
            name=self.name,
            instrument=self.number,
            underlying=self.symbol,
            kind=self.kind.name.lower(),  # type: ignore[arg-type]
            expiry_ns=str(self.expiry_ns) if self.expiry_ns else None,
            strike=usdc_text(self.strike_atoms) if is_option else None,
            price_step=price_text(1, self.tick_atoms),
            amount_step=self.amount(1),
            maker_fee_ppm=self.maker_fee_ppm,
            taker_fee_ppm=self.taker_fee_ppm,
            legs=[LegReply(instrument=leg.name, ratio=ratio) for leg, ratio in self.legs],
        )


class InstrumentsKept(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps: every instrument there ever was, which are listed, whose fees change.

    The members of an instrument in their order, the last of them legs by number and ratio.
    """

    rows: list[tuple[Any, ...]]
    listed: list[int]
    released: list[int]
    outdated: list[int]


class Listener(Protocol):
    """Is told of every instrument that is listed, anew where its fees changed, or released."""

    def listed(self, instrument: Instrument) -> None: ...

    def released(self, instrument: Instrument) -> None: ...


class Instruments:
    """All instruments, grown by `InstrumentListed` and `ComboCreated`.

    What was released is listed and named no more; by its number it is still known for a while.
    """

    def __init__(self) -> None:
        self._by_number: dict[int, Instrument] = {}
        self._listed: dict[int, Instrument] = {}
        self._by_name: dict[str, Instrument] = {}
        self._by_slot: dict[int, Instrument] = {}
        self._outdated: set[int] = set()
        self._released: deque[int] = deque()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Tell somebody of all instruments that are listed, and of each change from now on."""
        self._listeners.append(listener)
        for instrument in self:
            listener.listed(instrument)

    def keep(self) -> InstrumentsKept:
        """Return what `restored` needs."""
        members = [field.name for field in fields(Instrument)][:-1]
        rows = [
            (
                *(getattr(each, name) for name in members),
                [(leg.number, ratio) for leg, ratio in each.legs],
            )
            for each in self._by_number.values()
        ]
        listed, released = list(self._listed), list(self._released)
        return InstrumentsKept(rows, listed, released, sorted(self._outdated))

    @classmethod
    def restored(cls, kept: InstrumentsKept) -> Self:
        """Return the instruments of a snapshot."""
        instruments = cls()
        known, listed = instruments._by_number, set(kept.listed)
        for *members, legs in kept.rows:
            number, name, symbol, underlying, kind, *rest = members
            pairs = tuple((known[leg], ratio) for leg, ratio in legs)
            head = number, name, symbol, underlying, InstrumentKind(kind)
            known[number] = instrument = Instrument(*head, *rest, legs=pairs)
            if number in listed:
                instruments._put(instrument)
        instruments._outdated = set(kept.outdated)
        instruments._released.extend(kept.released)
        return instruments

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._listed.values())

    def __len__(self) -> int:
        return len(self._listed)

    def add(self, engine: Engine, event: InstrumentListed | ComboCreated) -> None:
        """Take up an instrument; the rest of it stands in its record."""
        instrument = read_instrument(engine, event)
        if isinstance(event, ComboCreated):
            instrument = replace(instrument, legs=tuple(self._legs(event)))
        self._put(instrument)

    def released(self, event: InstrumentReleased) -> None:
        """Take an instrument off the list; its name and slot may soon be another one's."""
        instrument = self._listed.pop(event.instrument)
        del self._by_name[instrument.name]
        del self._by_slot[instrument_slot(instrument.number)]
        self._outdated.discard(instrument.number)
        for listener in self._listeners:
            listener.released(instrument)
        self._released.append(instrument.number)
        if len(self._released) > RELEASED_KEPT:
            del self._by_number[self._released.popleft()]

    def terms_changed(self, event: TermsChanged) -> None:
        """Remember whose fees change when it is marked; combos keep theirs."""
        self._outdated |= {
            instrument.number
            for instrument in self
            if instrument.underlying == event.underlying and not instrument.legs
        }

    def marked(self, engine: Engine, event: Marked) -> None:
        """Take up the fees that an instrument has since it was marked."""
        if event.instrument not in self._outdated:
            return
        self._outdated.remove(event.instrument)
        slot = instrument_slot(event.instrument)
        record = InstrumentRecord.unpack(engine.read(ArenaId.INSTRUMENTS, slot))
        before = self._by_number[event.instrument]
        maker_fee_ppm, taker_fee_ppm = record.maker_fee_ppm, record.taker_fee_ppm
        self._put(replace(before, maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm))

    def _put(self, instrument: Instrument) -> None:
        self._by_number[instrument.number] = self._listed[instrument.number] = instrument
        self._by_name[instrument.name] = instrument
        self._by_slot[instrument_slot(instrument.number)] = instrument
        for listener in self._listeners:
            listener.listed(instrument)

    def _legs(self, event: ComboCreated) -> Iterator[tuple[Instrument, int]]:
        pairs = (
            (event.leg_0, event.ratio_0),
            (event.leg_1, event.ratio_1),
            (event.leg_2, event.ratio_2),
            (event.leg_3, event.ratio_3),
        )
        return ((self._by_number[leg], ratio) for leg, ratio in pairs if ratio)

    def numbered(self, number: int) -> Instrument:
        """Return an instrument that an event named: it must be there."""
        return self._by_number[number]

    def is_listed(self, number: int) -> bool:
        """Return whether an instrument is there and was not released."""
        return number in self._listed

    def find(self, number: int) -> Instrument | None:
        """Return an instrument, or None if no such number is known."""
        return self._by_number.get(number)

    def with_combos(self, number: int) -> set[int]:
        """Return an instrument and the combos of which it is a leg."""
        combos = (i for i in self if any(leg.number == number for leg, _ in i.legs))
        return {number, *(combo.number for combo in combos)}

    def in_slot(self, slot: int) -> Instrument:
        """Return the instrument that a position's record names: it must be there."""
        return self._by_slot[slot]

    def named(self, name: str) -> Instrument:
        """Return an instrument by its name. Raises Refused."""
        instrument = self._by_name.get(name)
        if instrument is None:
            raise Refused(Reject.INSTRUMENT_NOT_FOUND, f"no instrument is named {name}", name)
        return instrument


def read_instrument(engine: Engine, event: InstrumentListed | ComboCreated) -> Instrument:
    """Return the instrument that an event announces, with the grid from its record."""
    slot = instrument_slot(event.instrument)
    record = InstrumentRecord.unpack(engine.read(ArenaId.INSTRUMENTS, slot))
    underlying = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, event.underlying))
    symbol = underlying.symbol.rstrip(b"\0").decode()
    return Instrument(
        number=event.instrument,
        name=combo_name(symbol, event.instrument)
        if isinstance(event, ComboCreated)
        else instrument_name(symbol, event.kind, event.expiry_ns, event.strike_atoms),
        symbol=symbol,
        underlying=event.underlying,
        kind=InstrumentKind(record.kind),
        expiry_ns=event.expiry_ns,
        strike_atoms=record.strike_atoms,
        tick_atoms=record.tick_atoms,
        lot_nanos=record.lot_nanos,
        tick_value_atoms=record.tick_value_atoms,
        maker_fee_ppm=record.maker_fee_ppm,
        taker_fee_ppm=record.taker_fee_ppm,
    )
