"""What signs for one session of one account: nonces, signatures, receipts that are checked."""

import time
from collections import OrderedDict
from struct import error as PackingError
from typing import TYPE_CHECKING, Any, TypeVar

from proofbook.api.actions import (
    ComboReply,
    DealReply,
    PlaceReply,
    QuoteReply,
    ReceiptedReply,
    SubmitReply,
    TriggerReply,
    WithdrawReply,
)
from proofbook.api.convert import from_hex, hex_text
from proofbook.api.errors import PASSING
from proofbook.api.errors import Refusal as Reason
from proofbook.api.receipt_file import ReceiptFileFault
from proofbook.api.receipts import Receipt, names_entry, verify
from proofbook.api.schema import ReceiptReply
from proofbook.api.signing import Key
from proofbook.client.answers import decoded, receipt_of
from proofbook.client.connection import Refusal, api_error
from proofbook.client.errors import (
    NotEncodable,
    OutcomeUnknown,
    ReceiptInvalid,
    ReceiptNotKept,
    Rejected,
)
from proofbook.protocol.commands import RfqQuote, TraderCommand
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.limits import NS_PER_SECOND

if TYPE_CHECKING:
    from proofbook.client.client import Client

EXPIRES_AFTER_NS = 60 * NS_PER_SECOND
"""How long a message stays valid: longer than a slow venue takes, short enough to be forgotten."""

EXPLAINED_BY_SUCCESS = frozenset(
    {"NONCE_USED", "NONCE_TOO_OLD", "MESSAGE_EXPIRED", "SESSION_NOT_FOUND", "SESSION_EXPIRED"}
)
"""Why a command is refused that was executed before, by a venue that has forgotten its answer."""

SAYS_NOTHING_OF_BEFORE = PASSING | {"NOT_ACCEPTING", "RATE_LIMITED", "STOPPED_BY_FAULT"}
"""Why a command is not looked at: whether it was taken before is for another attempt to tell."""

WITHOUT_RECEIPT = frozenset(Reason.__members__) | {
    "ACCOUNT_NOT_FOUND",
    "AMOUNT_OUT_OF_RANGE",
    "INSTRUMENT_NOT_FOUND",
    "LOTS_OUT_OF_RANGE",
    "MESSAGE_EXPIRED",
    "NONCE_OUT_OF_RANGE",
    "NONCE_TOO_OLD",
    "NONCE_USED",
    "ORDER_NOT_FOUND",
    "PRICE_OUT_OF_RANGE",
    "PROTECTION_OUT_OF_RANGE",
    "SESSION_EXPIRED",
    "SESSION_NOT_FOUND",
    "SESSION_SCOPE_EXCEEDED",
    "TOKEN_NOT_SUPPORTED",
}
"""Why a venue may refuse a trader's command before it has a seq: any other reason has a receipt."""

RECEIPTS_KEPT = 16_384
"""A receipt has about a kilobyte. A file of receipts keeps all of them."""

Reply = TypeVar(
    "Reply",
    ComboReply,
    DealReply,
    PlaceReply,
    QuoteReply,
    ReceiptedReply,
    SubmitReply,
    TriggerReply,
    WithdrawReply,
)


