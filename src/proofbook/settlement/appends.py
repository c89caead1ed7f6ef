"""Cutting the journal into appends, and sending each exactly once."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from proofbook.chain.batches import inbox_hash_after, is_request
from proofbook.chain.contracts import (
    APPEND,
    APPENDS_CLAIMED,
    APPENDS_COUNT,
    CLAIMS_COUNT,
    INBOX_HASH,
    INBOX_POSITION,
    NEXT_SEQ,
)
from proofbook.chain.rpc import AsyncRpc
from proofbook.protocol.limits import APPEND_BYTES_MAX
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.transactions import TRANSACTION_GAS_MAX, Receipt, Sender

# Upper bounds, a test holds them against the contract; gas.
GAS_BASE = 300_000  # the transaction, the append's record, the last tree levels
GAS_PER_BYTE = 40  # the floor price of a calldata byte that is not zero (EIP-7623)
GAS_PER_ENTRY = 700  # hashing and the walk
GAS_PER_REQUEST = 12_000  # reading one request of the inbox


class EntrySource(Protocol):
    """The journal, as far as settlement needs it: durable entries by number."""

    def read(self, first_seq: int, max_entries: int, /) -> Sequence[bytes]:
        """Return up to so many entries from a number on; none when the journal ends before it."""
        ...


class ChainPosition(NamedTuple):
    """How far the chain is, and the operator's next nonce, all read at one block."""

    next_seq: int
    inbox_position: int
    inbox_hash: bytes
    appends: int
    appends_claimed: int
    claims: int
    nonce: int
    block_number: int


async def read_position(rpc: AsyncRpc, deployment: Deployment, operator: Sender) -> ChainPosition:
    """Return the chain's position at its newest block. Raises ChainFault."""
    block = await rpc.block_number()
    functions = (
        NEXT_SEQ, INBOX_POSITION, INBOX_HASH, APPENDS_COUNT, APPENDS_CLAIMED, CLAIMS_COUNT
    )  # fmt: skip
    values = await rpc.views([(deployment.chain, function, ()) for function in functions], block)
    return ChainPosition(*values, nonce=await operator.nonce(block), block_number=block)


def gas_bound(entry: bytes) -> int:
    """Return an upper bound of what an entry adds to an append, gas."""
    gas = GAS_PER_BYTE * len(entry) + GAS_PER_ENTRY
    return gas + GAS_PER_REQUEST if is_request(entry) else gas


def cut(entries: Sequence[bytes]) -> list[list[bytes]]:
    """Return the entries in pieces that each fit one append, by bytes and by gas."""
    pieces: list[list[bytes]] = []
    size, gas = 0, 0
    for entry in entries:
        size += len(entry)
        gas += gas_bound(entry)
        if not pieces or size > APPEND_BYTES_MAX or gas > TRANSACTION_GAS_MAX * 4 // 5:
            pieces.append([])
            size, gas = len(entry), GAS_BASE + gas_bound(entry)
        pieces[-1].append(entry)
    return pieces


async def send_append(
    operator: Sender, deployment: Deployment, position: ChainPosition, piece: Sequence[bytes]
) -> Receipt:
    """Append the entries from `position.next_seq` on.

    The nonce was read at the same block as the position: whatever moves the position uses it up,
    so that no entry is ever appended twice, whoever else sends with this key and however often
    this process was restarted.
    Raises NonceTaken when the position has moved, TransactionReverted, ChainFault.
    """
    inbox_hash = inbox_hash_after(position.inbox_hash, piece)
    data = APPEND.encode(b"".join(piece), inbox_hash)
    return await operator.send(deployment.chain, data, nonce=position.nonce)
