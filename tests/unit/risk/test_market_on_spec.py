"""A generated market on the reference state machine: all is applied, all instruments get marks."""

import os
from pathlib import Path

import pytest

from proofbook.api.signing import Key
from proofbook.protocol.commands import Command
from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Event, InstrumentListed, Marked, decode_events
from proofbook.protocol.genesis import Genesis
from proofbook.risk.chain import Snapshot
from proofbook.risk.generator import generate_snapshot
from proofbook.risk.market import Observations, grid_of, listing_plan, remark_plan
from proofbook.risk.publishers import Publishers
from proofbook.risk.snapshot import read_snapshot
from proofbook.spec.transition import State

CHAIN_ID, CONTRACT = 31337, bytes(range(20))
KEYS = [Key(bytes([number]) * 32) for number in (1, 2, 3)]
DATA = os.environ.get("PROOFBOOK_DATA")


class Venue:
    """A reference state that takes commands one window after the other."""

    def __init__(self, snapshot: Snapshot) -> None:
        genesis = Genesis(
            genesis_ns=snapshot.taken_ns,
            fund_owner=KEYS[0].address,
            fee_owner=KEYS[1].address,
            publishers=tuple(key.address for key in KEYS),
            underlyings=tuple(grid_of(chain, quorum=2) for chain in snapshot.chains),
        )
        self.state = State(genesis.encode(), CHAIN_ID, CONTRACT)
        self.now_ns = snapshot.taken_ns

    def apply(self, command: Command) -> list[Event]:
        self.now_ns += 1
        entry = Entry(self.now_ns, self.now_ns, command).encode()
        (result,) = self.state.apply([entry])
        assert result.outcome.is_applied, f"{command}: {result.outcome.name}"
        return list(decode_events(result.events))


def marked_market(snapshot: Snapshot) -> tuple[list[InstrumentListed], dict[int, int]]:
    """Return the instruments listed and their marks in atoms per lot."""
    venue = Venue(snapshot)
    publishers = Publishers.of_keys(domain_separator(CHAIN_ID, CONTRACT), KEYS)
    listed = [event for command in listing_plan(snapshot) for event in venue.apply(command)]
    for observed in Observations.of_snapshot(snapshot):
        venue.apply(observed.index_price(publishers, snapshot.taken_ns))
        venue.apply(observed.forward_curve(publishers, snapshot.taken_ns))
        venue.apply(observed.vol_surface(publishers, snapshot.taken_ns))
    marked = [event for command in remark_plan(listed) for event in venue.apply(command)]
    assert all(isinstance(event, Marked) for event in marked)
    assert len({event.instrument for event in marked}) == len(marked), "no instrument twice"
    return listed, {event.instrument: event.mark_atoms for event in marked}


def check_marks_near_quotes(snapshot: Snapshot, tolerance: float) -> None:
    """Compare marks with the marks of the source; tolerance in parts of the index."""
    listed, marks = marked_market(snapshot)
    assert len(listed) == len(marks) == sum(c.options_count + 1 for c in snapshot.chains)
    by_name = {(e.underlying, e.expiry_ns, e.strike_atoms, e.kind): e.instrument for e in listed}
    for underlying, chain in enumerate(snapshot.chains, start=1):
        lot = grid_of(chain, quorum=2).option.lot_nanos / 1e9
        for expiry in chain.expiries:
            for option in expiry.options:
                key = (underlying, expiry.expiry_ns, option.strike_atoms, option.kind)
                mark_usd = marks[by_name[key]] / 1e6 / lot
                limit = tolerance * chain.index_atoms / 1e6
                assert abs(mark_usd - option.mark_usd) < limit, f"{chain.symbol} {key}"


def test_a_generated_chain_is_marked_as_it_was_quoted() -> None:
    check_marks_near_quotes(generate_snapshot(seed=5), tolerance=0.0005)


@pytest.mark.skipif(DATA is None, reason="PROOFBOOK_DATA names no folder of real option chains")
def test_real_chains_are_marked_as_they_were_quoted() -> None:
    for path in sorted(Path(DATA or "").glob("deribit_chains/*.csv")):
        check_marks_near_quotes(read_snapshot(path), tolerance=0.004)
