"""So many times a second, as long as the run lasts."""

import asyncio
from collections.abc import AsyncIterator

BEHIND_SECONDS_MAX = 1.0
"""Who is further behind does not try to catch up: the venue is slow, or the machine is."""


async def paced(per_second: float) -> AsyncIterator[int]:
    """Yield 0, 1, 2 … at a pace, at most; each time others run before."""
    loop = asyncio.get_running_loop()
    next_time = loop.time()
    number = 0
    while True:
        await asyncio.sleep(max(0.0, next_time - loop.time()))
        yield number
        number += 1
        next_time = max(next_time + 1 / per_second, loop.time() - BEHIND_SECONDS_MAX)
