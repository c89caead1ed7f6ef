"""What a trader does with orders and quotes."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from proofbook.api.actions import (
    ConditionName,
    OrderTypeName,
    PlaceReply,
    QuoteReply,
    QuoteRow,
    ReceiptedReply,
    SelfTradePreventionName,
    TimeInForceName,
    TriggerReply,
)
from proofbook.api.convert import post_only_of
from proofbook.api.display import amount_lots
from proofbook.api.schema import ArmedReply, SideName
from proofbook.client.signer import Signer
from proofbook.client.steps import lots_of, number_of, ticks_of
from proofbook.protocol.commands import (
    Amend,
    Cancel,
    CancelAll,
    CancelTrigger,
    Place,
    PlaceTrigger,
    Quote,
    QuoteBatch,
    ResetProtection,
    SetDeadMan,
    SetProtection,
)
from proofbook.protocol.limits import (
    NS_PER_DAY,
    NS_PER_SECOND,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
    TriggerCondition,
)

LABEL_BYTES = 8
WAITS_NS = 30 * NS_PER_DAY


class OrderActions(Signer):
    """Places, changes and ends the orders of one account."""

    async def place(
        self,
        instrument: str,
        side: SideName,
        price: str,
        amount: str,
        *,
        time_in_force: TimeInForceName = "good_till_cancelled",
        post_only: bool = False,
        slide: bool = False,
        reduce_only: bool = False,
        max_fee_ppm: int | None = None,
        label: str = "",
        order_type: OrderTypeName = "limit",
        self_trade_prevention: SelfTradePreventionName = "cancel_maker",
        group: int = 0,
        expires_ns: int | None = None,
    ) -> PlaceReply:
        """Place an order; the default fee limit is what the instrument charges.

        `slide` moves a post-only order that would trade to the next price at which it does not.
        The price of a market order is the worst that is taken. `expires_ns` ends a good-till-time
        order; for all others it bounds the message, by default shortly.
        Units  price in USDC per unit, amount in units of the underlying.
        Raises OffStep, OutOfRange, NotEncodable, ApiError (Rejected with a receipt),
        ReceiptInvalid, ConnectionLost.
        """
        row = self.client.instruments[instrument]
        fee_ppm = max(row.maker_fee_ppm, row.taker_fee_ppm) if max_fee_ppm is None else max_fee_ppm
        account, nonce, default_expires_ns = self.head()
        command = Place(
            account,
            nonce,
            default_expires_ns if expires_ns is None else expires_ns,
            instrument=row.instrument,
            side=Side[side.upper()],
            price_ticks=ticks_of(price, row),
            lots=lots_of(amount, row),
            time_in_force=TimeInForce[time_in_force.upper()],
            post_only=post_only_of(post_only, slide),
            reduce_only=reduce_only,
            max_fee_ppm=fee_ppm,
            label=label.encode().ljust(LABEL_BYTES, b"\0"),
            order_type=OrderType[order_type.upper()],
            self_trade_prevention=SelfTradePrevention[self_trade_prevention.upper()],
            group=group,
        )
        params = {
            "instrument": instrument,
            "side": side,
            "price": price,
            "amount": amount,
            "time_in_force": time_in_force,
            "post_only": post_only,
            "slide": slide,
            "reduce_only": reduce_only,
            "max_fee_ppm": fee_ppm,
            "label": label,
            "order_type": order_type,
            "self_trade_prevention": self_trade_prevention,
            "group": group,
        }
        return await self.act("place", command, params, PlaceReply)

    async def amend(
        self, instrument: str, order: str | int, amount: str, price: str | None = None
    ) -> PlaceReply:
        """Change what remains of an order, and its price if one is given.

        An order that only shrinks keeps its place in the queue and its number.
        """
        row = self.client.instruments[instrument]
        price_ticks = 0 if price is None else ticks_of(price, row)
        number = number_of(order, "amend")
        command = Amend(*self.head(), number, price_ticks, lots_of(amount, row))
        params = {"instrument": instrument, "order": str(order), "amount": amount, "price": price}
        return await self.act("amend", command, params, PlaceReply)

    async def place_trigger(
        self,
        instrument: str,
        condition: ConditionName,
        trigger_price: str,
        side: SideName,
        price: str,
        amount: str,
        *,
        time_in_force: TimeInForceName = "immediate_or_cancel",
        reduce_only: bool = False,
        self_trade_prevention: SelfTradePreventionName = "cancel_maker",
        max_fee_ppm: int | None = None,
        group: int = 0,
        label: str = "",
        expires_ns: int | None = None,
    ) -> TriggerReply:
        """Let an order wait until a price is reached, by default for thirty days at most."""
        row = self.client.instruments[instrument]
        fee_ppm = max(row.maker_fee_ppm, row.taker_fee_ppm) if max_fee_ppm is None else max_fee_ppm
        account, nonce, _ = self.head()
        command = PlaceTrigger(
            account,
            nonce,
            self.client.now_ns() + WAITS_NS if expires_ns is None else expires_ns,
            instrument=row.instrument,
            condition=TriggerCondition[condition.upper()],
            trigger_ticks=ticks_of(trigger_price, row),
            side=Side[side.upper()],
            price_ticks=ticks_of(price, row),
            lots=lots_of(amount, row),
            time_in_force=TimeInForce[time_in_force.upper()],
            reduce_only=reduce_only,
            self_trade_prevention=SelfTradePrevention[self_trade_prevention.upper()],
            group=group,
            max_fee_ppm=fee_ppm,
            label=label.encode().ljust(LABEL_BYTES, b"\0"),
        )
        params = {
            "instrument": instrument,
            "condition": condition,
            "trigger_price": trigger_price,
            "side": side,
            "price": price,
            "amount": amount,
            "time_in_force": time_in_force,
            "reduce_only": reduce_only,
            "self_trade_prevention": self_trade_prevention,
            "group": group,
            "max_fee_ppm": fee_ppm,
            "label": label,
        }
        return await self.act("place_trigger", command, params, TriggerReply)

    async def cancel_trigger(self, trigger: str | int) -> ReceiptedReply:
        """Cancel a waiting order by its number."""
        command = CancelTrigger(*self.head(), trigger=number_of(trigger, "cancel_trigger"))
        return await self.act("cancel_trigger", command, {"trigger": str(trigger)}, ReceiptedReply)

    async def quote(
        self,
        quotes: Sequence[QuoteRow],
        *,
        protection: int = 0,
        slide: bool = False,
        max_fee_ppm: int | None = None,
    ) -> QuoteReply:
        """Replace up to 32 quotes under one signature, one for each side of a book, in any order.

        The default fee limit is the most that any of the instruments charges.
        """
        rows = [self.client.instruments[quote.instrument] for quote in quotes]
        fee_ppm = max_fee_ppm
        if fee_ppm is None:
            fee_ppm = max((max(row.maker_fee_ppm, row.taker_fee_ppm) for row in rows), default=0)
        counted = [
            Quote(
                row.instrument,
                Side[quote.side.upper()],
                ticks_of(quote.price, row),
                lots_of(quote.amount, row),
            )
            for quote, row in zip(quotes, rows, strict=True)
        ]
        command = QuoteBatch(
            *self.head(),
            protection,
            PostOnly.SLIDE if slide else PostOnly.REJECT,
            fee_ppm,
            tuple(sorted(counted, key=lambda quote: (quote.instrument, quote.side))),
        )
        params = {
            "quotes": [structs.asdict(quote) for quote in quotes],
            "protection": protection,
            "slide": slide,
            "max_fee_ppm": fee_ppm,
        }
        return await self.act("quote", command, params, QuoteReply)

    async def set_protection(
        self, protection: int, limit: str, interval_ns: int, frozen_ns: int = 0
    ) -> ReceiptedReply:
        """End all quotes under a protection once they have traded `limit` within an interval.

        No new ones are taken for `frozen_ns` after that; 0: until `reset_protection`.
        Units limit: units of the underlying, of all instruments together.
        """
        limit_nanos = amount_lots(limit, 1)
        command = SetProtection(*self.head(), protection, interval_ns, frozen_ns, limit_nanos)
        params = {
            "protection": protection,
            "limit": limit,
            "interval_ns": str(interval_ns),
            "frozen_ns": str(frozen_ns),
        }
        return await self.act("set_protection", command, params, ReceiptedReply)

    async def reset_protection(self, protection: int) -> ReceiptedReply:
        """Take quotes under a protection again, its count at zero."""
        command = ResetProtection(*self.head(), protection)
        params = {"protection": protection}
        return await self.act("reset_protection", command, params, ReceiptedReply)

    async def set_dead_man(self, deadline_ns: int) -> ReceiptedReply:
        """End every order of the account at a time unless this is sent again; 0: never.

        Units ns since the Unix epoch; `client.now_ns()` is the venue's time.
        """
        command = SetDeadMan(*self.head(), deadline_ns)
        params = {"deadline_ns": str(deadline_ns)}
        return await self.act("set_dead_man", command, params, ReceiptedReply)

    async def cancel(self, order: str | int) -> ReceiptedReply:
        """Cancel a resting order by its number."""
        command = Cancel(*self.head(), order=number_of(order, "cancel"))
        return await self.act("cancel", command, {"order": str(order)}, ReceiptedReply)

    async def cancel_all(self) -> ReceiptedReply:
        """Cancel every resting order of the account at once."""
        return await self.act("cancel_all", CancelAll(*self.head()), {}, ReceiptedReply)

    async def cancel_on_disconnect(self, seconds: int = 3600) -> ArmedReply:
        """Have every order cancelled when this connection ends within so many seconds.

        What is left with the venue is a signed CancelAll: like any command it is refused once 255
        higher nonces were used, so leave a new one before, or trade with another session's key.
        A patient client cancels at each break, and leaves a new one on each connection.
        """
        expires_ns = self.client.now_ns() + seconds * NS_PER_SECOND

        def sign() -> dict[str, Any]:
            account, nonce, _ = self.head()
            return self.signed_params(CancelAll(account, nonce, expires_ns), {})

        return await self.client.arm_cancel_all(sign)

    async def forget_cancel_on_disconnect(self) -> ArmedReply:
        """Let orders stand when this connection ends."""
        return await self.client.arm_cancel_all(None)
