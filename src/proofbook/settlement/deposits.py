"""Requests of the inbox on their way into the journal, and the calls that deposit money."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from proofbook.api.errors import Refused
from proofbook.chain.contracts import (
    APPROVE,
    DEPOSIT,
    DEPOSITED_EVENT,
    MINT,
    REQUEST_QUEUED_EVENT,
    REQUESTS_COUNT,
    Deposited,
    RequestQueued,
)
from proofbook.chain.errors import ChainFault, LogNotFound
from proofbook.chain.rpc import AsyncRpc, decode_event
from proofbook.protocol.commands import Command, Malformed, Reader, UnreadableRequest
from proofbook.protocol.entry import command_bytes, read_command
from proofbook.protocol.limits import QUOTE_TOKEN
from proofbook.settlement.confirmations import (
    ON_DEVELOPMENT_CHAINS,
    Confirmation,
    newest_confirmed,
)
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.transactions import Sender

Submit = Callable[[Command], Awaitable[Any]]
"""Hands a command of the inbox to the sequencer; returns when it has its place in the journal."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class DepositSettings:
    """How long a request rests on chain before it is believed, and how often to look, s."""

    confirmation: Confirmation = ON_DEVELOPMENT_CHAINS
    poll_seconds: float = 0.1


class DepositWatcher:
    """Submits the requests of the inbox to the sequencer, each once, in order.

    `position` gives how many requests the journal has consumed: `inbox_position` of the global
    record. It is asked before every look, so that a restart continues where the journal ends.
    `now_ns` is the venue's clock; `on_seen` is told after every look up to when, ns, all requests
    are in the journal.
    """

    def __init__(
        self,
        rpc: AsyncRpc,
        deployment: Deployment,
        position: Callable[[], int],
        submit: Submit,
        now_ns: Callable[[], int],
        settings: DepositSettings | None = None,
        on_seen: Callable[[int], None] = lambda until_ns: None,
    ) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._now_ns = now_ns
        self._on_seen = on_seen
        self._position = position
        self._submit = submit
        self._settings = settings or DepositSettings()
        self._submitted = 0
        self._next_block = deployment.genesis_block

    async def run(self) -> None:
        """Watch until cancelled. A chain that does not answer, a closed intake: ask again."""
        while True:
            try:
                await self.step()
            except (ChainFault, Refused) as fault:
                _log.warning("deposits.retry", reason=str(fault))
            await asyncio.sleep(self._settings.poll_seconds)

    async def step(self) -> int:
        """Submit what is confirmed and new; return how many requests that were.

        Raises LogNotFound when the node does not show them all, FinalityUnknown, ChainFault.
        """
        confirmed = await newest_confirmed(self._rpc, self._settings.confirmation, self._now_ns)
        requests: list[RequestQueued] = []
        if confirmed.number >= self._next_block:
            requests = await self._new_requests(confirmed.number)
            for request in requests:
                await self._submit(request_of(request.command))
                self._submitted = request.request_index + 1
            self._next_block = confirmed.number + 1
        self._on_seen(confirmed.until_ns)
        return len(requests)

    async def _new_requests(self, confirmed_block: int) -> list[RequestQueued]:
        """Return every request that the journal lacks and the inbox held at a block, in order.

        A request passed over would put the next one into the journal in its place, and a journal
        cannot be mended: the logs of a node that lags or cuts off are not believed.
        """
        first = max(self._submitted, self._position())
        inbox = self._deployment.inbox
        count = await self._rpc.view(inbox, REQUESTS_COUNT, block=confirmed_block)
        if count <= first:
            return []
        logs = await self._rpc.logs(
            inbox, (REQUEST_QUEUED_EVENT,), self._next_block, confirmed_block
        )
        found: list[RequestQueued] = [decode_event(log, (REQUEST_QUEUED_EVENT,)) for log in logs]
        requests = [request for request in found if request.request_index >= first]
        if [request.request_index for request in requests] != list(range(first, count)):
            raise LogNotFound(RequestQueued.__name__, inbox)
        return requests


def request_of(data: bytes) -> Command:
    """Return the command that a request is, or the request as one that cannot be read."""
    try:
        return read_request(data)
    except Malformed as fault:
        _log.error("requests.unreadable", request=data.hex(), reason=str(fault))
        return UnreadableRequest(data)


def read_request(data: bytes) -> Command:
    """Return the command that a request is, to the last byte.

    Raises Malformed, also where an entry made of the command would not hold the request's bytes.
    """
    _, _, command = read_command(Reader(data))
    if command_bytes(command) != data:
        raise Malformed(f"{len(data)} bytes are no canonical {type(command).__name__}")
    return command


async def mint_and_approve(
    sender: Sender, deployment: Deployment, amount_atoms: int, token: int = QUOTE_TOKEN
) -> None:
    """Create a development token for the sender and let the vault take it.

    Raises TransactionReverted.
    """
    chosen = deployment.tokens[token]
    amount = amount_atoms * chosen.scale
    await sender.send(chosen.address, MINT.encode(sender.address, amount))
    await approve(sender, deployment, amount_atoms, token)


async def approve(
    sender: Sender, deployment: Deployment, amount_atoms: int, token: int = QUOTE_TOKEN
) -> None:
    """Let the vault take so much of a token from the sender. Raises TransactionReverted."""
    chosen = deployment.tokens[token]
    amount = amount_atoms * chosen.scale
    await sender.send(chosen.address, APPROVE.encode(deployment.vault, amount))


async def deposit(
    sender: Sender,
    deployment: Deployment,
    owner: bytes,
    subaccount: int,
    amount_atoms: int,
    token: int = QUOTE_TOKEN,
) -> Deposited:
    """Move the sender's money into the vault for an owner's account; return what the vault says.

    Raises TransactionReverted, ChainFault.
    """
    amount = amount_atoms * deployment.tokens[token].scale
    call = DEPOSIT.encode(token, owner, subaccount, amount)
    receipt = await sender.send(deployment.vault, call)
    logs = await sender.rpc.logs(
        deployment.vault, (DEPOSITED_EVENT,), receipt.block_number, receipt.block_number
    )
    (log,) = (log for log in logs if log.transaction_hash == receipt.transaction_hash)
    return decode_event(log, (DEPOSITED_EVENT,))
