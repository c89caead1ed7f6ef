"""All that is on chain about a venue: genesis, entries, claims, read at one block."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from proofbook.chain.abi import Function
from proofbook.chain.contracts import (
    APPEND,
    APPENDED_EVENT,
    APPENDS_COUNT,
    CHAIN,
    CLAIM_AT,
    CLAIMED_EVENT,
    CLAIMS_COUNT,
    DELAY_MIN_SECONDS,
    GENESIS_BLOCK,
    GENESIS_EVENT,
    GENESIS_HASH,
    GENESIS_ROOT,
    GOVERNOR,
    INBOX,
    IS_FINAL,
    MIN_DELAY,
    REQUEST_AT,
    ROLE_GRANTED_EVENT,
    ROLE_REVOKED_EVENT,
    ROLLED_BACK_EVENT,
    VAULT,
    Appended,
    Claim,
    Claimed,
    Genesis,
    RoleGranted,
    RoleRevoked,
    RolledBack,
)
from proofbook.chain.errors import AnswerUnexpected, ContractNotFound, LogNotFound
from proofbook.chain.rpc import Request, Rpc, decode_event, from_hex, to_hex
from proofbook.protocol.genesis import Genesis as GenesisTerms
from proofbook.protocol.hashing import keccak
from proofbook.verification import known_code
from proofbook.verification.contract_code import ContractCode
from proofbook.verification.custody import custody_flaw
from proofbook.verification.findings import Governance

ADMIN_ROLE = bytes(32)
PROPOSER_ROLE, CANCELLER_ROLE, EXECUTOR_ROLE = (
    keccak(name) for name in (b"PROPOSER_ROLE", b"CANCELLER_ROLE", b"EXECUTOR_ROLE")
)


class Origin(NamedTuple):
    """Where a venue begins, as its contract tells."""

    genesis: bytes
    genesis_hash: bytes
    genesis_root: bytes


class AppendedAt(NamedTuple):
    """An append, the transaction that carries its entries, and the block that has it."""

    event: Appended
    transaction_hash: bytes
    block: int


class ClaimOnChain(NamedTuple):
    """A claim that stands: its event with all roots, and what the contract keeps of it."""

    event: Claimed
    kept: Claim
    is_final: bool


class ChainReader:
    """Reads one Chain contract. Raises ChainFault where the node fails."""

    def __init__(self, rpc: Rpc, contract: bytes) -> None:
        self._rpc = rpc
        self.contract = contract
        self.chain_id = rpc.chain_id()
        self.block = rpc.block_number()
        self._code = rpc.code(contract, self.block)
        if not self._code:
            raise ContractNotFound(contract, self.chain_id)
        self._genesis_block, self._inbox = rpc.views(
            [(contract, GENESIS_BLOCK, ()), (contract, INBOX, ())], self.block
        )

    def view(self, function: Function) -> Any:
        """Return what the contract says of itself."""
        return self._rpc.view(self.contract, function, block=self.block)

    def time_seconds(self) -> int:
        """Return the time of the block that is read."""
        return self.times_seconds([self.block])[self.block]

    def times_seconds(self, blocks: Iterable[int]) -> dict[int, int]:
        """Return the times of blocks, by number."""
        numbers = sorted(set(blocks))
        requests = [Request("eth_getBlockByNumber", (hex(block), False)) for block in numbers]
        times: dict[int, int] = {}
        for number, block in zip(numbers, self._rpc.batch(requests), strict=True):
            try:
                times[number] = int(block["timestamp"], 16)
            except (KeyError, TypeError, ValueError) as error:
                raise AnswerUnexpected("eth_getBlockByNumber", block) from error
        return times

    def foreign_contract(self) -> str | None:
        """Return what is foreign about the venue's contracts, None if they are all ours.

        Rules that a contract does not have bind nobody: with an inbox of its own making, or behind
        a vault that is only a key, an operator invents deposits; behind a governor that is only a
        key, it changes the rules without a delay.
        """
        if not known_code.CHAIN.matches(self._code):
            return "the code at the address is not that of Chain"
        if not self._holds(self._inbox, known_code.INBOX):
            return "the inbox that the Chain names has other code than ours"
        views = [(self._inbox, VAULT, ()), (self._inbox, GOVERNOR, ())]
        vault, governor = self._rpc.views(views, self.block)
        if not self._holds(vault, known_code.VAULT):
            return "the vault that the inbox names has other code than ours"
        views = [(vault, CHAIN, ()), (vault, INBOX, ())]
        if self._rpc.views(views, self.block) != [self.contract, self._inbox]:
            return "the vault belongs to another Chain or inbox"
        if not self._holds(governor, known_code.GOVERNOR):
            return "the governor that the inbox names has other code than ours"
        if self._rpc.view(governor, CHAIN, block=self.block) != self.contract:
            return "the governor belongs to another Chain"
        return None

    def custody_flaw(self, genesis: GenesisTerms) -> str | None:
        """Return how the vault's tokens differ from those of genesis, or None."""
        vault = self._rpc.view(self._inbox, VAULT, block=self.block)
        return custody_flaw(self._rpc, vault, genesis, self.block)

    def governance(self) -> Governance:
        """Return who may change the rules, of a venue whose contracts are all ours."""
        governor = self._rpc.view(self._inbox, GOVERNOR, block=self.block)
        views = [(governor, MIN_DELAY, ()), (governor, DELAY_MIN_SECONDS, ())]
        delay_seconds, delay_min_seconds = self._rpc.views(views, self.block)
        members: dict[bytes, set[bytes]] = {}
        kinds = (ROLE_GRANTED_EVENT, ROLE_REVOKED_EVENT)
        for log in self._rpc.logs(governor, kinds, self._genesis_block, self.block):
            event: RoleGranted | RoleRevoked = decode_event(log, kinds)
            holders = members.setdefault(event.role, set())
            if isinstance(event, RoleGranted):
                holders.add(event.member)
            else:
                holders.discard(event.member)
        proposers, cancellers, executors, admins = (
            [to_hex(member) for member in sorted(members.get(role, set()))]
            for role in (PROPOSER_ROLE, CANCELLER_ROLE, EXECUTOR_ROLE, ADMIN_ROLE)
        )
        return Governance(
            to_hex(governor), delay_seconds, delay_min_seconds,
            proposers, cancellers, executors, admins,
        )  # fmt: skip

    def _holds(self, address: bytes, expected: ContractCode) -> bool:
        return expected.matches(self._rpc.code(address, self.block))

    def origin(self) -> Origin:
        """Return genesis bytes, and the hash and root that the contract keeps.

        Raises LogNotFound.
        """
        logs = self._rpc.logs(
            self.contract, (GENESIS_EVENT,), self._genesis_block, self._genesis_block
        )
        if not logs:
            raise LogNotFound("Genesis", self.contract)
        emitted: Genesis = decode_event(logs[0], (GENESIS_EVENT,))
        views = [(self.contract, GENESIS_HASH, ()), (self.contract, GENESIS_ROOT, ())]
        return Origin(emitted.genesis, *self._rpc.views(views, self.block))

    def appends(self) -> list[AppendedAt]:
        """Return all appends in order. Raises LogNotFound when some are missing."""
        logs = self._rpc.logs(self.contract, (APPENDED_EVENT,), self._genesis_block, self.block)
        appends = [
            AppendedAt(decode_event(log, (APPENDED_EVENT,)), log.transaction_hash, log.block_number)
            for log in logs
        ]
        count = self._rpc.view(self.contract, APPENDS_COUNT, block=self.block)
        if [append.event.append_index for append in appends] != list(range(count)):
            raise LogNotFound("Appended", self.contract)
        return appends

    def entries_of(self, append: AppendedAt) -> bytes | None:
        """Return the bytes of an append; None if its transaction is no plain call of `append`."""
        transaction = self._rpc.call("eth_getTransactionByHash", to_hex(append.transaction_hash))
        try:
            receiver = from_hex(transaction["to"] or "0x")
            data = from_hex(transaction["input"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AnswerUnexpected("eth_getTransactionByHash", transaction) from error
        arguments = APPEND.decode_call(data) if receiver == self.contract else None
        return None if arguments is None else arguments[0]

    def claims(self) -> list[ClaimOnChain]:
        """Return the claims that stand, in order; those that lost a dispute are gone.

        Raises LogNotFound.
        """
        events: list[Claimed] = []
        kinds = (CLAIMED_EVENT, ROLLED_BACK_EVENT)
        for log in self._rpc.logs(self.contract, kinds, self._genesis_block, self.block):
            event: Claimed | RolledBack = decode_event(log, kinds)
            del events[event.claim_index :]
            if isinstance(event, Claimed):
                events.append(event)
        count = self._rpc.view(self.contract, CLAIMS_COUNT, block=self.block)
        if [event.claim_index for event in events] != list(range(count)):
            raise LogNotFound("Claimed", self.contract)
        kept = self._rpc.views([(self.contract, CLAIM_AT, (i,)) for i in range(count)], self.block)
        final = self._rpc.views([(self.contract, IS_FINAL, (i,)) for i in range(count)], self.block)
        return [
            ClaimOnChain(event, Claim(*claim), is_final)
            for event, claim, is_final in zip(events, kept, final, strict=True)
        ]

    def request_hashes(self, first: int, count: int) -> list[bytes]:
        """Return the hashes that the inbox keeps of some requests."""
        calls = [(self._inbox, REQUEST_AT, (index,)) for index in range(first, first + count)]
        return [command_hash for command_hash, _ in self._rpc.views(calls, self.block)]
