"""A client of one venue: questions, subscriptions, and traders that sign."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from proofbook.api.convert import from_hex
from proofbook.api.development import ShockReply, WarpReply
from proofbook.api.errors import ApiError
from proofbook.api.margin import MarginReply, OrderLeg, SimulateReply, TradeLeg
from proofbook.api.market import (
    CandlesReply,
    FillsReply,
    OrdersReply,
    SummaryReply,
    TradesReply,
    TransactionsReply,
)
from proofbook.api.rates import RateLimitsReply
from proofbook.api.receipt_file import ReceiptFile
from proofbook.api.receipts import Receipt, verify
from proofbook.api.schema import (
    AccountNotice,
    AccountReply,
    ArmedReply,
    BookNotice,
    BookReply,
    DebugReply,
    InstrumentReply,
    ReceiptReply,
    SaleReply,
    StatusReply,
    SubscriptionReply,
    TickerReply,
    TokenReply,
    TradeNotice,
)
from proofbook.api.signing import ADDRESS_BYTES, Key
from proofbook.client.answers import (
    Row,
    address_of,
    by_name,
    check_pinned,
    check_time,
    check_tokens,
    decoded,
    receipt_of,
    separator_of,
)
from proofbook.client.connection import Connection, NoticeHead, Refusal, api_error
from proofbook.client.errors import AnswerInvalid, ReceiptInvalid, TokenUnknown
from proofbook.client.line import Line, SignCancelAll
from proofbook.client.signer import Nonces
from proofbook.client.trader import Trader

Shape = TypeVar("Shape")
AnyNotice = BookNotice | TradeNotice | AccountNotice

CLOCK_SECONDS_MAX = 300.0
"""How far the venue's time may be from ours: messages are good for a minute more."""
NOTICES: dict[str, Any] = {"book": BookNotice, "trades": TradeNotice, "account": AccountNotice}


