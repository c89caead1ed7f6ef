"""The methods of the interface: a name, the params it takes, the function that answers."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

import msgspec

from proofbook.api.actions import SignedParams
from proofbook.api.convert import hex_text, receipt_reply
from proofbook.api.errors import Refusal, Refused
from proofbook.api.margin import SimulateParams
from proofbook.api.market import SummaryParams, SummaryReply, TradesParams, TradesReply
from proofbook.api.schema import (
    AccountParams,
    AccountReply,
    BookParams,
    BookReply,
    DebugParams,
    DebugReply,
    Error,
    InstrumentParams,
    InstrumentReply,
    MonitorReply,
    Nothing,
    Params,
    ReceiptParams,
    ReceiptReply,
    SaleReply,
    StatusReply,
    TickerReply,
)
from proofbook.api.signing import recover
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.rejections import rejected_error
from proofbook.ingress.replies import applied_reply
from proofbook.ingress.simulation import get_margin, simulate
from proofbook.ingress.submission import Acted
from proofbook.ingress.venue import Venue
from proofbook.protocol.eip712 import command_digest, typed_data
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.limits import PROTOCOL_VERSION, ArenaId
from proofbook.protocol.records import GlobalRecord
from proofbook.queries.tokens import sale_reply, token_replies
from proofbook.queries.views import account_view, book_view, summary_view, ticker_view
from proofbook.sequencer.admission import signer_of
from proofbook.sequencer.monitor import Counts
from proofbook.sequencer.sequencer import Receipted
from proofbook.sequencer.stages import RequestStage, Stopwatch

NS_PER_US = 1_000


def get_instruments(venue: Venue, _: Nothing) -> list[InstrumentReply]:
    """What can be traded: kind, expiry, strike, steps, fees, legs."""
    return [instrument.reply() for instrument in venue.models.instruments]


def get_book(venue: Venue, params: BookParams) -> BookReply:
    """Best levels of a book, [price, amount], with the number of the last change."""
    instrument = venue.models.instruments.named(params.instrument)
    return book_view(venue.models, instrument, params.depth)


def get_ticker(venue: Venue, params: InstrumentParams) -> TickerReply:
    """Mark, index, forward, implied volatility, Greeks, last trade, best levels, open interest."""
    return ticker_view(venue.models, venue.models.instruments.named(params.instrument))


def get_summary(venue: Venue, params: SummaryParams) -> SummaryReply:
    """A ticker for every instrument of an underlying, or of one expiry: the option chain."""
    expiry_ns = None if params.expiry_ns is None else int(params.expiry_ns)
    return summary_view(venue.models, params.underlying, expiry_ns)


def get_trades(venue: Venue, params: TradesParams) -> TradesReply:
    """The last trades of an instrument, newest first."""
    instrument = venue.models.instruments.named(params.instrument)
    newest_first = reversed(venue.models.trades.of(instrument.number))
    newer = takewhile(lambda trade: trade.seq > params.after_seq, newest_first)
    return TradesReply(trades=list(islice(newer, params.count)))


def get_account(venue: Venue, params: AccountParams) -> AccountReply:
    """Cash, equity, positions, open and waiting orders, sessions, protections, deadline."""
    return account_view(venue.models, params.account)


def get_sales(venue: Venue, _: Nothing) -> list[SaleReply]:
    """Accounts whose tokens are for sale, to pay their debts."""
    engine = venue.sequencer.engine
    return [sale_reply(engine, account) for account in sorted(venue.models.for_sale)]


def get_receipt(venue: Venue, params: ReceiptParams) -> ReceiptReply:
    """Return a receipt again. Raises Refused for one that is not kept."""
    receipt = venue.sequencer.receipt(params.seq)
    if receipt is None:
        message = f"no receipt of seq {params.seq} is kept; the last seq is {venue.models.seq}"
        raise Refused(Refusal.RECEIPT_NOT_KEPT, message, params.seq, venue.models.seq)
    return receipt_reply(receipt)


def get_status(venue: Venue, _: Nothing) -> StatusReply:
    """Domain, sequencer's address, epoch, seq, the venue's time, tokens, what the monitor did."""
    sequencer = venue.sequencer
    header = GlobalRecord.unpack(sequencer.engine.read(ArenaId.GLOBAL, 0))
    return StatusReply(
        protocol_version=PROTOCOL_VERSION,
        chain_id=venue.chain_id,
        contract=hex_text(venue.contract),
        domain_separator=hex_text(sequencer.separator),
        sequencer=hex_text(sequencer.key.address),
        epoch=sequencer.epoch,
        genesis_ns=str(header.genesis_ns),
        seq=venue.models.seq,
        window_ns=str(venue.models.window_ns),
        now_ns=str(sequencer.clock.now_ns()),
        instruments=len(venue.models.instruments),
        tokens=token_replies(sequencer.engine),
        is_accepting=sequencer.is_accepting,
        monitor=None if venue.monitor is None else _monitor_reply(venue.monitor.counts),
    )


def _monitor_reply(counts: Counts) -> MonitorReply:
    return MonitorReply(
        looks=counts.looks,
        look_us=counts.look_ns // NS_PER_US,
        below=counts.below,
        sent=counts.sent,
        applied=counts.applied,
        rejected=counts.rejected,
        refused=counts.refused,
    )


def debug(venue: Venue, params: DebugParams) -> DebugReply:
    """Show what the venue makes of a signed method's params, and execute nothing."""
    return debug_method(venue, params.method, params.params)


