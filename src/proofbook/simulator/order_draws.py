"""Draws of what traders do with orders: placing, amending, quoting, stops, cancels."""

from proofbook.protocol.commands import (
    Amend,
    Cancel,
    CancelAll,
    CancelTrigger,
    FireTrigger,
    Place,
    PlaceTrigger,
    Quote,
    QuoteBatch,
    ResetProtection,
    SetDeadMan,
    SetMarginMode,
    SetProtection,
)
from proofbook.protocol.events import (
    Event,
    Filled,
    InstrumentChanged,
    OrderReduced,
    OrderRemoved,
    OrderRested,
    OrdersCancelled,
    TriggerFired,
    TriggerPlaced,
    TriggerRemoved,
)
from proofbook.protocol.genesis import UnderlyingGrid
from proofbook.protocol.limits import (
    InstrumentMode,
    MarginMode,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.simulator.crowd import Crowd
from proofbook.simulator.listed import Listed

MAX_FEE_PPM = 1_000
TIMES_IN_FORCE = (
    TimeInForce.GOOD_TILL_CANCELLED,
    TimeInForce.GOOD_TILL_CANCELLED,
    TimeInForce.GOOD_TILL_TIME,
    TimeInForce.IMMEDIATE_OR_CANCEL,
    TimeInForce.FILL_OR_KILL,
)

AUCTIONED_SHARE = 0.2
"""Of orders, for a book that matches in auctions: only one that is crossed has anything to do."""


class OrderDraws(Crowd):
    """A crowd that also trades in books, and knows which orders of whom wait or rest there."""

    def __init__(
        self, seed: int, traders: int, hostile_share: float, grids: tuple[UnderlyingGrid, ...]
    ) -> None:
        super().__init__(seed, traders, hostile_share, grids)
        self.orders: dict[int, int] = {}
        self.order_lots: dict[int, int] = {}
        self.order_books: dict[int, int] = {}
        self.triggers: dict[int, int] = {}
        self.auctioned: set[int] = set()

    def observe_orders(self, event: Event) -> None:
        """Learn which orders rest or wait, and which books match in auctions."""
        if isinstance(event, OrderRested):
            self.orders[event.order] = event.account
            self.order_lots[event.order] = event.lots
            self.order_books[event.order] = event.instrument
        elif isinstance(event, Filled | OrderReduced):
            self._take_lots(event)
        elif isinstance(event, OrderRemoved):
            self.orders.pop(event.order, None)
        elif isinstance(event, OrdersCancelled):
            owned = [o for o, account in self.orders.items() if account == event.account]
            for order in owned:
                del self.orders[order]
        elif isinstance(event, TriggerPlaced):
            self.triggers[event.trigger] = event.account
        elif isinstance(event, TriggerFired | TriggerRemoved):
            self.triggers.pop(event.trigger, None)
        elif isinstance(event, InstrumentChanged):
            is_batched = event.mode == InstrumentMode.BATCH_AUCTION
            is_auctioned = is_batched or event.phase
            change = self.auctioned.add if is_auctioned else self.auctioned.discard
            change(event.instrument)

    def _take_lots(self, event: Filled | OrderReduced) -> None:
        """Count down what is left of an order, and forget it when nothing is."""
        order = event.maker_order if isinstance(event, Filled) else event.order
        if not order:
            return  # a fill outside the books
        self.order_lots[order] -= event.lots
        if self.order_lots[order] == 0:
            self.orders.pop(order, None)

    def _place(self) -> Place:
        account, nonce, expires_ns = self.header()
        side = self.random.choice((Side.BUY, Side.SELL))
        instrument = self._instrument()
        if instrument is None:
            return Place(account, nonce, expires_ns, 99, side, 10, 1, max_fee_ppm=MAX_FEE_PPM)
        return Place(
            account,
            nonce,
            expires_ns,
            instrument.identifier,
            side,
            self._price(instrument),
            self.random.choice((1, 2, 5, 10, 100, self.random.randrange(1, 2_000))),
            self.random.choice(TIMES_IN_FORCE),
            post_only=self.random.choices(list(PostOnly), (8, 1, 1))[0],
            reduce_only=self.random.random() < 0.2,
            max_fee_ppm=self.random.choice((MAX_FEE_PPM, MAX_FEE_PPM, 500, 2_000)),
            label=self.random.randbytes(8),
            order_type=OrderType(self.random.random() < 0.05),
            self_trade_prevention=self.random.choice(list(SelfTradePrevention)),
            group=self.random.choice((0, 0, 1, 2)),
        )

    def _cancel(self) -> Cancel:
        if not self.orders:
            return Cancel(*self.header(), order=self.random.randrange(1 << 40))
        order = self.random.choice(list(self.orders))
        owner = self.orders[order] if self.random.random() < 0.95 else self._account()
        return Cancel(*self.header(owner), order=order)

    def _price(self, instrument: Listed) -> int:
        """Return a limit near the mark, mostly on tick."""
        fair_ticks, width = instrument.fair_ticks, instrument.width_ticks
        ticks = max(1, fair_ticks + self.random.randint(-width, width))
        if self.random.random() < 0.9:
            table = self.grids[instrument.underlying - 1].tick_table
            is_option = instrument.strike_atoms != 0
            step = max([step for start, step in table if is_option and ticks >= start], default=1)
            ticks -= ticks % step
        return ticks

    def _amend(self) -> Amend:
        if not self.orders:
            return Amend(*self.header(), self.random.randrange(1 << 40), 0, 1)
        order = self.random.choice(list(self.orders))
        owner = self.orders[order] if self.random.random() < 0.95 else self._account()
        listed = self._instrument()
        price_ticks = self._price(listed) if listed and self.random.random() < 0.5 else 0
        return Amend(*self.header(owner), order, price_ticks, self.random.randrange(1, 50))

    def _quote_batch(self) -> QuoteBatch:
        """Quote some instruments near their marks; some quotes are pulled, some cross."""
        listed = sorted(self.instruments.values(), key=lambda listed: listed.identifier)
        chosen = self.random.sample(listed, min(len(listed), self.random.randint(1, 6)))
        quotes: list[Quote] = []
        for instrument in sorted(chosen, key=lambda listed: listed.identifier):
            for side in Side:
                lots = self.random.choice((0, 2, 5, 20, 100))
                quotes.append(Quote(instrument.identifier, side, self._price(instrument), lots))
        return QuoteBatch(
            *self.header(), self.random.choice((0, 0, 0, 1, 2)),
            self.random.choice((PostOnly.REJECT, PostOnly.SLIDE)), MAX_FEE_PPM, tuple(quotes),
        )  # fmt: skip

    def _set_protection(self) -> SetProtection:
        return SetProtection(
            *self.header(), self.random.randint(1, 3), self.random.choice((10**9, 60 * 10**9)),
            self.random.choice((0, 10**6, 10**9)), int(10 ** self.random.uniform(6, 11)),
        )  # fmt: skip

    def _reset_protection(self) -> ResetProtection:
        return ResetProtection(*self.header(), self.random.randint(1, 3))

    def _set_dead_man(self) -> SetDeadMan:
        ahead_ns = self.random.choice((10**6, 10**9, 60 * 10**9, 3600 * 10**9))
        deadline_ns = self.window_ns + ahead_ns if self.random.random() < 0.8 else 0
        return SetDeadMan(*self.header(), deadline_ns)

    def _set_margin_mode(self) -> SetMarginMode:
        return SetMarginMode(*self.header(), self.random.choice(list(MarginMode)))

    def _cancel_all(self) -> CancelAll:
        return CancelAll(*self.header())

    def _place_trigger(self) -> PlaceTrigger:
        """A stop or take-profit close to the mark, so that it often fires."""
        account, nonce, expires_ns = self.header()
        side = self.random.choice((Side.BUY, Side.SELL))
        condition = self.random.choice(list(TriggerCondition))
        instrument = self._instrument()
        if instrument is None:
            return PlaceTrigger(account, nonce, expires_ns, 99, condition, 10, side, 10, 1)
        fair_ticks, width = instrument.fair_ticks, instrument.width_ticks
        return PlaceTrigger(
            account,
            nonce,
            self.window_ns + self.random.randrange(10**13),
            instrument.identifier,
            condition,
            max(1, fair_ticks + self.random.randint(-width, width)),
            side,
            max(1, fair_ticks + self.random.randint(-width, width)),
            self.random.choice((1, 2, 5, 10, 100)),
            self.random.choice(TIMES_IN_FORCE),
            reduce_only=self.random.random() < 0.3,
            self_trade_prevention=self.random.choice(list(SelfTradePrevention)),
            group=self.random.choice((0, 0, 1, 2)),
            max_fee_ppm=MAX_FEE_PPM,
            label=self.random.randbytes(8),
        )

    def _cancel_trigger(self) -> CancelTrigger:
        if not self.triggers:
            return CancelTrigger(*self.header(), trigger=self.random.randrange(1 << 40))
        trigger = self.random.choice(list(self.triggers))
        owner = self.triggers[trigger] if self.random.random() < 0.9 else self._account()
        return CancelTrigger(*self.header(owner), trigger=trigger)

    def _fire_trigger(self) -> FireTrigger:
        return FireTrigger(self.random.choice(list(self.triggers) or [1]))

    def _instrument(self) -> Listed | None:
        """Prefer few instruments, so that orders meet, and mostly such as have not expired."""
        listed = list(self.instruments.values())
        if self.random.random() < 0.9:
            listed = [i for i in listed if i.expiry_ns == 0 or i.expiry_ns > self.window_ns]
        if not listed:
            return None
        auctioned = [instrument for instrument in listed if instrument.identifier in self.auctioned]
        if auctioned and self.random.random() < AUCTIONED_SHARE:
            return self.random.choice(auctioned)
        combos = [instrument for instrument in listed if instrument.legs]
        if combos and self.random.random() < 0.2:
            return self.random.choice(combos[-3:])
        return self.random.choice(listed[:3] if self.random.random() < 0.6 else listed)