class Client:
    """A connection with what signing needs: domain, sequencer, instruments, the venue's time."""

    def __init__(
        self,
        connection: Connection | Line,
        status: StatusReply,
        *,
        chain_id: int | None = None,
        contract: bytes | None = None,
        pinned: Sequence[Row] = (),
        clock_seconds_max: float = CLOCK_SECONDS_MAX,
    ) -> None:
        """Take a venue at its word in what is not expected. Raises VenueDiffers, AnswerInvalid."""
        check_tokens(status)
        check_pinned(pinned, status.tokens)
        check_time(status, time.time_ns(), clock_seconds_max)
        self.connection = connection
        self.status = status
        self.instruments: dict[str, InstrumentReply] = {}
        self.receipt_file: ReceiptFile | None = None
        self.separator = separator_of(status, chain_id, contract)
        self.sequencer = address_of(status.sequencer, "sequencer")
        self._pinned = pinned
        self._clock_seconds_max = clock_seconds_max
        self._nonces: dict[tuple[int, int], Nonces] = {}
        self._ahead_ns = int(status.now_ns) - time.monotonic_ns()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.connection.close()
        if self.receipt_file is not None:
            self.receipt_file.close()
            self.receipt_file = None

    def keep(self, receipt: Receipt, body: bytes) -> None:
        """Write a valid receipt down, if there is a file for them. Raises ReceiptFileFault."""
        if self.receipt_file is not None:
            status = self.status
            self.receipt_file.keep(status.chain_id, status.contract, self.sequencer, body, receipt)

    def now_ns(self) -> int:
        """Return the venue's time, which is not always the machine's."""
        return time.monotonic_ns() + self._ahead_ns

    def trader(self, key: Key, account: int, session: int = 0) -> Trader:
        """Return what signs and sends the actions of one account."""
        return Trader(self, key, account, session)

    def nonces(self, account: int, session: int) -> Nonces:
        """Return the nonces of a session, which all its traders here take from."""
        return self._nonces.setdefault((account, session), Nonces())

    async def ask(self, shape: type[Shape], method: str, /, **params: Any) -> Shape:
        """Return the typed result of a method. Raises ApiError, AnswerInvalid, ConnectionLost."""
        try:
            answer = await self.connection.request(method, params)
        except Refusal as refusal:
            raise api_error(refusal.error) from None
        result: Shape = decoded(method, answer, shape)
        return result

    async def refresh_instruments(self) -> dict[str, InstrumentReply]:
        """Ask for the instruments again and return them by name. Raises VenueDiffers."""
        rows = await self.ask(list[InstrumentReply], "get_instruments")
        instruments = by_name(rows)
        check_pinned(self._pinned, rows)
        self.instruments = instruments
        return instruments

    def token(self, symbol: str) -> TokenReply:
        """Return what the venue said of a token at the connection. Raises TokenUnknown."""
        for row in self.status.tokens:
            if row.symbol == symbol:
                return row
        raise TokenUnknown(symbol, [row.symbol for row in self.status.tokens])

    async def get_status(self) -> StatusReply:
        """Return how far the venue is, and take over its time. Raises VenueDiffers."""
        status = await self.ask(StatusReply, "get_status")
        check_time(status, time.time_ns(), self._clock_seconds_max)
        self._ahead_ns = int(status.now_ns) - time.monotonic_ns()
        return status

    async def warp(self, until_ns: int) -> WarpReply:
        """Put the clocks of a development venue forward, and take over its time."""
        reply = await self.ask(WarpReply, "warp", until_ns=str(until_ns))
        await self.get_status()
        return reply

    async def shock(self, underlying: str, move_ppm: int) -> ShockReply:
        """Move an index of a development venue by some ppm of itself."""
        return await self.ask(ShockReply, "shock", underlying=underlying, move_ppm=move_ppm)

    async def rate_limits(self, account: int | None = None, session: int = 0) -> RateLimitsReply:
        """Return how often this connection and a key may act, and what is left of it."""
        named: dict[str, int] = {} if account is None else {"account": account, "session": session}
        return await self.ask(RateLimitsReply, "get_rate_limits", **named)

    async def sales(self) -> list[SaleReply]:
        """Return the accounts whose tokens are for sale."""
        return await self.ask(list[SaleReply], "get_sales")

    async def book(self, instrument: str, depth: int = 50) -> BookReply:
        return await self.ask(BookReply, "get_book", instrument=instrument, depth=depth)

    async def ticker(self, instrument: str) -> TickerReply:
        return await self.ask(TickerReply, "get_ticker", instrument=instrument)

    async def summary(self, underlying: str, expiry_ns: int | None = None) -> SummaryReply:
        """Return a ticker for every instrument of an underlying, or of one expiry."""
        params = {} if expiry_ns is None else {"expiry_ns": str(expiry_ns)}
        return await self.ask(SummaryReply, "get_summary", underlying=underlying, **params)

    async def trades(self, instrument: str, count: int = 100) -> list[TradeNotice]:
        """Return the last trades, newest first."""
        reply = await self.ask(TradesReply, "get_trades", instrument=instrument, count=count)
        return reply.trades

    async def candles(self, instrument: str, period: str = "minute", **which: Any) -> CandlesReply:
        """Return candles, newest first; `which` as in CandlesParams."""
        return await self.ask(
            CandlesReply, "get_candles", instrument=instrument, period=period, **which
        )

    async def fills(self, account: int, **which: Any) -> FillsReply:
        """Return a page of what an account traded; `which` as in HistoryParams."""
        return await self.ask(FillsReply, "get_fills", account=account, **which)

    async def orders(self, account: int, **which: Any) -> OrdersReply:
        """Return a page of an account's orders; `which` as in HistoryParams."""
        return await self.ask(OrdersReply, "get_orders", account=account, **which)

    async def transactions(self, account: int, **which: Any) -> TransactionsReply:
        """Return a page of why an account's balances changed; `which` as in HistoryParams."""
        return await self.ask(TransactionsReply, "get_transactions", account=account, **which)

    async def account(self, account: int) -> AccountReply:
        return await self.ask(AccountReply, "get_account", account=account)

    async def margin(self, account: int) -> MarginReply:
        """Return what an account owns and needs, term by term."""
        return await self.ask(MarginReply, "get_margin", account=account)

    async def simulate(
        self,
        trades: Sequence[TradeLeg] = (),
        orders: Sequence[OrderLeg] = (),
        *,
        account: int = 0,
        cash: str = "0",
    ) -> SimulateReply:
        """Return margin before and after; account 0 is one with nothing but cash, in USDC."""
        params = {"account": account, "cash": cash, "trades": list(trades), "orders": list(orders)}
        return await self.ask(SimulateReply, "simulate", **params)

    async def receipt(self, seq: int) -> Receipt:
        """Return what the sequencer signed of an entry, checked.

        Raises ReceiptInvalid, AnswerInvalid, ApiError.
        """
        reply = await self.ask(ReceiptReply, "get_receipt", seq=seq)
        receipt = receipt_of("get_receipt", reply)
        if receipt.seq != seq:
            raise AnswerInvalid("get_receipt", f"it is of entry {receipt.seq}, not of {seq}")
        if not verify(receipt, self.separator, self.sequencer):
            raise ReceiptInvalid(receipt, "it is not signed by the sequencer")
        return receipt

    async def debug(self, method: str, params: dict[str, Any]) -> DebugReply:
        """Return what the venue makes of a signed method's params."""
        return await self.ask(DebugReply, "debug", method=method, params=params)

    async def subscribe(self, channels: Sequence[str], after_seq: int | None = None) -> list[str]:
        """Join `book.INSTRUMENT`, `trades.INSTRUMENT`, `account.NUMBER`; then read `stream`.

        With `after_seq` an account's channel begins with what came after that entry.
        """
        params: dict[str, Any] = {"channels": list(channels)}
        if after_seq is not None:
            params["after_seq"] = after_seq
        return (await self.ask(SubscriptionReply, "subscribe", **params)).channels

    async def unsubscribe(self, channels: Sequence[str]) -> list[str]:
        reply = await self.ask(SubscriptionReply, "unsubscribe", channels=list(channels))
        return reply.channels

    async def arm_cancel_all(self, sign: SignCancelAll | None) -> ArmedReply:
        """Leave with the venue what cancels when the connection ends; None: nothing."""
        line = self.connection
        if not isinstance(line, Line):
            left = None if sign is None else sign()
            return await self.ask(ArmedReply, "cancel_on_disconnect", cancel_all=left)
        before, line.sign_cancel_all = line.sign_cancel_all, sign
        try:
            return await self.ask(ArmedReply, "cancel_on_disconnect")
        except ApiError:
            line.sign_cancel_all = before
            raise

    async def stream(self) -> AsyncIterator[tuple[str, AnyNotice]]:
        """Yield (channel, notice) in the venue's order.

        Raises ConnectionLost at the end, AnswerInvalid, and a patient client StreamGap.
        """
        async for notice in self.connection.notices():
            yield notice.channel, decode_notice(notice)


