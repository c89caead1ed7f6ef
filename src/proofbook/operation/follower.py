"""A history kept up by a process beside the venue: it is started, watched, and ended with it."""

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
    """Run a follower until cancelled; one that ends by itself is started again."""
    while True:
        process = await _start(configuration)
        try:
            code = await process.wait()
        finally:
            await _end(process)
        _log.error("history.follower_ended", exit_code=code)
        await asyncio.sleep(AGAIN_SECONDS)


async def _start(configuration: Configuration) -> Process:
    chain = configuration.chain
    arguments = (
        "history", "follow",
        "--journal", configuration.sequencer.journal,
        "--database", configuration.history.database,
        "--rpc", chain.rpc,
        "--contract", chain.contract,
    )  # fmt: skip
    parent = os.getpid()
    # A session of its own: Ctrl-C reaches the venue alone, which ends the follower when it may.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proofbook.cli", *arguments,
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
