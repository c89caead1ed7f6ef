"""Entries become rows: executed again, one by one, by an engine that stands where the rows end.

What is written follows from the entries alone, never from when or how they were read.
"""

from dataclasses import dataclass, field

from proofbook.history.accounts import every_account
from proofbook.history.balances import Balances
from proofbook.history.holdings import Holdings
from proofbook.history.journal_reader import Read
from proofbook.history.tables import Row
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import HEAD
from proofbook.protocol.events import (
    AuctionFilled,
    ComboCreated,
    DeadManSet,
    Event,
    Filled,
    FundingChanged,
    IndexChanged,
    InstrumentListed,
    LegFilled,
    Marked,
    OrderReduced,
    OrderRemoved,
    OrderRested,
    OrdersCancelled,
    OrdersUnbacked,
    ProtectionChanged,
    QuoteRefused,
    TriggerFired,
    TriggerPlaced,
    TriggerRemoved,
    decode_events,
)
from proofbook.protocol.limits import Reject, Removal, Side, Tag
from proofbook.queries.instruments import read_instrument

ACCOUNT_MEMBERS = (
    "account", "recipient", "maker_account", "taker_account", "buyer", "seller", "bidder", "target",
    "holder",
)  # fmt: skip
"""Members of events that name accounts, whichever the event."""

KINDS: dict[int, str] = {tag.value: tag.name for tag in Tag}


@dataclass(slots=True)
class Rows:
    """Rows by table, ready to be written with the position that they bring."""

    tables: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])

    def add(self, table: str, row: Row) -> None:
        self.tables.setdefault(table, []).append(row)

    @property
    def count(self) -> int:
        return sum(map(len, self.tables.values()))


class Projection:
    """Turns entries into rows, in order, from wherever its engine stands.

    What accounts had before is read off the state: every change of it has a row.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._balances = Balances(engine)
        self._holdings = Holdings(engine)
        for account, record in every_account(engine):
            self._balances.take_up(account, record)
            self._holdings.take_up(account, record)

    def take(self, read: Read, rows: Rows) -> None:
        """Execute the next entry and add what it did."""
        (result,) = self.engine.apply([read.entry])
        events = list(decode_events(result.events))
        _, window_ns, received_ns = HEAD.unpack_from(read.entry.ljust(HEAD.size, b"\0"))
        kind = kind_of(read.entry)
        accounts = sorted({account for event in events for account in accounts_of(event)})
        rows.add("entries", entry_row(read, result, kind, window_ns, received_ns, events))
        for place, event in enumerate(events):
            self._take_event(rows, read.seq, place, window_ns, event)
        for account, place, *change in self._balances.changes(kind, accounts, events):
            rows.add("transactions", (read.seq, account, place, window_ns, *change))
        for account, instrument, *after in self._holdings.changes(kind, accounts, events):
            rows.add("positions", (read.seq, account, instrument, window_ns, *after))

    def _take_event(self, rows: Rows, seq: int, place: int, window_ns: int, event: Event) -> None:
        if isinstance(event, InstrumentListed | ComboCreated):
            rows.add("instruments", (seq, place, *self._instrument(event)))
        elif isinstance(event, Filled):
            for row in fill_rows(event):
                rows.add("fills", (seq, place, row[0], window_ns, *row[1:]))
        elif isinstance(event, AuctionFilled):
            for row in auction_rows(event):
                rows.add("fills", (seq, place, row[0], window_ns, *row[1:]))
        elif isinstance(event, LegFilled):
            rows.add("leg_fills", (seq, place, window_ns, *event))
        elif (price := price_row(event)) is not None:
            rows.add("prices", (seq, place, window_ns, *price))
        elif (change := order_row(event)) is not None:
            rows.add("order_changes", (seq, place, window_ns, *change))

    def _instrument(self, event: InstrumentListed | ComboCreated) -> Row:
        instrument = read_instrument(self.engine, event)
        return (
            instrument.number, instrument.name, instrument.symbol, instrument.kind.name,
            instrument.expiry_ns, instrument.strike_atoms, instrument.tick_atoms,
            instrument.lot_nanos, instrument.price_offset_ticks,
        )  # fmt: skip


def kind_of(entry: bytes) -> str:
    """Return the name of an entry's command; of an unknown one its tag in hexadecimal."""
    if len(entry) <= HEAD.size:
        return ""
    tag = entry[HEAD.size]
    return KINDS.get(tag, f"{tag:#04x}")


def accounts_of(event: Event) -> list[int]:
    """Return the accounts that an event names; 0 is none, and some recipients are addresses."""
    members = (getattr(event, name, 0) for name in ACCOUNT_MEMBERS)
    return [account for account in members if isinstance(account, int) and account]