class Nonces:
    """Nonces that rise: the current millisecond, or one more than the last.

    One program shares them among the traders of a session. Two programs of one session may name the
    same millisecond, and one is refused with NONCE_USED: give each a session of its own.
    """

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return a number that was not returned before."""
        self._last = max(time.time_ns() // 1_000_000, self._last + 1)
        return self._last


class Signer:
    """Signs for one session of one account. `receipts` keeps the last valid ones, by seq."""

    def __init__(self, client: "Client", key: Key, account: int, session: int = 0) -> None:
        self.client = client
        self.key = key
        self.account = account
        self.session = session
        self.receipts: OrderedDict[int, Receipt] = OrderedDict()
        self._nonces = client.nonces(account, session)

    def signed_params(self, command: TraderCommand, params: dict[str, Any]) -> dict[str, Any]:
        """Return a method's params with what every signed method carries."""
        signature = self.sign(command)
        head = {
            "account": command.account,
            "nonce": str(command.nonce),
            "expires_ns": str(command.expires_ns),
            "session": self.session,
            "signature": hex_text(signature),
        }
        return head | params

    def head(self) -> tuple[int, int, int]:
        """Return what a command begins with: account, a new nonce, when the message expires."""
        return self.account, self._nonces.next(), self.client.now_ns() + EXPIRES_AFTER_NS

    def sign(self, struct: TraderCommand | RfqQuote) -> bytes:
        """Return the session's signature of a command, or of what it offers to another trader."""
        return self.key.sign(command_digest(self.client.separator, struct))

    async def submit(self, command: TraderCommand) -> SubmitReply:
        """Sign and send any command that traders sign; return what it did.

        Raises NotEncodable, ApiError (Rejected with a receipt), ReceiptInvalid, AnswerInvalid,
        OutcomeUnknown, ConnectionLost, ReceiptNotKept (the answer in it).
        """
        try:
            body = command_bytes(command, self.session, self.sign(command))
        except (PackingError, OverflowError) as fault:
            raise NotEncodable("submit", str(fault)) from None
        params = {"command": hex_text(body)}
        return await self._request("submit", params, command.nonce, body, SubmitReply)

    async def act(
        self, method: str, command: TraderCommand, params: dict[str, Any], shape: type[Reply]
    ) -> Reply:
        """Sign and send a command; return its reply once its receipt is checked.

        Raises NotEncodable, ApiError (Rejected with a receipt), ReceiptInvalid, AnswerInvalid,
        OutcomeUnknown, ConnectionLost, ReceiptNotKept (the answer in it).
        """
        try:
            signed = self.signed_params(command, params)
            body = command_bytes(command, self.session, from_hex(signed["signature"]))
        except (PackingError, OverflowError) as fault:
            raise NotEncodable(method, str(fault)) from None
        return await self._request(method, signed, command.nonce, body, shape)

    async def _request(
        self, method: str, params: dict[str, Any], nonce: int, body: bytes, shape: type[Reply]
    ) -> Reply:
        try:
            raw = await self.client.connection.request(method, params)
        except Refusal as refusal:
            data = refusal.error.data
            if data.receipt is None:
                if is_in_doubt(refusal):
                    message = refusal.error.message
                    raise OutcomeUnknown(method, nonce, data.reason, message) from None
                raise api_error(refusal.error) from None
            receipt = self._checked_receipt(method, data.receipt, body)
            rejected = Rejected(refusal.error, receipt)
            self._keep_and_compare(method, receipt, body, data.reason, rejected)
            raise rejected from None
        reply: Reply = decoded(method, raw, shape)
        receipt = self._checked_receipt(method, reply.receipt, body)
        self._keep_and_compare(method, receipt, body, "APPLIED", reply)
        return reply

    def _checked_receipt(self, method: str, reply: ReceiptReply, body: bytes) -> Receipt:
        """Return a receipt that is the sequencer's, and of this command.

        Raises ReceiptInvalid, AnswerInvalid.
        """
        receipt = receipt_of(method, reply)
        if not names_entry(receipt, body):
            raise ReceiptInvalid(receipt, "its entry hash is of another entry")
        if not verify(receipt, self.client.separator, self.client.sequencer):
            raise ReceiptInvalid(receipt, "it is not signed by the sequencer")
        return receipt

    def _keep_and_compare(
        self, method: str, receipt: Receipt, body: bytes, said: str, answer: object
    ) -> None:
        """Keep a receipt, even one that says something else than the answer does.

        Raises ReceiptInvalid, ReceiptNotKept.
        """
        self.receipts[receipt.seq] = receipt
        if len(self.receipts) > RECEIPTS_KEPT:
            self.receipts.popitem(last=False)
        name = name_of(receipt)
        is_borne_out = name == said
        try:
            self.client.keep(receipt, body)
        except ReceiptFileFault as fault:
            if is_borne_out:
                raise ReceiptNotKept(method, receipt, answer, fault) from None
        if not is_borne_out:
            raise ReceiptInvalid(receipt, f"it says {name}, the answer says {said[:50]!r}")


def name_of(receipt: Receipt) -> str:
    """Return a receipt's outcome in words, by its number where it has none."""
    try:
        return receipt.outcome.name
    except ValueError:
        return f"reason {receipt.outcome.reason}"


def is_in_doubt(refusal: Refusal) -> bool:
    """Say whether a command may have been executed although it is refused without a receipt."""
    reason = refusal.error.data.reason
    if reason not in WITHOUT_RECEIPT:
        return True
    if not refusal.is_repeated:
        return reason == "STOPPED_BY_FAULT"
    return reason in EXPLAINED_BY_SUCCESS | SAYS_NOTHING_OF_BEFORE
