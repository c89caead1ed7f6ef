"""Journals of a random workload, written in groups of random size."""

import asyncio
from pathlib import Path
from random import Random

from proofbook.kernel import Kernel
from proofbook.sequencer.journal import Journal
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload

GROUP_ENTRIES_MAX = 40


def workload_entries(
    seed: int, count: int, hostile_share: float = 0.1
) -> tuple[bytes, list[bytes]]:
    """Return genesis and entries that follow it."""
    workload = Workload(seed, hostile_share=hostile_share)
    kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT)
    entries: list[bytes] = []
    while len(entries) < count:
        entry = workload.next_entry()
        (result,) = kernel.apply([entry])
        workload.observe(entry, result)
        entries.append(entry)
    return workload.genesis, entries


def write_journal(folder: Path, entries: list[bytes], seed: int = 1) -> None:
    """Append entries, each group durable before the next."""
    random = Random(seed)

    async def write() -> None:
        with Journal(folder) as journal:
            while (place := journal.last_seq) < len(entries):
                size = random.randint(1, GROUP_ENTRIES_MAX)
                await journal.append_group(entries[place : place + size])

    asyncio.run(write())


def kernel_at_genesis(genesis: bytes) -> Kernel:
    return Kernel(genesis, CHAIN_ID, CONTRACT)
