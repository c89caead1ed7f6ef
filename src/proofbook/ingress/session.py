"""One session, whatever carries it: a frame in, a reply out, notices through the outbox."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Hashable
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import UNSET

from proofbook.api.actions import CancelAllParams, SubmitParams
from proofbook.api.errors import Refusal, Refused
from proofbook.api.rates import RateLimitsParams, RateLimitsReply
from proofbook.api.schema import (
    FRAME_BYTES_MAX,
    ArmedReply,
    CancelOnDisconnectParams,
    ChannelParams,
    Error,
    ErrorData,
    Nothing,
    Request,
    Response,
    SubscribeParams,
    SubscriptionReply,
)
from proofbook.ingress import cancel_on_disconnect
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.connections import Outgoing, TooManySubscriptions
from proofbook.ingress.development import DEVELOPMENTS
from proofbook.ingress.documents import openrpc
from proofbook.ingress.histories import HISTORIES
from proofbook.ingress.meter import rates_reply
from proofbook.ingress.methods import QUERIES, act, debug_method, decode_params
from proofbook.ingress.metrics import UNKNOWN
from proofbook.ingress.ordinary import METHODS, Ordinary
from proofbook.ingress.registry import PUBLISHING, methods
from proofbook.ingress.replies import ordinary_result
from proofbook.ingress.submission import Acted, submit
from proofbook.ingress.venue import Venue
from proofbook.queries.feeds import NoticeTooOld, encode_notice
from proofbook.sequencer.sequencer import Receipted
from proofbook.sequencer.stages import RequestStage, Stopwatch

CHANNELS_MAX = 4_096
"""Channels of one session: a book and its trades for every instrument of a large chain."""

DEBUG_SUFFIX = "_debug"
NULL = msgspec.Raw(b"null")

METHOD_NAMES = frozenset(method.name for method in methods())
"""What is counted by its name: nobody outside makes a series of numbers."""

ANSWERED_LATER = HISTORIES | DEVELOPMENTS
"""Methods that wait for something beside the sequencer."""

ACCOUNT_MAX = 2**32 - 1
"""The highest number that a command can name."""

OPENINGS_MAX = 512
"""Brackets and braces that a frame may open, ten times what any request needs: they bound its
depth, which the decoder does not, once a library has raised the interpreter's limit."""

_decode_request = msgspec.json.Decoder(Request).decode
_encode = msgspec.json.encode


class Asked(NamedTuple):
    """A request on its way: its id, its method or UNKNOWN, when it came in (us)."""

    identifier: int | str | None
    method: str
    us_in: int


class Answering:
    """A signed method that waits for the disk: told when it is durable, or awaited."""

    __slots__ = ("_acted", "_asked", "_fail", "_session", "_take")

    def __init__(self, session: "Session", asked: Asked, acted: Acted) -> None:
        self._session = session
        self._asked = asked
        self._acted = acted

    def tell(self, take: Callable[[bytes], None], fail: Callable[[Exception], None]) -> None:
        """Give the reply to somebody as soon as it is known, or the fault that made it none."""
        self._take, self._fail = take, fail
        self._acted.answer.add_done_callback(self._tell)

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._wait().__await__()

    async def _wait(self) -> bytes:
        await asyncio.wait([self._acted.answer])
        return self._reply(self._acted.answer)

    def _tell(self, answer: asyncio.Future[Receipted]) -> None:
        try:
            reply = self._reply(answer)
        except Exception as fault:
            self._fail(fault)
        else:
            self._take(reply)

    def _reply(self, answer: asyncio.Future[Receipted]) -> bytes:
        refused = answer.exception()
        if isinstance(refused, Refused):
            # Raised here it would refer to this frame, and so to the answer that holds it.
            return self._session.reply(self._asked, error_of(refused))
        try:
            outcome = self._acted.finish(answer.result())
        except Refused as fault:
            outcome = error_of(fault)
        return self._session.reply(self._asked, outcome)


