"""A random stream can be run again from its genesis."""

from proofbook.kernel import Kernel
from proofbook.protocol.engine import Result
from proofbook.protocol.events import PublisherChanged, decode_events
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload

ENTRIES = 1_500


def test_stream_runs_again_from_the_genesis_that_it_tells_at_its_end() -> None:
    workload = Workload(1)
    kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT)
    entries, results, publishers_changed = list[bytes](), list[Result](), 0
    for _ in range(ENTRIES):
        entry = workload.next_entry()
        (result,) = kernel.apply([entry])
        workload.observe(entry, result)
        entries.append(entry)
        results.append(result)
        changes = [e for e in decode_events(result.events) if isinstance(e, PublisherChanged)]
        publishers_changed += len(changes)
    assert publishers_changed
    assert Kernel(workload.genesis, CHAIN_ID, CONTRACT).apply(entries) == results
