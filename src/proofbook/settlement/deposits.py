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
from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import AsyncRpc, decode_event
from proofbook.protocol.commands import AnyCommand, Reader
from proofbook.protocol.entry import read_command
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.transactions import Sender

Submit = Callable[[AnyCommand], Awaitable[Any]]
"""Hands a command of the inbox to the sequencer; returns when it has its place in the journal."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class DepositSettings:
    """How long a request rests on chain before it is believed, blocks, and how often to look, s."""

    confirmations: int = 0
    poll_seconds: float = 0.1


class DepositWatcher:
    """Submits the requests of the inbox to the sequencer, each once, in order.

    `position` gives how many requests the journal has consumed: `inbox_position` of the global
    record. It is asked before every look, so that a restart continues where the journal ends.
    """

    def __init__(
        self,
        rpc: AsyncRpc,
        deployment: Deployment,
        position: Callable[[], int],
        submit: Submit,
        settings: DepositSettings | None = None,
    ) -> None:
        self._rpc = rpc
        self._deployment = deployment
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

        Raises  ChainFault.
        """
        confirmed_block = await self._rpc.block_number() - self._settings.confirmations
        if confirmed_block < self._next_block:
            return 0
        submitted = 0
        for request in await self._requests(confirmed_block):
            if request.index >= max(self._submitted, self._position()):
                _, _, command = read_command(Reader(request.command))
                await self._submit(command)
                submitted += 1
            self._submitted = max(self._submitted, request.index + 1)
        self._next_block = confirmed_block + 1
        return submitted

    async def _requests(self, confirmed_block: int) -> list[RequestQueued]:
        count = await self._rpc.view(self._deployment.inbox, REQUESTS_COUNT)
        if count == max(self._submitted, self._position()):
            return []
        logs = await self._rpc.logs(
            self._deployment.inbox, (REQUEST_QUEUED_EVENT,), self._next_block, confirmed_block
        )
        return [decode_event(log, (REQUEST_QUEUED_EVENT,)) for log in logs]


async def mint_and_approve(sender: Sender, deployment: Deployment, amount_atoms: int) -> None:
    """Create development USDC for the sender and let the vault take it.

    Raises  TransactionReverted.
    """
    await sender.send(deployment.token, MINT.encode(sender.address, amount_atoms))
    await approve(sender, deployment, amount_atoms)


async def approve(sender: Sender, deployment: Deployment, amount_atoms: int) -> None:
    """Let the vault take so much of the sender's token. Raises TransactionReverted."""
    await sender.send(deployment.token, APPROVE.encode(deployment.vault, amount_atoms))


async def deposit(
    sender: Sender, deployment: Deployment, owner: bytes, subaccount: int, amount_atoms: int
) -> Deposited:
    """Move the sender's USDC into the vault for an owner's account; return the account's number.

    Raises  TransactionReverted, ChainFault.
    """
    call = DEPOSIT.encode(owner, subaccount, amount_atoms)
    receipt = await sender.send(deployment.vault, call)
    logs = await sender.rpc.logs(
        deployment.vault, (DEPOSITED_EVENT,), receipt.block_number, receipt.block_number
    )
    (log,) = (log for log in logs if log.transaction_hash == receipt.transaction_hash)
    return decode_event(log, (DEPOSITED_EVENT,))
