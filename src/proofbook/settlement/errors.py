"""Faults of settlement. Faults of the chain itself are in `chain.errors`.

SettlementFault
├── DevelopmentChainFailed   anvil did not start
├── DevelopmentKeyRefused    a key that everybody knows, on a chain that is not for development
├── ArtifactNotFound         the contracts are not compiled
├── AddressMispredicted      a contract was deployed elsewhere than computed
├── NonceTaken               another transaction of the same account was first
├── TransactionTimedOut      not mined in time, even with higher fees
├── FinalityUnknown          a chain that calls no block final
├── JournalBehindChain       the chain holds entries that the journal does not
├── JournalDisagrees         the chain holds other entries than the journal
├── RootDisagrees            a claim or a snapshot has another root than the journal leads to
├── InboxDisagrees           the journal consumed other requests than the inbox holds
├── CommandNotGoverned       bytes that the governor must not put into the inbox
├── OperationNotFound        the governor knows no such batch of requests
├── TokensMismatch           the vault holds other tokens than genesis names
├── TokenNotFound            the venue takes no token of that name
└── AmountNotWhole           an amount that the venue does not count
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path


class SettlementFault(Exception):
    """Anything outside this process that keeps settlement from its work."""


class DevelopmentChainFailed(SettlementFault):
    """The local chain did not start."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the development chain did not start: {reason}")
        self.reason = reason


class DevelopmentKeyRefused(SettlementFault):
    """A key that everybody knows must not hold anything on this chain."""

    def __init__(self, address: bytes, chain_id: int) -> None:
        super().__init__(
            f"0x{address.hex()} is a public development key, chain {chain_id} is not 31337"
        )
        self.address = address
        self.chain_id = chain_id


class ArtifactNotFound(SettlementFault):
    """A compiled contract is not where it should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no compiled contract at {path}: run `make setup`")
        self.path = path


class AddressMispredicted(SettlementFault):
    """A contract was deployed at another address than computed from account and nonce."""

    def __init__(self, contract: str, predicted: bytes, actual: bytes) -> None:
        super().__init__(f"{contract} is at 0x{actual.hex()}, predicted 0x{predicted.hex()}")
        self.contract = contract
        self.predicted = predicted
        self.actual = actual


class NonceTaken(SettlementFault):
    """Another transaction of the same account was mined with this nonce."""

    def __init__(self, address: bytes, nonce: int) -> None:
        super().__init__(f"nonce {nonce} of 0x{address.hex()} was used by another transaction")
        self.address = address
        self.nonce = nonce


class TransactionTimedOut(SettlementFault):
    """A transaction was not mined in time."""

    def __init__(self, address: bytes, nonce: int, seconds: float) -> None:
        super().__init__(f"nonce {nonce} of 0x{address.hex()} was not mined in {seconds:.0f} s")
        self.address = address
        self.nonce = nonce
        self.seconds = seconds


class FinalityUnknown(SettlementFault):
    """The chain does not say which blocks are final: name a number of confirmations instead."""

    def __init__(self, tag: str, reason: str) -> None:
        super().__init__(f"the chain names no {tag} block: {reason}")
        self.tag = tag
        self.reason = reason


class JournalBehindChain(SettlementFault):
    """The chain holds entries that this journal does not: it is not the journal of this chain."""

    def __init__(self, next_seq: int, last_seq: int) -> None:
        super().__init__(f"the chain expects entry {next_seq} next, the journal ends at {last_seq}")
        self.next_seq = next_seq
        self.last_seq = last_seq


class JournalDisagrees(SettlementFault):
    """The newest append on chain does not hold the journal's entries."""

    def __init__(self, first_seq: int, count: int, found: int) -> None:
        super().__init__(
            f"the append of {count} entries from {first_seq} is not in this journal, "
            f"which has {found} there"
        )
        self.first_seq = first_seq
        self.count = count
        self.found = found


class RootDisagrees(SettlementFault):
    """The whole journal leads to another root than the newest claim has, or a snapshot leads to.

    `restored_seq`: the entry after which that was taken; 0 where the claim is wrong.
    """

    def __init__(self, seq: int, found: bytes, computed: bytes, restored_seq: int = 0) -> None:
        source, end = "the chain's claim has", "no claim goes on from there"
        if restored_seq:
            source = f"the snapshot after entry {restored_seq} leads to"
            end = "move the snapshots away and start again, the venue may have come back by them"
        super().__init__(
            f"{source} root 0x{found.hex()} after entry {seq}, "
            f"the whole journal leads to 0x{computed.hex()}: {end}"
        )
        self.seq = seq
        self.found = found
        self.computed = computed
        self.restored_seq = restored_seq


class InboxDisagrees(SettlementFault):
    """A request in the journal is not the one of the inbox."""

    def __init__(self, position: int, journal_hash: bytes, chain_hash: bytes) -> None:
        super().__init__(
            f"request {position} is 0x{journal_hash.hex()} in the journal, "
            f"0x{chain_hash.hex()} on chain"
        )
        self.position = position
        self.journal_hash = journal_hash
        self.chain_hash = chain_hash


class CommandNotGoverned(SettlementFault):
    """Bytes that are no command of governance: the venue could not execute them."""

    def __init__(self, command: bytes, reason: str) -> None:
        super().__init__(f"0x{command.hex()} is no command of governance: {reason}")
        self.command = command
        self.reason = reason


class OperationNotFound(SettlementFault):
    """Nothing was scheduled under this identifier, or not as a batch of requests."""

    def __init__(self, identifier: bytes, governor: bytes) -> None:
        super().__init__(
            f"the governor 0x{governor.hex()} has no batch of requests 0x{identifier.hex()}"
        )
        self.identifier = identifier
        self.governor = governor


class TokensMismatch(SettlementFault):
    """The vault was deployed with another number of tokens than the venue takes."""

    def __init__(self, held: int, named: int) -> None:
        super().__init__(f"the vault holds {held} tokens, genesis names {named}")
        self.held = held
        self.named = named


class TokenNotFound(SettlementFault):
    """The venue takes no token with this symbol."""

    def __init__(self, symbol: str, known: Sequence[str]) -> None:
        super().__init__(f"the venue takes no {symbol}, but {', '.join(known)}")
        self.symbol = symbol
        self.known = known


class AmountNotWhole(SettlementFault):
    """An amount that is not positive, too large, or no whole number of the venue's atoms."""

    def __init__(self, amount: Decimal, symbol: str, decimals: int) -> None:
        super().__init__(f"{amount} is no amount of {symbol} with at most {decimals} decimals")
        self.amount = amount
        self.symbol = symbol
        self.decimals = decimals