class OrdinaryAnswering(Answering):
    """An ordinary request that waits for the disk; what was applied is put into words at once."""

    __slots__ = ("_ordinary",)

    def __init__(
        self,
        session: "Session",
        ordinary: Ordinary,
        asked: Asked,
        answer: asyncio.Future[Receipted],
    ) -> None:
        finish = partial(ordinary_result, ordinary, session.venue.models.instruments)
        super().__init__(session, asked, Acted(answer, finish))
        self._ordinary = ordinary

    def _reply(self, answer: asyncio.Future[Receipted]) -> bytes:
        if answer.exception() is not None or not answer.result().result.outcome.is_applied:
            return super()._reply(answer)
        receipted, us_in = answer.result(), self._asked.us_in
        us_out = now_us()
        events, receipt = receipted.result.events, receipted.receipt_text
        reply = self._ordinary.answer(events, receipt, us_in, us_out)
        if reply is None:
            return super()._reply(answer)
        metrics = self._session.venue.metrics
        metrics.replied(self._asked.method, max(0, us_out - us_in), None)
        return reply


class Outbox(Outgoing, Protocol):
    """Where notices go. It is bounded, and closes the session rather than lose one."""

    def put(self, message: bytes) -> None: ...

    def takes(self, count: int, size_bytes: int) -> bool: ...


