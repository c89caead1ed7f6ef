"""The crowd as the venue sees it: a child process, its plan, its progress."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from proofbook.cli.demonstration.crowd import CrowdPlan, Progress
from proofbook.cli.demonstration.errors import CrowdFailed
from proofbook.liquidity.tally import Tally

LINE_BYTES_MAX = 1 << 26
"""64 MiB: the last line holds a time for every receipt."""

_decode_progress = msgspec.json.Decoder(Progress).decode


class CrowdProcess:
    """Makers and takers in another process. The tally follows what they report."""

    def __init__(self, process: asyncio.subprocess.Process, tally: Tally) -> None:
        self._process = process
        self._tally = tally

    async def until_quoted(self) -> None:
        """Wait until every instrument has been quoted. Raises CrowdFailed."""
        while not (await self._progress()).is_quoted:
            pass

    async def until_over(self) -> None:
        """Wait until everybody has finished. Raises CrowdFailed."""
        while not (progress := await self._progress()).is_over:
            pass
        self._tally.receipt_ns += progress.receipt_ns

    async def _progress(self) -> Progress:
        assert self._process.stdout is not None and self._process.stderr is not None
        line = await self._process.stdout.readline()
        if not line:
            output = (await self._process.stderr.read()).decode(errors="replace")
            raise CrowdFailed(await self._process.wait(), output.strip())
        progress = _decode_progress(line)
        self._tally.orders, self._tally.fills = progress.orders, progress.fills
        self._tally.rejections.clear()
        self._tally.rejections.update(progress.rejections)
        return progress


@asynccontextmanager
async def crowd(plan: CrowdPlan, tally: Tally) -> AsyncGenerator[CrowdProcess]:
    """Let makers and takers come while the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proofbook.cli.demonstration.crowd",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
        # A session of its own: Ctrl-C reaches the parent alone, which ends the crowd.
        start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        process.stdin.close()
        yield CrowdProcess(process, tally)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
