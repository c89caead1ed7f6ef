"""Processes beside the venue that read its journal: they are started, watched, ended with it."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, Process

import structlog

from proofbook.operation.configuration import Configuration
from proofbook.settlement.development_chain import die_with

AGAIN_SECONDS = 5.0
"""After how long a follower that ended is started again."""
END_SECONDS_MAX = 10.0

_log = structlog.get_logger()


async def keep_history(configuration: Configuration) -> None:
    """Keep the history up until cancelled."""
    snapshots = configuration.snapshots
    options = ["--database", configuration.history.database]
    if snapshots.every:
        options += ["--snapshots", snapshots.folder]
    while True:
        code = await _run(configuration, "history", "follow", *options)
        _log.error("history.follower_ended", exit_code=code)
        await asyncio.sleep(AGAIN_SECONDS)


async def keep_snapshots(configuration: Configuration) -> None:
    """Take snapshots until cancelled."""
    snapshots = configuration.snapshots
    numbers = {
        "--every": snapshots.every,
        "--kept": snapshots.kept,
        "--notices-kept": configuration.interface.notices_kept,
        "--receipts-kept": configuration.sequencer.receipts_kept,
    }
    options = [text for name, number in numbers.items() for text in (name, str(number))]
    while True:
        code = await _run(
            configuration, "snapshots", "keep", "--folder", snapshots.folder, *options
        )
        _log.error("snapshot.follower_ended", exit_code=code)
        await asyncio.sleep(AGAIN_SECONDS)


async def _run(configuration: Configuration, *arguments: str) -> int:
    """Run a command on the journal until it ends or this is cancelled; return its exit status."""
    process = await _start(configuration, arguments)
    try:
        return await process.wait()
    finally:
        await _end(process)


async def _start(configuration: Configuration, arguments: tuple[str, ...]) -> Process:
    chain = configuration.chain
    where = (
        "--journal", configuration.sequencer.journal,
        "--rpc", chain.rpc,
        "--contract", chain.contract,
    )  # fmt: skip
    parent = os.getpid()
    # A session of its own: Ctrl-C reaches the venue alone, which ends the follower when it may.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proofbook.cli", *arguments, *where,
        stdin=DEVNULL, stdout=DEVNULL, start_new_session=True,
        preexec_fn=lambda: die_with(parent),
    )  # fmt: skip


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
