"""Changes of the rules: scheduled at the governor, in the inbox after its delay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proofbook.chain.abi import encode_arguments
from proofbook.chain.contracts import (
    CALL_SALT_EVENT,
    CALL_SCHEDULED_EVENT,
    CANCEL,
    EXECUTE,
    MIN_DELAY,
    OPERATION_TIMESTAMP,
    PUSH,
    REQUEST_QUEUED_EVENT,
    SCHEDULE,
    CallSalt,
    CallScheduled,
    RequestQueued,
)
from proofbook.chain.rpc import AsyncRpc, decode_event
from proofbook.protocol.commands import Malformed
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import Tag
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.deposits import read_request
from proofbook.settlement.errors import CommandNotGoverned, OperationNotFound
from proofbook.settlement.transactions import Sender

GOVERNED_TAGS = range(Tag.SET_TOKEN, Tag.SET_SETTLEMENT + 1)
COMMANDS_PER_OPERATION_MAX = 32  # of the longest: 70 KB and 6 M gas, a transaction's half
NO_PREDECESSOR = NO_SALT = bytes(32)
DONE_TIMESTAMP = 1  # what the timelock keeps of an operation that was executed; 0 if cancelled


@dataclass(frozen=True)
class Operation:
    """Requests that enter the inbox one after the other, in one transaction.

    The salt tells a decision from an equal one before it; the predecessor must be executed first.
    """

    inbox: bytes
    requests: tuple[bytes, ...]
    predecessor: bytes = NO_PREDECESSOR
    salt: bytes = NO_SALT

    @property
    def arguments(self) -> tuple[list[bytes], list[int], list[bytes], bytes, bytes]:
        """What the governor takes: targets, values, calls, predecessor, salt."""
        calls = [PUSH.encode(request) for request in self.requests]
        return [self.inbox] * len(calls), [0] * len(calls), calls, self.predecessor, self.salt

    @property
    def identifier(self) -> bytes:
        """The hash under which the governor knows it."""
        return keccak(encode_arguments(EXECUTE.inputs, self.arguments))


@dataclass(frozen=True)
class Scheduled:
    """An operation that waits, and when it may be executed, s."""

    identifier: bytes
    due_seconds: int


@dataclass(frozen=True)
class Pending:
    """What waits; the operation is None if it is no batch of requests: a change of roles, say."""

    identifier: bytes
    due_seconds: int
    operation: Operation | None


async def schedule(
    sender: Sender,
    deployment: Deployment,
    requests: Sequence[bytes],
    predecessor: bytes = NO_PREDECESSOR,
    salt: bytes = NO_SALT,
) -> Scheduled:
    """Have commands wait for the governor's delay; the sender is one of its proposers.

    Raises CommandNotGoverned, TransactionReverted, ChainFault.
    """
    require_governed(requests)
    operation = Operation(deployment.inbox, tuple(requests), predecessor, salt)
    delay_seconds = await sender.rpc.view(deployment.governor, MIN_DELAY)
    data = SCHEDULE.encode(*operation.arguments, delay_seconds)
    await sender.send(deployment.governor, data)
    identifier = operation.identifier
    due_seconds = await sender.rpc.view(deployment.governor, OPERATION_TIMESTAMP, identifier)
    return Scheduled(identifier, due_seconds)


async def execute(sender: Sender, deployment: Deployment, identifier: bytes) -> list[RequestQueued]:
    """Put the requests of a scheduled operation into the inbox; return them with their places.

    Raises OperationNotFound, TransactionReverted when it is not due, ChainFault.
    """
    operation = await find_operation(sender.rpc, deployment, identifier)
    receipt = await sender.send(deployment.governor, EXECUTE.encode(*operation.arguments))
    block = receipt.block_number
    logs = await sender.rpc.logs(deployment.inbox, (REQUEST_QUEUED_EVENT,), block, block)
    return [
        decode_event(log, (REQUEST_QUEUED_EVENT,))
        for log in logs
        if log.transaction_hash == receipt.transaction_hash
    ]


async def cancel(sender: Sender, deployment: Deployment, identifier: bytes) -> None:
    """Have a scheduled operation never happen. Raises TransactionReverted, ChainFault."""
    await sender.send(deployment.governor, CANCEL.encode(identifier))


async def find_operation(rpc: AsyncRpc, deployment: Deployment, identifier: bytes) -> Operation:
    """Return what was scheduled under an identifier, from the governor's events.

    Raises OperationNotFound when nothing was, or something that is no batch of requests.
    """
    operation = (await scheduled_operations(rpc, deployment)).get(identifier)
    if operation is None:
        raise OperationNotFound(identifier, deployment.governor)
    return operation


async def pending(rpc: AsyncRpc, deployment: Deployment) -> list[Pending]:
    """Return what waits at the governor, what is due first first. Raises ChainFault."""
    known = await scheduled_operations(rpc, deployment)
    views = [(deployment.governor, OPERATION_TIMESTAMP, (identifier,)) for identifier in known]
    times = await rpc.views(views)
    waiting = [
        Pending(identifier, due_seconds, operation)
        for (identifier, operation), due_seconds in zip(known.items(), times, strict=True)
        if due_seconds > DONE_TIMESTAMP
    ]
    return sorted(waiting, key=lambda row: row.due_seconds)


async def scheduled_operations(
    rpc: AsyncRpc, deployment: Deployment
) -> dict[bytes, Operation | None]:
    """Return whatever was ever scheduled; None for what is no batch of requests."""
    kinds = (CALL_SCHEDULED_EVENT, CALL_SALT_EVENT)
    block = await rpc.block_number()
    logs = await rpc.logs(deployment.governor, kinds, deployment.genesis_block, block)
    # What was cancelled may be scheduled again: its calls are the same each time.
    calls: dict[bytes, dict[int, CallScheduled]] = {}
    salts: dict[bytes, bytes] = {}
    for log in logs:
        event: CallScheduled | CallSalt = decode_event(log, kinds)
        if isinstance(event, CallSalt):
            salts[event.operation] = event.salt
        else:
            calls.setdefault(event.operation, {})[event.call_index] = event
    return {
        identifier: _operation_of(deployment, identifier, rows, salts.get(identifier, NO_SALT))
        for identifier, rows in calls.items()
    }


def _operation_of(
    deployment: Deployment, identifier: bytes, calls: Mapping[int, CallScheduled], salt: bytes
) -> Operation | None:
    """Return the batch of requests that some calls are, None if they are something else."""
    arguments = [PUSH.decode_call(calls[index].data) for index in sorted(calls)]
    requests = tuple(found[0] for found in arguments if found is not None)
    operation = Operation(deployment.inbox, requests, calls[0].predecessor, salt)
    return operation if operation.identifier == identifier else None


def require_governed(requests: Sequence[bytes]) -> None:
    """Refuse what the venue could not read, or what no operation can carry.

    A request that is in the inbox has to be executed: the time to look at it is before.
    Raises CommandNotGoverned.
    """
    if not 0 < len(requests) <= COMMANDS_PER_OPERATION_MAX:
        reason = f"{len(requests)} commands, 1 to {COMMANDS_PER_OPERATION_MAX} fit"
        raise CommandNotGoverned(b"", reason)
    for request in requests:
        try:
            command = read_request(request)
        except Malformed as error:
            raise CommandNotGoverned(request, str(error)) from error
        if command.TAG not in GOVERNED_TAGS:
            raise CommandNotGoverned(request, f"tag {command.TAG:#x} is not of governance")
