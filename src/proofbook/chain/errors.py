"""Faults of the chain or of the line to it.

ChainFault
├── ChainUnreachable        nobody answers, or not with JSON-RPC
├── ChainRefused            the node answered with an error
├── AnswerUnexpected        the node answered with something that cannot be
├── TransactionReverted     a contract refused; `error` names why
├── LogNotFound             an event that must be there is not
└── ContractNotFound        no code at an address
"""

from proofbook.chain.abi import ContractError


class ChainFault(Exception):
    """Anything that goes wrong outside this process while talking to a chain."""


class ChainUnreachable(ChainFault):
    """Nobody answers at the URL, or not with JSON-RPC."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no chain answers at {url}: {reason}")
        self.url = url
        self.reason = reason


class ChainRefused(ChainFault):
    """The node answered a request with an error of its own."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method} was refused with code {code}: {message}")
        self.method = method
        self.code = code
        self.message = message


class AnswerUnexpected(ChainFault):
    """The node answered a request with something that the request does not allow."""

    def __init__(self, method: str, answer: object) -> None:
        super().__init__(f"{method} was answered with {str(answer)[:200]}")
        self.method = method
        self.answer = answer


class TransactionReverted(ChainFault):
    """A contract refused a call or a transaction."""

    def __init__(self, error: ContractError | None, data: bytes, message: str = "") -> None:
        super().__init__(f"reverted: {error or message or '0x' + data.hex()}")
        self.error = error
        self.data = data
        self.message = message

    @property
    def name(self) -> str:
        """The name of the contract's error; empty if none of ours was given."""
        return self.error.name if self.error else ""


class LogNotFound(ChainFault):
    """An event that the state of a contract implies is not among its logs."""

    def __init__(self, event: str, contract: bytes) -> None:
        super().__init__(f"no event {event} from 0x{contract.hex()}")
        self.event = event
        self.contract = contract


class ContractNotFound(ChainFault):
    """There is no code at the address."""

    def __init__(self, address: bytes, chain_id: int) -> None:
        super().__init__(f"no contract at 0x{address.hex()} on chain {chain_id}")
        self.address = address
        self.chain_id = chain_id