def entry_row(
    read: Read, result: Result, kind: str, window_ns: int, received_ns: int, events: list[Event]
) -> Row:
    """Return the row of an entry; its account is the first that its events name."""
    outcome = result.outcome
    account = next((number for event in events for number in accounts_of(event)), None)
    reason = None if outcome.is_applied else outcome.name.removeprefix("VOID_")
    return (
        read.seq, window_ns, received_ns, kind, account, read.hash, outcome.kind.name, reason,
    )  # fmt: skip


def fill_rows(event: Filled) -> list[Row]:
    """Return a fill as its buyer and as its seller see it, the buyer first."""
    shared = (event.instrument, event.price_ticks, event.lots)
    maker = (
        1 - event.taker_side, event.maker_account, event.taker_account, *shared,
        "MAKER", event.maker_fee_atoms, event.maker_order or None, None,
    )  # fmt: skip
    taker = (
        event.taker_side, event.taker_account, event.maker_account, *shared,
        "TAKER", event.taker_fee_atoms, None, event.taker_nonce,
    )  # fmt: skip
    return [taker, maker] if event.taker_side == Side.BUY else [maker, taker]


def auction_rows(event: AuctionFilled) -> list[Row]:
    """Return a fill of an auction, in which both are makers, the buyer first."""
    shared = (event.instrument, event.price_ticks, event.lots, "MAKER")
    return [
        (
            int(Side.BUY), event.buyer, event.seller, *shared,
            event.buyer_fee_atoms, event.bid_order, None,
        ),
        (
            int(Side.SELL), event.seller, event.buyer, *shared,
            event.seller_fee_atoms, event.ask_order, None,
        ),
    ]  # fmt: skip


def price_row(event: Event) -> Row | None:
    """Return kind, underlying, instrument and value of what an event says about prices."""
    if isinstance(event, IndexChanged):
        return "INDEX", event.underlying, 0, event.price_atoms
    if isinstance(event, Marked):
        return "MARK", 0, event.instrument, event.mark_atoms
    if isinstance(event, FundingChanged):
        return "FUNDING_INDEX", 0, event.instrument, event.funding_index
    return None


def order_row(event: Event) -> Row | None:
    """Return what an event says about orders, from the account on."""
    if isinstance(event, OrderRested):
        return (
            event.account, event.instrument, event.order, event.nonce, "RESTED", None,
            event.side, event.price_ticks, event.lots, text_of(event.label),
        )  # fmt: skip
    if isinstance(event, OrderRemoved | OrderReduced):
        change = "REMOVED" if isinstance(event, OrderRemoved) else "REDUCED"
        return (
            event.account, event.instrument, event.order, event.nonce, change,
            Removal(event.removal).name, event.side, event.price_ticks, event.lots, None,
        )  # fmt: skip
    if isinstance(event, QuoteRefused):
        return (
            event.account, event.instrument, 0, event.nonce, "QUOTE_REFUSED",
            Reject(event.reason).name, event.side, None, None, None,
        )  # fmt: skip
    if isinstance(event, TriggerPlaced):
        return (
            event.account, event.instrument, event.trigger, event.nonce, "WAITING", None,
            event.side, event.price_ticks, event.lots, text_of(event.label),
        )  # fmt: skip
    if isinstance(event, TriggerFired):
        reason = Reject(event.reason).name if event.reason else None
        return _of_trigger(event, "FIRED", reason)
    if isinstance(event, TriggerRemoved):
        return _of_trigger(event, "WAITING_REMOVED", Removal(event.removal).name)
    return _of_many(event)


def _of_trigger(event: TriggerFired | TriggerRemoved, change: str, detail: str | None) -> Row:
    rest = (None,) * 4
    return event.account, event.instrument, event.trigger, None, change, detail, *rest


def _of_many(event: Event) -> Row | None:
    """Return what ends many orders at once, or may: its row has no order's number."""
    if isinstance(event, OrdersCancelled):
        change, detail = "ALL_CANCELLED", str(event.order_epoch)
    elif isinstance(event, OrdersUnbacked):
        change, detail = "ALL_UNBACKED", None
    elif isinstance(event, ProtectionChanged):
        change = "PROTECTION_FROZEN" if event.frozen_until_ns else "PROTECTION_SET"
        detail = str(event.protection)
    elif isinstance(event, DeadManSet):
        change, detail = "DEADLINE_SET", str(event.deadline_ns)
    else:
        return None
    return event.account, 0, 0, None, change, detail, None, None, None, None


def text_of(label: bytes) -> str:
    """Return a label as text; bytes that are none are written in hexadecimal digits."""
    return label.rstrip(b"\0").decode("ascii", "backslashreplace").replace("\0", "\\x00")
