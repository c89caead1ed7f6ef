"""What can go wrong beside what the venue refuses.

ApiError (proofbook.api.errors)
└── Rejected        the state machine rejected the command; it has a seq and a receipt
NotEncodable        a number that its field cannot hold: nothing was sent
NotPublishable      prices that a publisher cannot sign: nothing was sent
TokenUnknown        the venue takes no such token: nothing was sent
ConnectionLost      the connection ended; what was in flight may have been executed or not
AnswerInvalid       the venue answered what no venue answers; a command may have been executed
VenueDiffers        the venue is not the one that was expected: nothing was signed
OutcomeUnknown      a command was refused that may have been executed all the same
StreamGap           a stream cannot go on where it ended: read the histories
BookGap             a change of a book does not follow the one before: subscribe again
ReceiptInvalid      the venue answered without a valid receipt: keep it, it is evidence
ReceiptFileFault (proofbook.api.receipt_file)
└── ReceiptNotKept  the command has its answer, but the file of receipts did not take its receipt
"""

from collections.abc import Sequence

from proofbook.api.errors import ApiError
from proofbook.api.receipt_file import ReceiptFileFault
from proofbook.api.receipts import Receipt
from proofbook.api.schema import Error


class Rejected(ApiError):
    """A rejection by the state machine, with the receipt of the entry."""

    def __init__(self, error: Error, receipt: Receipt) -> None:
        data = error.data
        super().__init__(error.code, data.reason, error.message, data.value, data.limit)
        self.receipt = receipt


class NotEncodable(ValueError):
    """A command that has no encoding, so nothing was sent. Operands: method, fault."""

    def __init__(self, method: str, fault: str) -> None:
        super().__init__(f"{method} cannot be encoded: {fault}")
        self.method = method
        self.fault = fault


class NotPublishable(ValueError):
    """Prices that lack something, or a key that is no publisher's: nothing was sent."""


class TokenUnknown(ValueError):
    """A symbol of no token that the venue takes. Operands: symbol, known."""

    def __init__(self, symbol: str, known: Sequence[str]) -> None:
        super().__init__(f"the venue takes no {symbol}, but {', '.join(known)}")
        self.symbol = symbol
        self.known = known


class ConnectionLost(Exception):
    """The connection ended. Operands: url, cause."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"the connection to {url} ended: {cause}")
        self.url = url
        self.cause = cause


class ReceiptInvalid(Exception):
    """A receipt that the sequencer did not sign, or not for this command.

    Operands: receipt, fault.
    """

    def __init__(self, receipt: Receipt, fault: str) -> None:
        super().__init__(f"receipt of seq {receipt.seq}: {fault}")
        self.receipt = receipt
        self.fault = fault


class ReceiptNotKept(ReceiptFileFault):
    """A command has its answer, but its receipt is not in the file.

    Operands: method, receipt, answer (the reply, or Rejected), and those of ReceiptFileFault.
    """

    def __init__(
        self, method: str, receipt: Receipt, answer: object, fault: ReceiptFileFault
    ) -> None:
        words = f"; {method} was answered, it is entry {receipt.seq}: {receipt.outcome.name}"
        super().__init__(fault.path, fault.reason + words)
        self.method = method
        self.receipt = receipt
        self.answer = answer


class AnswerInvalid(Exception):
    """An answer without the shape that it must have. Operands: method, fault."""

    def __init__(self, method: str, fault: str) -> None:
        super().__init__(f"the venue's answer to {method} is none: {fault}")
        self.method = method
        self.fault = fault


class VenueDiffers(Exception):
    """A venue that says something else of itself than was expected.

    Operands: member, expected, found.
    """

    def __init__(self, member: str, expected: object, found: object) -> None:
        super().__init__(f"the {member} of the venue is {found}, expected was {expected}")
        self.member = member
        self.expected = expected
        self.found = found


class OutcomeUnknown(Exception):
    """A command was refused that may have been executed: this time, or when it was sent before.

    STOPPED_BY_FAULT: it may be on the disk that failed. A reason that only an executed command has
    comes with a receipt; without one it is no answer. The same bytes sent again are answered as
    they were then; the histories tell too. Operands: method, nonce, reason, message.
    """

    def __init__(self, method: str, nonce: int, reason: str, message: str) -> None:
        words = f"{method} with nonce {nonce} may have been executed: {reason}: {message}"
        super().__init__(words)
        self.method = method
        self.nonce = nonce
        self.reason = reason
        self.message = message


class StreamGap(Exception):
    """What was missed of a channel is kept no more. Operands: channel, reason."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(f"{channel} cannot go on where it ended: {reason}")
        self.channel = channel
        self.reason = reason


class BookGap(Exception):
    """A change of a book does not follow the last. Operands: instrument, expected, found."""

    def __init__(self, instrument: str, expected: int | None, found: int | None) -> None:
        super().__init__(f"book of {instrument}: a change follows {found}, the last was {expected}")
        self.instrument = instrument
        self.expected = expected
        self.found = found
