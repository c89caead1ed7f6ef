"""`proofbook serve`: a venue whose contracts are deployed, run by one configuration."""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import AsyncRpc
from proofbook.cli.output import (
    EXIT_FAULT,
    EXIT_TERMINATED,
    AddressesPath,
    PlainConsole,
    Unwritable,
    as_json,
    fault_among,
    say,
    write_text,
)
from proofbook.operation.configuration import Configuration
from proofbook.operation.errors import ConfigurationFault
from proofbook.operation.logs import configure_logs
from proofbook.operation.operation import Operation, open_operation
from proofbook.operation.startup import give_back_large_blocks, set_aside
from proofbook.recovery.errors import RecoveryFault
from proofbook.sequencer.journal import JournalFault
from proofbook.sequencer.sequencer import VoidRequest
from proofbook.settlement.errors import SettlementFault

FAULTS = (
    ConfigurationFault, SettlementFault, ChainFault, JournalFault, RecoveryFault, VoidRequest,
    Unwritable, OSError,
)  # fmt: skip
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = structlog.get_logger()


@dataclass(frozen=True)
class Serving:
    """Where a venue is."""

    websocket: str
    http: str
    contract: str
    chain_id: int
    seq: int


def serve(
    config: Annotated[
        Path, typer.Option(help="The configuration, TOML: docs/reference/configuration.md.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Read the configuration, say what is wrong, and end.")
    ] = False,
    json_path: AddressesPath = "",
) -> None:
    """Run a venue until SIGTERM, then commit, answer and settle what was taken.

    A second signal ends it at once. Ends with 0 when drained, 2 for what it cannot go on with.
    """
    try:
        configuration = Configuration.read(config)
        if check:
            PlainConsole(stderr=True).print(f"{config} is good")
            write_text(as_json({"config": str(config), "is_good": True}), json_path)
            return
        configure_logs(configuration.logs)
        uvloop.run(run(configuration, json_path))
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_TERMINATED) from None
    except Exception as error:
        fault = fault_among(error, FAULTS)
        if fault is None:
            raise
        say("cannot go on", fault)
        raise typer.Exit(EXIT_FAULT) from error


async def run(configuration: Configuration, json_path: str = "") -> None:
    """Serve until told to stop, then drain. Raises what ends a part of the venue."""
    give_back_large_blocks()
    async with AsyncRpc(configuration.chain.rpc) as rpc:
        began = time.monotonic()
        operation = await open_operation(configuration, rpc)
        seconds = round(time.monotonic() - began, 3)
        serving = describe(operation)
        _log.info("venue.serving", seconds=seconds, websocket=serving.websocket, seq=serving.seq)
        with set_aside():
            async with asyncio.TaskGroup() as group:
                running = group.create_task(operation.run(), name="operation")
                stopping = asyncio.create_task(drain_on_signal(operation, running))
                write_text(as_json(serving), json_path)
                try:
                    await asyncio.wait([running])
                finally:
                    stopping.cancel()
    _log.info("venue.ended", seq=operation.node.engine.seq)


async def drain_on_signal(operation: Operation, running: asyncio.Task[None]) -> None:
    """Drain at the first signal; end at once at the second."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Who started it with nohup wants it to outlive the terminal.
    is_kept = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    stops = [number for number in STOPS if number != signal.SIGHUP or not is_kept]
    for number in stops:
        loop.add_signal_handler(number, told.set)
    await told.wait()
    for number in stops:
        loop.add_signal_handler(number, running.cancel)
    await operation.drain()
    running.cancel()


def describe(operation: Operation) -> Serving:
    node = operation.node
    return Serving(
        node.websocket_url,
        node.http_url,
        "0x" + operation.deployment.chain.hex(),
        operation.deployment.chain_id,
        node.engine.seq,
    )
