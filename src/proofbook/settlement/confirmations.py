"""Which blocks are believed: what stands in others may be gone tomorrow, and a journal stays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

from proofbook.chain.errors import AnswerUnexpected, ChainRefused
from proofbook.chain.rpc import AsyncRpc, decode_quantity
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.settlement.errors import FinalityUnknown

FINALIZED = "finalized"


@dataclass(frozen=True)
class Confirmation:
    """How deep a block must lie to be believed.

    `tag`: what the chain itself calls final ("finalized", "safe"), where it does; without it so
    many `confirmations`, blocks on top. `quiet_seconds_max`: the longest time in which a live chain
    makes no block; a node whose newest is older is behind. None on a development chain, which makes
    blocks only when asked to.
    """

    confirmations: int = 0
    tag: str = ""
    quiet_seconds_max: int | None = None


ON_DEVELOPMENT_CHAINS = Confirmation()


class Block(NamedTuple):
    """A block's number and time, s."""

    number: int
    timestamp: int


class Confirmed(NamedTuple):
    """The newest block that is believed, and when what it does not show may have begun, ns."""

    number: int
    until_ns: int


async def newest_confirmed(
    rpc: AsyncRpc, wanted: Confirmation, now_ns: Callable[[], int]
) -> Confirmed:
    """Return the newest block that is believed; its number is below 0 if there is none.

    Raises FinalityUnknown for a chain without the tag, ChainFault.
    """
    asked_ns = now_ns()
    newest = await block_of(rpc, "latest")
    assert newest is not None, "every chain has a block"
    if wanted.tag:
        believed = await _tagged(rpc, wanted.tag)
        number = min(believed.number, newest.number)
    else:
        number = newest.number - wanted.confirmations
    if number < newest.number:
        unseen = await block_of(rpc, hex(max(0, number + 1)))
        until = newest.timestamp if unseen is None else unseen.timestamp
        return Confirmed(number, until * NS_PER_SECOND)
    quiet_max = wanted.quiet_seconds_max
    if quiet_max is not None and asked_ns > (newest.timestamp + quiet_max) * NS_PER_SECOND:
        return Confirmed(number, newest.timestamp * NS_PER_SECOND)
    return Confirmed(number, asked_ns)


async def _tagged(rpc: AsyncRpc, tag: str) -> Block:
    """Return the block of a tag. Raises FinalityUnknown, ChainFault."""
    try:
        block = await block_of(rpc, tag)
    except ChainRefused as refusal:
        raise FinalityUnknown(tag, refusal.message) from refusal
    if block is None:
        raise FinalityUnknown(tag, "there is no such block")
    return block


async def block_of(rpc: AsyncRpc, tag: str) -> Block | None:
    """Return a block, None if there is none. Raises ChainFault."""
    method = "eth_getBlockByNumber"
    answer = await rpc.call(method, tag, False)
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise AnswerUnexpected(method, answer)
    block = cast(dict[str, object], answer)
    number, timestamp = (
        decode_quantity(method, block.get(name)) for name in ("number", "timestamp")
    )
    return Block(number, timestamp)
