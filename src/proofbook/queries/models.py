"""The read models of a venue, fed with every group in order, and what each group changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Self

import msgspec

from proofbook.api.display import decimal_text, mark_text, usdc_text
from proofbook.api.schema import AccountNotice, BookNotice, SideName, TradeNotice
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import HEAD
from proofbook.protocol.events import (
    AccountReduced,
    AuctionFilled,
    BlockTraded,
    ComboCreated,
    ConversionEnded,
    ConversionStarted,
    DeadManSet,
    DeficitCovered,
    DeleveragingEnded,
    DeleveragingStarted,
    Deposited,
    Event,
    FeesAssigned,
    Filled,
    FundingSettled,
    InstrumentChanged,
    InstrumentListed,
    InstrumentReleased,
    LegFilled,
    LiquidationAuctionEnded,
    LiquidationAuctionStarted,
    LiquidationAuctionTaken,
    MarginModeSet,
    Marked,
    OrderReduced,
    OrderRemoved,
    OrderRested,
    OrdersCancelled,
    OrdersUnbacked,
    PositionDeleveraged,
    PositionSettled,
    PositionTransferred,
    ProtectionChanged,
    QuoteAccepted,
    QuoteRefused,
    SessionGranted,
    SessionRevoked,
    TermsChanged,
    Transferred,
    TriggerFired,
    TriggerPlaced,
    TriggerRemoved,
    WithdrawalQueued,
    WithdrawalReduced,
    decode_event,
    decode_events,
)
from proofbook.protocol.limits import (
    QUOTE_TOKEN,
    EventTag,
    InstrumentState,
    Reject,
    Removal,
    Side,
    TriggerCondition,
)
from proofbook.protocol.replay import EventAt, RestingOrder
from proofbook.queries.books import Book, Books, BooksKept, Lapsed, Level, read_ends
from proofbook.queries.instruments import Instrument, Instruments, InstrumentsKept
from proofbook.queries.tokens import tokens_of
from proofbook.queries.trades import Trades

ACCOUNT_EVENTS: dict[type[Event], EventTag] = {
    Deposited: EventTag.DEPOSITED,
    WithdrawalQueued: EventTag.WITHDRAWAL_QUEUED,
    OrderRested: EventTag.ORDER_RESTED,
    OrderRemoved: EventTag.ORDER_REMOVED,
    OrderReduced: EventTag.ORDER_REDUCED,
    OrdersCancelled: EventTag.ORDERS_CANCELLED,
    QuoteRefused: EventTag.QUOTE_REFUSED,
    ProtectionChanged: EventTag.PROTECTION_CHANGED,
    DeadManSet: EventTag.DEAD_MAN_SET,
    SessionGranted: EventTag.SESSION_GRANTED,
    SessionRevoked: EventTag.SESSION_REVOKED,
    FeesAssigned: EventTag.FEES_ASSIGNED,
    MarginModeSet: EventTag.MARGIN_MODE_SET,
    Transferred: EventTag.TRANSFERRED,
    PositionTransferred: EventTag.POSITION_TRANSFERRED,
    TriggerPlaced: EventTag.TRIGGER_PLACED,
    TriggerFired: EventTag.TRIGGER_FIRED,
    TriggerRemoved: EventTag.TRIGGER_REMOVED,
    QuoteAccepted: EventTag.QUOTE_ACCEPTED,
    BlockTraded: EventTag.BLOCK_TRADED,
    LegFilled: EventTag.LEG_FILLED,
    FundingSettled: EventTag.FUNDING_SETTLED,
    OrdersUnbacked: EventTag.ORDERS_UNBACKED,
    AccountReduced: EventTag.ACCOUNT_REDUCED,
    LiquidationAuctionStarted: EventTag.LIQUIDATION_AUCTION_STARTED,
    LiquidationAuctionTaken: EventTag.LIQUIDATION_AUCTION_TAKEN,
    LiquidationAuctionEnded: EventTag.LIQUIDATION_AUCTION_ENDED,
    DeficitCovered: EventTag.DEFICIT_COVERED,
    WithdrawalReduced: EventTag.WITHDRAWAL_REDUCED,
    DeleveragingStarted: EventTag.DELEVERAGING_STARTED,
    PositionDeleveraged: EventTag.POSITION_DELEVERAGED,
    DeleveragingEnded: EventTag.DELEVERAGING_ENDED,
    PositionSettled: EventTag.POSITION_SETTLED,
}
"""Events of an account, or of two as `accounts_of` says; a fill stands apart."""

PRICES = {"price_ticks": "price", "trigger_ticks": "trigger_price"}
"""Members of events that are prices, and what people call them."""


class Moment(NamedTuple):
    """Where in the order something happened."""

    seq: int
    window_ns: int


class Told(NamedTuple):
    """An event that an account is told of, put into words when somebody wants them.

    `instrument`: the one that it names, kept because its number may be forgotten.
    """

    account: int
    moment: Moment
    event: Event
    instrument: Instrument | None
    decimals: Mapping[int, int]

    @property
    def seq(self) -> int:
        return self.moment.seq

    def notice(self) -> AccountNotice:
        """Return what is sent."""
        return AccountNotice(
            account=self.account,
            seq=self.moment.seq,
            window_ns=str(self.moment.window_ns),
            event=ACCOUNT_EVENTS[type(self.event)].name,
            fields=event_fields(self.event, self.instrument, self.decimals),
        )


class TradeTold(NamedTuple):
    """A trade that one of its two sides is told of: the first or the second."""

    account: int
    trade: TradeNotice
    event: Filled | AuctionFilled
    side: int

    @property
    def seq(self) -> int:
        return self.trade.seq

    def notice(self) -> AccountNotice:
        """Return what is sent."""
        event = self.event
        if isinstance(event, Filled):
            return fill_notices(self.trade, event)[self.side]
        return auction_notices(self.trade, event)[self.side]


@dataclass(slots=True)
class Changes:
    """What one group did, ready to be sent to subscribers."""

    books: list[BookNotice] = field(default_factory=list[BookNotice])
    trades: list[TradeNotice] = field(default_factory=list[TradeNotice])
    accounts: list["Told | TradeTold"] = field(default_factory=list["Told | TradeTold"])


class ModelsKept(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps of read models; of each trade its members, oldest first."""

    seq: int
    window_ns: int
    instruments: InstrumentsKept
    books: BooksKept
    trades: list[tuple[int, list[tuple[Any, ...]]]]
    for_sale: list[int]