async def connect(
    url: str,
    sequencer: bytes | str | None = None,
    receipts: Path | None = None,
    *,
    chain_id: int | None = None,
    contract: bytes | str | None = None,
    is_patient: bool = False,
    pinned: Sequence[Row] = (),
    clock_seconds_max: float = CLOCK_SECONDS_MAX,
) -> Client:
    """Connect to a venue's WebSocket, hold it to its contract, and list its instruments.

    `chain_id` and `contract` are where the money was deposited: a venue that says anything else is
    refused. Without them its word is taken, and what is signed is good at whatever venue it names.
    `sequencer` is the address that must have signed every receipt, the venue's word without it.
    `pinned` are rows of instruments and tokens: numbers, steps and decimals are held to them.
    The venue's time, from which messages expire, is within `clock_seconds_max` of the machine's.
    `receipts` is a file that keeps every receipt with its command, for `proofbook receipts check`.
    A patient client connects again by itself, asks again what was not answered, and goes on with
    its streams. Raises VenueDiffers, AnswerInvalid, ConnectionLost, ReceiptFileFault, ValueError
    where `contract` or `sequencer` is no address.
    """
    expected, signer = given_address(contract, "contract"), given_address(sequencer, "sequencer")
    connection = await (Line.open(url) if is_patient else Connection.open(url))
    try:
        status = decoded("get_status", await connection.request("get_status", {}), StatusReply)
        client = Client(
            connection,
            status,
            chain_id=chain_id,
            contract=expected,
            pinned=pinned,
            clock_seconds_max=clock_seconds_max,
        )
        client.sequencer = signer or client.sequencer
        await client.refresh_instruments()
        client.receipt_file = None if receipts is None else ReceiptFile(receipts)
    except Refusal as refusal:
        await connection.close()
        raise api_error(refusal.error) from None
    except BaseException:
        await connection.close()
        raise
    return client


def given_address(given: bytes | str | None, what: str) -> bytes | None:
    """Return the 20 bytes of an address that was given. Raises ValueError."""
    if isinstance(given, str):
        address = from_hex(given) if given.startswith("0x") else b""
    else:
        address = given
    if address is not None and len(address) != ADDRESS_BYTES:
        raise ValueError(f"{given!r} is no {what}: 0x and {2 * ADDRESS_BYTES} hex digits")
    return address


def decode_notice(notice: NoticeHead) -> AnyNotice:
    """Return a notice in the shape of its channel. Raises AnswerInvalid."""
    kind, _, _ = notice.channel.partition(".")
    if kind not in NOTICES:
        raise AnswerInvalid("subscribe", f"a notice of the channel {notice.channel[:80]!r}")
    result: AnyNotice = decoded("subscribe", notice.data, NOTICES[kind])
    return result
