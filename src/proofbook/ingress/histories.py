"""Methods answered by the history: what accounts did, and candles."""

from collections.abc import Awaitable, Callable
from typing import Any

from proofbook.api.display import decimal_text, usdc_text
from proofbook.api.errors import Refusal, Refused
from proofbook.api.market import (
    CandleRow,
    CandlesParams,
    CandlesReply,
    FillRow,
    FillsReply,
    HistoryParams,
    OrderRow,
    OrdersReply,
    TransactionRow,
    TransactionsReply,
)
from proofbook.history.questions import COLUMNS, Question
from proofbook.history.tables import Row
from proofbook.ingress.history_door import Answer, HistoryDoor, next_page
from proofbook.ingress.venue import Venue
from proofbook.protocol.genesis import QUOTE_DECIMALS
from proofbook.protocol.limits import QUOTE_TOKEN
from proofbook.queries.instruments import Instrument
from proofbook.queries.models import side_name
from proofbook.queries.tokens import token_replies


async def get_fills(venue: Venue, params: HistoryParams) -> FillsReply:
    """What an account traded, newest first, with role, fee and counterparty."""
    answer, rows, before_seq = await _page(venue, params, "fills")
    return FillsReply(
        seq=answer.seq, before_seq=before_seq, fills=[_fill(venue, row) for row in rows]
    )


async def get_orders(venue: Venue, params: HistoryParams) -> OrdersReply:
    """Orders of an account that came to rest, newest first: what was filled, how they ended."""
    answer, rows, before_seq = await _page(venue, params, "orders")
    return OrdersReply(
        seq=answer.seq, before_seq=before_seq, orders=[_order(venue, row) for row in rows]
    )


async def get_transactions(venue: Venue, params: HistoryParams) -> TransactionsReply:
    """Every change of an account's balances, newest first; they add up to the balance."""
    if params.instrument is not None:
        raise Refused(Refusal.INVALID_PARAMS, "transactions have no instrument", params.instrument)
    answer, rows, before_seq = await _page(venue, params, "transactions")
    decimals = {QUOTE_TOKEN: QUOTE_DECIMALS}
    decimals |= {token.token: token.decimals for token in token_replies(venue.models.engine)}
    return TransactionsReply(
        seq=answer.seq,
        before_seq=before_seq,
        transactions=[_transaction(decimals, row) for row in rows],
    )


async def get_candles(venue: Venue, params: CandlesParams) -> CandlesReply:
    """Open, high, low, close, amount and trades of each minute, hour or day, newest first."""
    instrument = venue.models.instruments.named(params.instrument)
    question = Question(
        instrument=instrument.number, from_ns=_ns(params.from_ns), to_ns=_ns(params.to_ns)
    )
    name = f"candles_{params.period}"
    answer = await _door(venue).ask(name, question, params.count)
    return CandlesReply(
        seq=answer.seq,
        instrument=instrument.name,
        period=params.period,
        candles=[_candle(instrument, _named(name, row)) for row in answer.rows],
    )


HISTORIES: dict[str, tuple[type, Callable[[Venue, Any], Awaitable[Any]]]] = {
    "get_fills": (HistoryParams, get_fills),
    "get_orders": (HistoryParams, get_orders),
    "get_transactions": (HistoryParams, get_transactions),
    "get_candles": (CandlesParams, get_candles),
}
"""The methods that another process's database answers."""


async def _page(
    venue: Venue, params: HistoryParams, name: str
) -> tuple[Answer, list[dict[str, Any]], int | None]:
    number = None
    if params.instrument is not None:
        number = venue.models.instruments.named(params.instrument).number
    question = Question(
        account=params.account,
        instrument=number,
        from_ns=_ns(params.from_ns),
        to_ns=_ns(params.to_ns),
        before_seq=params.before_seq,
    )
    answer = await _door(venue).ask(name, question, params.count)
    rows, before_seq = next_page(answer.rows, list(COLUMNS[name]).index("seq"), params.count)
    return answer, [_named(name, row) for row in rows], before_seq or None


def _door(venue: Venue) -> HistoryDoor:
    if venue.history is None:
        raise Refused(Refusal.HISTORY_UNAVAILABLE, "this venue is set up without a history")
    return venue.history


def _ns(text: str | None) -> int | None:
    return None if text is None else int(text)


def _named(name: str, row: Row) -> dict[str, Any]:
    return dict(zip(COLUMNS[name], row, strict=True))


def _instrument(venue: Venue, number: int) -> Instrument:
    """Return an instrument that was listed once. Raises Refused for one that is not known."""
    instrument = venue.models.instruments.find(number)
    if instrument is None:
        message = f"no instrument {number} is known: it left long ago, or is another venue's"
        raise Refused(Refusal.HISTORY_UNAVAILABLE, message, number)
    return instrument


def _fill(venue: Venue, row: dict[str, Any]) -> FillRow:
    instrument = _instrument(venue, row["instrument"])
    return FillRow(
        seq=row["seq"],
        window_ns=str(row["window_ns"]),
        instrument=instrument.name,
        side=side_name(row["side"]),
        price=instrument.price(row["price_ticks"]),
        amount=instrument.amount(row["lots"]),
        fee=usdc_text(row["fee_atoms"]),
        role=row["role"].lower(),
        counterparty=row["counterparty"],
        order=_digits(row["order_number"]),
        nonce=_digits(row["nonce"]),
    )


def _order(venue: Venue, row: dict[str, Any]) -> OrderRow:
    instrument = _instrument(venue, row["instrument"])
    return OrderRow(
        seq=row["seq"],
        window_ns=str(row["window_ns"]),
        order=str(row["order_number"]),
        instrument=instrument.name,
        side=side_name(row["side"]),
        price=instrument.price(row["price_ticks"]),
        amount=instrument.amount(row["lots"]),
        filled=instrument.amount(row["filled_lots"]),
        removal=row["removal"],
        label=row["label"],
        nonce=str(row["nonce"]),
    )


def _transaction(decimals: dict[int, int], row: dict[str, Any]) -> TransactionRow:
    digits = decimals[row["token"]]
    return TransactionRow(
        seq=row["seq"],
        window_ns=str(row["window_ns"]),
        kind=row["kind"],
        token=row["token"],
        amount=decimal_text(row["amount_atoms"], digits),
        balance=decimal_text(row["balance_atoms"], digits),
    )


def _candle(instrument: Instrument, row: dict[str, Any]) -> CandleRow:
    prices = {
        name: instrument.price(row[f"{name}_ticks"]) for name in ("open", "high", "low", "close")
    }
    return CandleRow(
        start_ns=str(row["start_ns"]),
        amount=instrument.amount(row["lots"]),
        trades=row["trades"],
        **prices,
    )


def _digits(number: int | None) -> str | None:
    return None if number is None else str(number)