def debug_method(venue: Venue, method: str, params: msgspec.Raw) -> DebugReply:
    """Return digest, typed data, bytes and signers of a signed method's params. Raises Refused."""
    schema, convert = ACTIONS[method]
    signed: SignedParams = decode_params(params, schema)
    command = convert(signed, venue.models)
    signature = bytes.fromhex(signed.signature[2:])
    digest = command_digest(venue.sequencer.separator, command)
    recovered = recover(digest, signature)
    document = typed_data(venue.chain_id, venue.contract, command)
    return DebugReply(
        digest=hex_text(digest),
        typed_data=msgspec.Raw(msgspec.json.encode(document)),
        command=hex_text(command_bytes(command, signed.session, signature)),
        recovered_signer=None if recovered is None else hex_text(recovered),
        expected_signer=_expected_signer(venue.sequencer.engine, signed),
    )


def _expected_signer(engine: Engine, signed: SignedParams) -> str | None:
    try:
        return hex_text(signer_of(engine, signed.account, signed.session).address)
    except Refused:
        return None


@dataclass(frozen=True, slots=True)
class Query:
    """A method that only reads."""

    params: type[Params]
    answer: Callable[[Venue, Any], Any]


QUERIES = {
    "get_instruments": Query(Nothing, get_instruments),
    "get_book": Query(BookParams, get_book),
    "get_ticker": Query(InstrumentParams, get_ticker),
    "get_summary": Query(SummaryParams, get_summary),
    "get_trades": Query(TradesParams, get_trades),
    "get_account": Query(AccountParams, get_account),
    "get_margin": Query(AccountParams, get_margin),
    "simulate": Query(SimulateParams, simulate),
    "get_sales": Query(Nothing, get_sales),
    "get_receipt": Query(ReceiptParams, get_receipt),
    "get_status": Query(Nothing, get_status),
    "debug": Query(DebugParams, debug),
}
"""The methods that only read."""


def act(venue: Venue, method: str, raw: msgspec.Raw) -> Acted:
    """Enqueue a signed method at once. Raises Refused."""
    schema, convert = ACTIONS[method]
    watch = venue.metrics.watch
    stopwatch = Stopwatch() if watch is not None else None
    params: SignedParams = decode_params(raw, schema)
    command = convert(params, venue.models)
    signature = bytes.fromhex(params.signature[2:])
    if watch is not None and stopwatch is not None:
        watch(RequestStage.DECODE, stopwatch.lap_ns())
    answer = venue.sequencer.take(command, params.session, signature)
    if watch is not None and stopwatch is not None:
        watch(RequestStage.ADMIT, stopwatch.lap_ns())

    def finish(receipted: Receipted) -> msgspec.Struct | Error:
        if receipted.result.outcome.is_applied:
            return applied_reply(params, command, receipted, venue.models.instruments)
        return rejected_error(command, receipted)

    return Acted(answer, finish)


def decode_params(raw: msgspec.Raw, schema: type[Params]) -> Any:
    """Return params that fit their schema. Raises Refused, naming the member that does not."""
    try:
        return msgspec.json.decode(raw, type=schema)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused(Refusal.INVALID_PARAMS, str(fault)) from None