class ReadModels:
    """Instruments, books and last trades, as of the last durable group."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.instruments = Instruments()
        self.books = Books()
        self.trades = Trades()
        self.for_sale: set[int] = set()
        self.decimals = {token.number: token.decimals for token in tokens_of(engine)}
        self.seq = 0
        self.window_ns = 0
        self._takers = self._takers_by_event()
        self._released: list[int] = []

    def keep(self) -> ModelsKept:
        """Return what `restored` needs."""
        trades = [
            (number, [msgspec.structs.astuple(trade) for trade in kept])
            for number, kept in self.trades
        ]
        instruments, books = self.instruments.keep(), self.books.keep()
        for_sale = sorted(self.for_sale)
        return ModelsKept(self.seq, self.window_ns, instruments, books, trades, for_sale)

    @classmethod
    def restored(cls, engine: Engine, kept: ModelsKept) -> Self:
        """Return the read models of a snapshot, over an engine that stands where it was taken."""
        models = cls(engine)
        models.seq, models.window_ns = kept.seq, kept.window_ns
        models.instruments = Instruments.restored(kept.instruments)
        models.books = Books.restored(kept.books)
        names = TradeNotice.__struct_fields__
        for number, rows in kept.trades:
            for row in rows:
                models.trades.keep(number, TradeNotice(**dict(zip(names, row, strict=True))))
        models.for_sale = set(kept.for_sale)
        models._takers = models._takers_by_event()
        return models

    def apply(
        self,
        first_seq: int,
        entries: Sequence[bytes],
        results: Sequence[Result],
        is_followed: Callable[[str], bool] = lambda instrument: True,
    ) -> Changes:
        """Take up a group and return what it changed, of books those that somebody follows."""
        changes = Changes()
        for seq, (entry, result) in enumerate(zip(entries, results, strict=True), first_seq):
            _, window_ns, _ = HEAD.unpack_from(entry)
            if window_ns > self.window_ns:
                self.books.pass_time(window_ns)
            self.seq, self.window_ns = seq, window_ns
            moment = Moment(seq, window_ns)
            for index, event in enumerate(decode_events(result.events)):
                self._take(changes, moment, index, event)
        for number in self.books.take_touched():
            instrument, book = self.instruments.numbered(number), self.books.book(number)
            if is_followed(instrument.name):
                changes.books.append(self._book_change(instrument, book))
            else:
                book.pass_changes()
        self._forget_released()
        return changes

    def hand(self, rows: Iterable[EventAt]) -> None:
        """Take up what has to be seen in order of entries that are executed in one go."""
        for seq, window_ns, _, data in rows:
            if window_ns > self.window_ns:
                self.books.pass_time(window_ns)
            self.seq, self.window_ns = seq, window_ns
            event = decode_event(data)
            taker = self._takers.get(type(event))
            if taker is not None:
                taker(event)
        self._forget_released()

    def catch_up(self, window_ns: int, trades: Iterable[EventAt], live: list[RestingOrder]) -> None:
        """Take up the rest of it: time, the last trades, and the orders that rest now."""
        self.seq, self.window_ns = self.engine.seq, window_ns
        self.books.pass_time(window_ns)
        self.books.forget_orders()
        self.books.stand(live)
        for row in trades:
            event = decode_event(row.event)
            assert isinstance(event, Filled | AuctionFilled), f"{event} is no trade"
            if self.instruments.is_listed(event.instrument):
                trade = self._trade(Moment(row.seq, row.window_ns), row.place, event)
                self._keep_trade(event.instrument, trade)

    def told(self, rows: Iterable[EventAt]) -> Iterator[Told | TradeTold]:
        """Yield what accounts are told of events."""
        for seq, window_ns, place, data in rows:
            moment, event = Moment(seq, window_ns), decode_event(data)
            if isinstance(event, Filled | AuctionFilled):
                yield from trade_told(self._trade(moment, place, event), event)
            else:
                yield from self._told(moment, event)

    def snapshot(self, instrument: Instrument) -> BookNotice:
        """Return the whole book, with which a subscription begins."""
        book = self.books.book(instrument.number)
        return BookNotice(
            type="snapshot",
            instrument=instrument.name,
            seq=self.seq,
            change_id=book.change_id,
            prev_change_id=None,
            bids=level_texts(instrument, book.levels(Side.BUY)),
            asks=level_texts(instrument, book.levels(Side.SELL)),
        )

    def is_crossed(self, number: int) -> bool:
        """Whether a bid of a book reaches an ask, as it may where orders wait for an auction."""
        book = self.books.book(number)
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        return bid is not None and ask is not None and bid[0] >= ask[0]

    def take_lapsed(self) -> list[Lapsed]:
        """Return the orders that can trade no more since the last call."""
        return self.books.take_lapsed()

    def _take(self, changes: Changes, moment: Moment, index: int, event: Event) -> None:
        kind = type(event)
        taker = self._takers.get(kind)
        if taker is not None:
            taker(event)
        elif isinstance(event, Filled):
            self._take_fill(changes, moment, index, event)
        elif isinstance(event, AuctionFilled):
            self._take_auction_fill(changes, moment, index, event)
        if isinstance(event, OrderRested | OrderRemoved):  # most are, and concern one account
            instrument = self.instruments.find(event.instrument)
            told = event.account, moment, event, instrument, self.decimals
            changes.accounts.append(Told._make(told))
        elif kind in ACCOUNT_EVENTS:
            changes.accounts += self._told(moment, event)

    def _told(self, moment: Moment, event: Event) -> list[Told]:
        instrument = self.instruments.find(getattr(event, "instrument", 0))
        return [
            Told(account, moment, event, instrument, self.decimals)
            for account in accounts_of(event)
        ]

    def _forget_released(self) -> None:
        for number in self._released:
            self.books.released(number)
            self.trades.forget(number)
        self._released.clear()

    def _takers_by_event(self) -> dict[type[Any], Callable[[Any], None]]:
        """Return what takes up each kind of event that is no trade."""
        return {
            InstrumentListed: self._take_listed,
            ComboCreated: self._take_listed,
            InstrumentReleased: self._take_released,
            InstrumentChanged: self._take_changed,
            TermsChanged: self.instruments.terms_changed,
            Marked: partial(self.instruments.marked, self.engine),
            OrderRested: self._take_rested,
            OrderRemoved: self.books.removed,
            OrderReduced: self.books.reduced,
            OrdersCancelled: self.books.cancelled,
            ProtectionChanged: self.books.protection_changed,
            ConversionStarted: lambda event: self.for_sale.add(event.account),
            ConversionEnded: lambda event: self.for_sale.discard(event.account),
            DeadManSet: self.books.dead_man_set,
        }

    def _take_listed(self, event: InstrumentListed | ComboCreated) -> None:
        self.instruments.add(self.engine, event)
        if event.expiry_ns:
            self.books.ends_at(event.instrument, event.expiry_ns)

    def _take_released(self, event: InstrumentReleased) -> None:
        self.instruments.released(event)
        self._released.append(event.instrument)

    def _take_changed(self, event: InstrumentChanged) -> None:
        if event.state == InstrumentState.EXPIRED:
            self.books.ended(self.instruments.with_combos(event.instrument))

    def _take_rested(self, event: OrderRested) -> None:
        self.books.rested(event, read_ends(self.engine, event.order))

    def _take_fill(self, changes: Changes, moment: Moment, index: int, event: Filled) -> None:
        self.books.filled(event)
        trade = self._keep_trade(event.instrument, self._trade(moment, index, event))
        changes.trades.append(trade)
        changes.accounts += trade_told(trade, event)

    def _take_auction_fill(
        self, changes: Changes, moment: Moment, index: int, event: AuctionFilled
    ) -> None:
        self.books.auctioned(event)
        trade = self._keep_trade(event.instrument, self._trade(moment, index, event))
        changes.trades.append(trade)
        changes.accounts += trade_told(trade, event)

    def _trade(self, moment: Moment, index: int, event: Filled | AuctionFilled) -> TradeNotice:
        """Return a fill as a trade; of an auction nobody is the taker, and it counts as bought."""
        instrument = self.instruments.numbered(event.instrument)
        side = event.taker_side if isinstance(event, Filled) else Side.BUY
        return TradeNotice(
            trade=f"{moment.seq}.{index}",
            instrument=instrument.name,
            seq=moment.seq,
            window_ns=str(moment.window_ns),
            price=instrument.price(event.price_ticks),
            amount=instrument.amount(event.lots),
            side=side_name(side),
        )

    def _keep_trade(self, instrument: int, trade: TradeNotice) -> TradeNotice:
        """Keep a trade with the last ones of its instrument."""
        self.trades.keep(instrument, trade)
        return trade

    def _book_change(self, instrument: Instrument, book: Book) -> BookNotice:
        previous = book.change_id
        bids, asks = book.take_changes()
        return BookNotice(
            type="change",
            instrument=instrument.name,
            seq=self.seq,
            change_id=book.change_id,
            prev_change_id=previous,
            bids=level_texts(instrument, bids),
            asks=level_texts(instrument, asks),
        )


def accounts_of(event: Event) -> list[int]:
    """Return whom an event of ACCOUNT_EVENTS concerns."""
    if isinstance(event, OrderRested | OrderRemoved):  # most are, and ask no further
        return [event.account]
    if isinstance(event, QuoteAccepted | BlockTraded | LegFilled):
        return [event.maker_account, event.taker_account]
    accounts: list[int] = [event.account]  # type: ignore[union-attr]
    if isinstance(event, Transferred | PositionTransferred):
        accounts.append(event.recipient)
    elif isinstance(event, PositionDeleveraged):
        accounts.append(event.holder)
    return accounts


def level_texts(instrument: Instrument, levels: Sequence[Level]) -> list[tuple[str, str]]:
    """Return levels as decimals."""
    return [(instrument.price(ticks), instrument.amount(lots)) for ticks, lots in levels]


def side_name(side: int) -> SideName:
    return "buy" if side == Side.BUY else "sell"


def trade_told(trade: TradeNotice, event: Filled | AuctionFilled) -> list[TradeTold]:
    """Return whom a trade is told: maker and taker, of an auction buyer and seller."""
    is_fill = isinstance(event, Filled)
    first = event.maker_account if is_fill else event.buyer
    second = event.taker_account if is_fill else event.seller
    return [TradeTold(first, trade, event, 0), TradeTold(second, trade, event, 1)]


def fill_notices(trade: TradeNotice, event: Filled) -> list[AccountNotice]:
    """Return what a fill means to its maker and to its taker."""
    maker = {
        "role": "maker",
        "side": side_name(1 - event.taker_side),
        "fee": usdc_text(event.maker_fee_atoms),
        "order": str(event.maker_order),
    }
    taker = {
        "role": "taker",
        "side": trade.side,
        "fee": usdc_text(event.taker_fee_atoms),
        "nonce": str(event.taker_nonce),
    }
    return [
        _fill_notice(trade, event.maker_account, maker),
        _fill_notice(trade, event.taker_account, taker),
    ]


def auction_notices(trade: TradeNotice, event: AuctionFilled) -> list[AccountNotice]:
    """Return what a fill of an auction means to its buyer and to its seller, makers both."""
    rows = (
        (event.buyer, Side.BUY, event.buyer_fee_atoms, event.bid_order),
        (event.seller, Side.SELL, event.seller_fee_atoms, event.ask_order),
    )
    return [
        _fill_notice(
            trade,
            account,
            {
                "role": "maker",
                "side": side_name(side),
                "fee": usdc_text(fee_atoms),
                "order": str(order),
            },
        )
        for account, side, fee_atoms, order in rows
    ]


def _fill_notice(trade: TradeNotice, account: int, fields: dict[str, str]) -> AccountNotice:
    shared = {
        "trade": trade.trade,
        "instrument": trade.instrument,
        "price": trade.price,
        "amount": trade.amount,
    }
    return AccountNotice(
        account=account,
        seq=trade.seq,
        window_ns=trade.window_ns,
        event=EventTag.FILLED.name,
        fields=shared | fields,
    )


def event_fields(
    event: Event, instrument: Instrument | None, decimals: Mapping[int, int]
) -> dict[str, str]:
    """Return the members of an event as text, in the units that people use.

    `instrument` is the one that it names, if it is known; `decimals` are those of the venue's
    tokens; of another token atoms are told.
    """
    members = event._asdict()
    if not isinstance(event, Transferred | PositionTransferred):
        members.pop("account", None)
    fields: dict[str, str] = {}
    if isinstance(event, FundingSettled):
        fields["paid"] = usdc_text(event.paid_atoms)
        members.pop("index_before")
        members.pop("index_after")
    if instrument is not None:  # a quote is refused for one that does not exist, too
        del members["instrument"]
        fields["instrument"] = instrument.name
        for ticks in members.keys() & PRICES:
            fields[PRICES[ticks]] = instrument.price(members.pop(ticks))
        if "lots" in members:
            fields["amount"] = instrument.amount(members.pop("lots"))
        if "taker_lots" in members:
            fields["taker_amount"] = instrument.amount(members.pop("taker_lots"))
            fields["paid_per_lot"] = usdc_text(members.pop("atoms_per_lot"))
        if "mark_atoms" in members:
            fields["mark"] = mark_text(members.pop("mark_atoms"), instrument.lot_nanos)
    if "amount_atoms" in members:
        places = decimals.get(members.get("token", QUOTE_TOKEN), 0)
        fields["amount"] = decimal_text(members.pop("amount_atoms"), places)
    if "paid_atoms" in members:
        fields["paid"] = usdc_text(members.pop("paid_atoms"))
    if "side" in members:
        fields["side"] = side_name(members.pop("side"))
    if "removal" in members:
        fields["removal"] = Removal(members.pop("removal")).name
    if members.get("condition"):
        fields["condition"] = TriggerCondition(members.pop("condition")).name
    if members.get("reason"):
        fields["reason"] = Reject(members.pop("reason")).name
    if "label" in members:
        fields["label"] = members.pop("label").rstrip(b"\0").decode("ascii", "replace")
    return fields | {name: _text(value) for name, value in members.items()}


def _text(value: int | bytes) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
