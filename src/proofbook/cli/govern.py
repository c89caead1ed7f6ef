"""`proofbook govern …`: change the rules of a venue, and see which changes are on their way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import IntEnum
from struct import error as StructError
from typing import Annotated, Any

import typer

from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import AsyncRpc, from_hex
from proofbook.cli.options import Secret
from proofbook.cli.output import PlainConsole, ReplyPath, ending_on, show_and_write
from proofbook.cli.verify import ChainAddress, RpcUrl
from proofbook.protocol.codec import field_kinds
from proofbook.protocol.commands import COMMANDS, Malformed
from proofbook.protocol.entry import command_bytes
from proofbook.settlement import governance
from proofbook.settlement.deployment import Deployment, find_deployment
from proofbook.settlement.deposits import read_request
from proofbook.settlement.errors import SettlementFault
from proofbook.settlement.governance import GOVERNED_TAGS, NO_PREDECESSOR, NO_SALT, Pending
from proofbook.settlement.transactions import Sender

HASH_BYTES = 32
GOVERNED = {kind.__name__: kind for tag, kind in COMMANDS.items() if tag in GOVERNED_TAGS}

govern = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Change the rules, after a delay."
)


def parse_request(text: str) -> bytes:
    """Return the bytes of a command given as hexadecimal digits, or by name and members.

    As in `SetInstrument instrument=5 state=HALTED mode=CONTINUOUS`, or for a place of the grid
    `SetInstrument instrument=0 state=HALTED mode=CONTINUOUS underlying=1 kind=PERPETUAL`.
    Raises typer.BadParameter.
    """
    try:
        name, *members = text.split()
        if name.startswith("0x"):
            return from_hex(text)
        return command_bytes(_command_of(name, dict(m.split("=", 1) for m in members)))
    except (KeyError, ValueError, StructError) as error:
        raise typer.BadParameter(f"{text!r} is no command: {error}") from error


def _command_of(name: str, given: dict[str, str]) -> Any:
    """Return a command of governance from the texts of its members. Raises ValueError."""
    kind: Any = GOVERNED.get(name)
    if kind is None:
        raise ValueError(f"none is called {name}, but {', '.join(GOVERNED)}")
    values: dict[str, Any] = {}
    for field, kind_of_field in zip(fields(kind), field_kinds(kind), strict=True):
        if field.name in given:
            values[field.name] = _value(kind_of_field, given.pop(field.name))
        elif field.default is MISSING:
            raise ValueError(f"{field.name} is missing")
    if given:
        raise ValueError(f"it has no {', '.join(given)}")
    return kind(**values)


def _value(kind: type[Any], text: str) -> Any:
    if issubclass(kind, IntEnum):
        return kind[text]
    if kind is bytes:
        return from_hex(text)
    return kind(int(text, 0))


def parse_hash(text: str) -> bytes:
    """Return 32 bytes. Raises typer.BadParameter."""
    try:
        data = from_hex(text)
    except ValueError:
        data = b""
    if len(data) != HASH_BYTES:
        raise typer.BadParameter(f"{text!r} is not 0x and 64 hexadecimal digits")
    return data


Told = tuple[list[str], Any]
"""Lines for people, and what is written as JSON."""

Hash = Annotated[
    bytes, typer.Argument(parser=parse_hash, metavar="OPERATION", help="As `schedule` named it.")
]
Requests = Annotated[
    list[bytes],
    typer.Argument(
        parser=parse_request,
        metavar="COMMAND",
        help="As in 'SetInstrument instrument=5 state=HALTED mode=CONTINUOUS', or its bytes, 0x….",
    ),
]


@govern.command()
def schedule(
    requests: Requests,
    rpc: RpcUrl,
    contract: ChainAddress,
    key: Secret,
    after: Annotated[
        bytes | None,
        typer.Option(parser=parse_hash, metavar="OPERATION", help="To be executed before."),
    ] = None,
    salt: Annotated[
        bytes | None,
        typer.Option(parser=parse_hash, metavar="HASH", help="Tells it from an equal one before."),
    ] = None,
    json_path: ReplyPath = "",
) -> None:
    """Announce changes, as a proposer; they can be executed when the delay is over."""

    async def act(node: AsyncRpc, deployment: Deployment) -> Told:
        sender = Sender(node, key, deployment.chain_id)
        made = await governance.schedule(
            sender, deployment, requests, after or NO_PREDECESSOR, salt or NO_SALT
        )
        line = f"operation 0x{made.identifier.hex()}, due {_time(made.due_seconds)}"
        return [line], {"operation": "0x" + made.identifier.hex(), "due_seconds": made.due_seconds}

    _run(rpc, contract, act, json_path)


@govern.command()
def execute(
    operation: Hash, rpc: RpcUrl, contract: ChainAddress, key: Secret, json_path: ReplyPath = ""
) -> None:
    """Put what is due into the inbox; the venue applies it within the hour."""

    async def act(node: AsyncRpc, deployment: Deployment) -> Told:
        sender = Sender(node, key, deployment.chain_id)
        queued = await governance.execute(sender, deployment, operation)
        rows = [
            {"request": row.request_index, "command": _command_text(row.command)} for row in queued
        ]
        return [f"request {row['request']}: {row['command']}" for row in rows], rows

    _run(rpc, contract, act, json_path)


@govern.command()
def cancel(
    operation: Hash, rpc: RpcUrl, contract: ChainAddress, key: Secret, json_path: ReplyPath = ""
) -> None:
    """Take back what was announced, as a canceller."""

    async def act(node: AsyncRpc, deployment: Deployment) -> Told:
        await governance.cancel(Sender(node, key, deployment.chain_id), deployment, operation)
        cancelled = "0x" + operation.hex()
        return [f"operation {cancelled} is cancelled"], {"cancelled": cancelled}

    _run(rpc, contract, act, json_path)


@govern.command()
def pending(rpc: RpcUrl, contract: ChainAddress, json_path: ReplyPath = "") -> None:
    """Show what is announced and not yet executed: what to leave for, in time."""

    async def act(node: AsyncRpc, deployment: Deployment) -> Told:
        rows = await governance.pending(node, deployment)
        lines = [line for row in rows for line in _pending_lines(row)]
        return lines or ["nothing is announced"], [_pending_document(row) for row in rows]

    _run(rpc, contract, act, json_path)


def _pending_document(row: Pending) -> dict[str, Any]:
    """Return what is announced; `commands` is null for what is none of this venue's requests."""
    operation = row.operation
    commands = None if operation is None else [_command_text(each) for each in operation.requests]
    identifier = "0x" + row.identifier.hex()
    return {"operation": identifier, "due_seconds": row.due_seconds, "commands": commands}


def _pending_lines(row: Pending) -> list[str]:
    lines = [f"operation 0x{row.identifier.hex()}, due {_time(row.due_seconds)}"]
    if row.operation is None:
        return [*lines, "  calls that are no requests: roles, the delay, or none of this venue"]
    return lines + [f"  {_command_text(request)}" for request in row.operation.requests]


def _command_text(request: bytes) -> str:
    """Return a request as its command is written, its bytes if it is none."""
    try:
        return repr(read_request(request))
    except Malformed:
        return f"0x{request.hex()}, which is no command"


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _run(
    url: str,
    contract: bytes,
    act: Callable[[AsyncRpc, Deployment], Awaitable[Told]],
    json_path: str,
) -> None:
    """Act on a venue's contracts, print what came of it, and write it."""

    async def connected() -> Told:
        async with AsyncRpc(url) as node:
            return await act(node, await find_deployment(node, contract))

    waiting = PlainConsole(stderr=True).status("waiting for the chain")
    with ending_on(ChainFault, SettlementFault), waiting:
        lines, document = asyncio.run(connected())
    show_and_write(lines, document, json_path)
