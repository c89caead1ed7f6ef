"""One account's way to a venue, in ticks and lots; counts what it sends and what comes back."""

import time
from collections.abc import Awaitable, Sequence
from decimal import Decimal
from typing import TypeVar

from proofbook.api.actions import PlaceReply, QuoteRow
from proofbook.api.display import ATOM_DIGITS, NANO_DIGITS, decimal_text, steps_exact, usdc_atoms
from proofbook.api.errors import ApiError
from proofbook.api.schema import InstrumentReply, SideName
from proofbook.client import Trader
from proofbook.liquidity.quoting import Fair, Intent, Quote
from proofbook.liquidity.tally import Tally
from proofbook.protocol.limits import Side, TimeInForce

Reply = TypeVar("Reply")


class NotMarked(Exception):
    """An instrument without a mark: nobody can trade it yet."""

    def __init__(self, instrument: str) -> None:
        super().__init__(f"{instrument} has no mark")
        self.instrument = instrument


class Desk:
    """A trader with a tally. Rejections are counted and come back as None."""

    def __init__(self, trader: Trader, tally: Tally) -> None:
        self.trader = trader
        self.tally = tally

    async def fair(self, instrument: InstrumentReply, vega_ticks: float = 0.0) -> Fair:
        """Return the venue's mark. Raises NotMarked, ConnectionLost."""
        ticker = await self.trader.client.ticker(instrument.name)
        if ticker.mark is None:
            raise NotMarked(instrument.name)
        return Fair(float(Decimal(ticker.mark) / Decimal(instrument.price_step)), vega_ticks)

    async def place(self, instrument: InstrumentReply, intent: Intent) -> PlaceReply | None:
        """Place an order. Raises ReceiptInvalid, ConnectionLost."""
        self.tally.orders += 1
        reply = await self._count(
            self.trader.place(
                instrument.name,
                Side(intent.side).name.lower(),  # type: ignore[arg-type]
                price_text(intent.price_ticks, instrument),
                amount_text(intent.lots, instrument),
                time_in_force=TimeInForce(intent.time_in_force).name.lower(),  # type: ignore[arg-type]
                post_only=intent.post_only,
                reduce_only=intent.reduce_only,
            )
        )
        if reply is not None:
            self.tally.fills += len(reply.fills)
        return reply

    async def quote(
        self, instruments: Sequence[InstrumentReply], quotes: Sequence[Quote], protection: int
    ) -> list[str]:
        """Replace both quotes in each instrument; return why some do not rest.

        Raises ReceiptInvalid, ConnectionLost.
        """
        rows = [
            row
            for instrument, quote in zip(instruments, quotes, strict=True)
            for row in quote_rows(instrument, quote)
        ]
        self.tally.orders += len(rows)
        reply = await self._count(self.trader.quote(rows, protection=protection))
        reasons = [] if reply is None else [row.refused for row in reply.quotes if row.refused]
        self.tally.rejections.update(reasons)
        return reasons

    async def protect(self, protection: int, limit: str, interval_ns: int) -> None:
        """Bound what quotes may trade within an interval. Raises ReceiptInvalid, ConnectionLost."""
        await self._count(self.trader.set_protection(protection, limit, interval_ns))

    async def thaw(self, protection: int) -> None:
        """Let a protection take quotes again. Raises ReceiptInvalid, ConnectionLost."""
        await self._count(self.trader.reset_protection(protection))

    async def cancel(self, order: str) -> None:
        """Cancel an order that may be gone already. Raises ReceiptInvalid, ConnectionLost."""
        await self._count(self.trader.cancel(order))

    async def cancel_all(self) -> None:
        """End every order of the account. Raises ReceiptInvalid, ConnectionLost."""
        await self._count(self.trader.cancel_all())

    async def _count(self, action: Awaitable[Reply]) -> Reply | None:
        sent_ns = time.monotonic_ns()
        try:
            reply = await action
        except ApiError as error:
            self.tally.rejections[error.reason] += 1
            return None
        self.tally.receipted(sent_ns)
        return reply


def quote_rows(instrument: InstrumentReply, quote: Quote) -> tuple[QuoteRow, QuoteRow]:
    """Return the two sides of a quote as the interface takes them."""
    amount = amount_text(quote.lots, instrument)
    sides: tuple[tuple[SideName, int], ...] = ("buy", quote.bid_ticks), ("sell", quote.ask_ticks)
    bid, ask = (
        QuoteRow(
            instrument=instrument.name,
            side=side,
            price=price_text(ticks, instrument),
            amount=amount,
        )
        for side, ticks in sides
    )
    return bid, ask


def price_text(ticks: int, instrument: InstrumentReply) -> str:
    """Return a price in ticks as the interface takes it."""
    return decimal_text(ticks * usdc_atoms(instrument.price_step), ATOM_DIGITS)


def amount_text(lots: int, instrument: InstrumentReply) -> str:
    """Return a size in lots as the interface takes it."""
    return decimal_text(lots * steps_exact(instrument.amount_step, 1, NANO_DIGITS), NANO_DIGITS)