class Session:
    """What one connection subscribed to. Without an outbox it can only ask and act.

    `address`: whose requests are counted together, where they come without a connection that stays.
    """

    def __init__(self, venue: Venue, outbox: Outbox | None = None, address: str = "") -> None:
        self._venue = venue
        self._outbox = outbox
        self._meter = venue.meter
        self._who: Hashable = address if outbox is None else outbox
        self._channels: set[str] = set()

    @property
    def venue(self) -> Venue:
        """What it works on."""
        return self._venue

    def close(self) -> None:
        """Leave every channel, and cancel what was to be cancelled then."""
        if self._meter is not None and self._outbox is not None:
            self._meter.forget(self._outbox)
        cancel_all = self._venue.armed.pop(self, None)
        if cancel_all is not None:
            cancel_on_disconnect.fire(self._venue, cancel_all)
        if self._outbox is not None:
            for channel in self._channels:
                self._venue.feeds.unsubscribe(channel, self._outbox.put)
            self._venue.connections.leave(self._outbox, len(self._channels))
        self._channels.clear()

    def receive(self, frame: bytes) -> "bytes | Awaitable[bytes]":
        """Take one frame at once, in order; return its reply, for a signed method to be awaited."""
        us_in = now_us()
        ordinary = self._bring(frame, us_in)
        if ordinary is not None:
            return ordinary
        identifier, method = None, UNKNOWN
        try:
            request = decode_request(frame)
            identifier = request.id
            method = request.method if request.method in METHOD_NAMES else UNKNOWN
            asked = Asked(identifier, method, us_in)
            if self._meter is not None:
                self._meter.admit(self._who, method)
            if request.method in ACTIONS:
                acted = act(self._venue, request.method, request.params)
                return Answering(self, asked, acted)
            if request.method == "submit":
                submitted = decode_params(request.params, SubmitParams)
                return Answering(self, asked, submit(self._venue, submitted))
            if request.method in ANSWERED_LATER:
                schema, answer_later = ANSWERED_LATER[request.method]
                rows = answer_later(self._venue, decode_params(request.params, schema))
                return self._reply_later(asked, rows)
            return self.reply(asked, self._answer(request))
        except Refused as fault:
            if self._meter is not None:
                self._meter.refused(self._who, fault)
            return self.reply(Asked(identifier, method, us_in), error_of(fault))

    def _bring(self, frame: bytes, us_in: int) -> Answering | None:
        """Take the command of an ordinary frame, if it is good for certain; None for all others."""
        if self._venue.ordinary is None:
            return None
        watch = self._venue.metrics.watch
        stopwatch = None if watch is None else Stopwatch()
        ordinary = self._venue.ordinary.read(frame)
        if ordinary is None:
            return None
        decode_ns = 0 if stopwatch is None else stopwatch.lap_ns()
        method = METHODS[ordinary.tag]
        if self._meter is not None:
            try:
                self._meter.admit(self._who, method)
            except Refused:
                return None
        answer = self._venue.sequencer.take_ordinary(ordinary.body)
        if answer is None:
            return None
        if watch is not None and stopwatch is not None:
            watch(RequestStage.DECODE, decode_ns)
            watch(RequestStage.ADMIT, stopwatch.lap_ns())
        return OrdinaryAnswering(self, ordinary, Asked(ordinary.id, method, us_in), answer)

    async def _reply_later(self, asked: "Asked", answer: Awaitable[Any]) -> bytes:
        try:
            return self.reply(asked, await answer)
        except Refused as fault:
            return self.reply(asked, error_of(fault))

    def reply(self, asked: "Asked", outcome: Any) -> bytes:
        """Return the JSON of a result or of an Error."""
        error = outcome if isinstance(outcome, Error) else None
        result = UNSET if error is not None else msgspec.Raw(_encode(outcome))
        us_out = now_us()
        response = Response(
            id=asked.identifier,
            result=result,
            error=UNSET if error is None else error,
            us_in=asked.us_in,
            us_out=us_out,
            us_diff=us_out - asked.us_in,
        )
        reason = None if error is None else error.data.reason
        self._venue.metrics.replied(asked.method, max(0, response.us_diff), reason)
        return _encode(response)

    def _answer(self, request: Request) -> Any:
        query = QUERIES.get(request.method) or PUBLISHING.get(request.method)
        if query is not None:
            return query.answer(self._venue, decode_params(request.params, query.params))
        base = request.method.removesuffix(DEBUG_SUFFIX)
        if base in ACTIONS:
            return debug_method(self._venue, base, request.params)
        if request.method == "subscribe":
            return self._subscribe(decode_params(request.params, SubscribeParams))
        if request.method == "unsubscribe":
            return self._unsubscribe(decode_params(request.params, ChannelParams))
        if request.method == "cancel_on_disconnect":
            return self._arm(decode_params(request.params, CancelOnDisconnectParams))
        if request.method == "get_rate_limits":
            return self._rates(decode_params(request.params, RateLimitsParams))
        if request.method == "rpc.discover":
            decode_params(request.params, Nothing)
            return msgspec.Raw(openrpc())
        message = f"no method is named {request.method}"
        raise Refused(Refusal.METHOD_NOT_FOUND, message, request.method)

    def _rates(self, params: RateLimitsParams) -> RateLimitsReply:
        key = None if params.account is None else (params.account, params.session)
        return rates_reply(self._meter, self._who, self._venue.sequencer.rates, key)

    def _arm(self, params: CancelOnDisconnectParams) -> ArmedReply:
        """Hold a signed CancelAll until the connection or the venue ends; a new one replaces it."""
        self._require_outbox()
        if params.cancel_all == NULL:
            self._venue.armed.pop(self, None)
            return ArmedReply(until_ns=None)
        cancel_all = decode_params(params.cancel_all, CancelAllParams)
        self._venue.armed[self] = cancel_on_disconnect.checked(self._venue, cancel_all)
        return ArmedReply(until_ns=cancel_all.expires_ns)

    def _subscribe(self, params: SubscribeParams) -> SubscriptionReply:
        """Join channels, all or none; a book's snapshot is sent before any change of it."""
        outbox = self._require_outbox()
        unique = dict.fromkeys(params.channels)
        wanted = [channel for channel in unique if channel not in self._channels]
        for channel in wanted:
            self._check_channel(channel)
        if len(self._channels) + len(wanted) > CHANNELS_MAX:
            message = f"a session has at most {CHANNELS_MAX} channels"
            asked = len(self._channels) + len(wanted)
            raise Refused(Refusal.CHANNEL_LIMIT, message, asked, CHANNELS_MAX)
        missed = self._missed(wanted, params.after_seq)
        if missed and not outbox.takes(len(missed), sum(map(len, missed))):
            message = f"{len(missed)} notices were missed; ask get_fills, get_orders and so on"
            raise Refused(Refusal.RESUME_TOO_OLD, message, params.after_seq)
        try:
            self._venue.connections.join(outbox, len(wanted))
        except TooManySubscriptions as fault:
            message = str(fault)
            raise Refused(Refusal.CHANNEL_LIMIT, message, fault.count, fault.limit) from None
        for channel in wanted:
            self._channels.add(channel)
            self._venue.feeds.subscribe(channel, outbox.put)
            self._send_snapshot(channel, outbox)
        for notice in missed:
            outbox.put(notice)
        return SubscriptionReply(channels=params.channels, seq=self._venue.models.seq)

    def _missed(self, channels: list[str], after_seq: int | None) -> list[bytes]:
        """Return what accounts were told since an entry. Raises Refused."""
        if after_seq is None:
            return []
        seq = self._venue.models.seq
        if after_seq > seq:
            message = f"nothing can follow entry {after_seq}: this venue stands at {seq}"
            raise Refused(Refusal.RESUME_TOO_NEW, message, after_seq, seq)
        accounts = [int(c.partition(".")[2]) for c in channels if c.startswith("account.")]
        try:
            return [n for a in accounts for n in self._venue.feeds.notices_after(a, after_seq)]
        except NoticeTooOld as fault:
            words = f"{fault}; ask get_fills, get_orders and get_transactions"
            operands = fault.after_seq, fault.oldest_seq
            raise Refused(Refusal.RESUME_TOO_OLD, words, *operands) from None

    def _unsubscribe(self, params: ChannelParams) -> SubscriptionReply:
        outbox = self._require_outbox()
        left = [channel for channel in dict.fromkeys(params.channels) if channel in self._channels]
        for channel in left:
            self._channels.remove(channel)
            self._venue.feeds.unsubscribe(channel, outbox.put)
        self._venue.connections.leave(outbox, len(left))
        return SubscriptionReply(channels=left, seq=self._venue.models.seq)

    def _require_outbox(self) -> Outbox:
        if self._outbox is None:
            message = "subscriptions need the WebSocket at /ws"
            raise Refused(Refusal.CHANNELS_NEED_WEBSOCKET, message)
        return self._outbox

    def _check_channel(self, channel: str) -> None:
        """Refuse a channel that can never carry anything."""
        kind, _, subject = channel.partition(".")
        if kind in ("book", "trades"):
            self._venue.models.instruments.named(subject)
            return
        is_number = kind == "account" and subject.isdecimal()
        if is_number and subject == str(int(subject)) and int(subject) <= ACCOUNT_MAX:
            return
        forms = "book.INSTRUMENT, trades.INSTRUMENT, account.NUMBER"
        raise Refused(Refusal.CHANNEL_NOT_FOUND, f"no channel is named {channel}", channel, forms)

    def _send_snapshot(self, channel: str, outbox: Outbox) -> None:
        kind, _, subject = channel.partition(".")
        if kind == "book":
            models = self._venue.models
            snapshot = models.snapshot(models.instruments.named(subject))
            outbox.put(encode_notice(channel, snapshot))


def decode_request(frame: bytes) -> Request:
    """Return the request in a frame. Raises Refused."""
    if len(frame) > FRAME_BYTES_MAX:
        message = f"frame of {len(frame)} bytes, at most {FRAME_BYTES_MAX}"
        raise Refused(Refusal.FRAME_TOO_LARGE, message, len(frame), FRAME_BYTES_MAX)
    openings = frame.count(b"[") + frame.count(b"{")
    if openings > OPENINGS_MAX:
        message = f"{openings} brackets are opened, at most {OPENINGS_MAX}"
        raise Refused(Refusal.PARSE_ERROR, message, openings, OPENINGS_MAX)
    try:
        return _decode_request(frame)
    except msgspec.ValidationError as fault:
        raise Refused(Refusal.INVALID_REQUEST, str(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused(Refusal.PARSE_ERROR, str(fault)) from None


def error_of(fault: Refused) -> Error:
    data = ErrorData(fault.reason, fault.value, fault.limit, retry_after_ms=fault.retry_after_ms)
    return Error(fault.code, fault.message, data)


def now_us() -> int:
    """Return the machine's time, which says how long a request took: never the venue's."""
    return time.time_ns() // 1000
