"""A venue for a demonstration: chain, contracts, node, publishers; clocks start at a snapshot."""

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from proofbook.api.signing import Key
from proofbook.chain.rpc import AsyncRpc
from proofbook.cli.demonstration.errors import CommandRefused
from proofbook.node import Node
from proofbook.operation.configuration import Configuration, decode, read_document
from proofbook.operation.operation import Operation, compose
from proofbook.protocol.commands import Command
from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.engine import Engine
from proofbook.protocol.events import Event, InstrumentListed, decode_events
from proofbook.protocol.genesis import Genesis, TokenTerms
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import NS_PER_SECOND, ArenaId, Reject
from proofbook.protocol.records import ExpiryRecord, UnderlyingRecord
from proofbook.risk.chain import Snapshot
from proofbook.risk.market import Observations, grid_of, listing_plan, remark_plan
from proofbook.risk.publishers import Publishers
from proofbook.sequencer.clock import ShiftedClock
from proofbook.settlement.deployment import Deployment, DeploymentTerms, deploy
from proofbook.settlement.development_chain import DevelopmentChain
from proofbook.settlement.settlement import Settlement
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Sender
from proofbook.verification.engines import EngineName, make_engine

PUBLISHERS, QUORUM = 3, 2
OPERATOR_KEY, FUNDER_KEY, PAYER_KEY, LIAR_KEY, PROPOSER_KEY = DEVELOPMENT_KEYS[:5]
GOVERNANCE_DELAY_SECONDS = 2

WRAPPED = {"ETH": ("WETH", 9, 100_000), "BTC": ("WBTC", 8, 5_000)}
"""What stands for a coin on an EVM chain: symbol, decimals that the venue counts, cap."""

HAIRCUT_PPM = 50_000

TOGETHER = 512
"""Commands of the venue itself that wait for one commit."""

MILLION = 1_000_000

STEP_PPM = 150
"""How far the index may walk between two publications."""

NOTHING_TO_MARK = (Reject.OBSERVATION_MISSING, Reject.CURSOR_INVALID, Reject.EXPIRY_NOT_FOUND)
"""Why a Remark is refused that comes too late, or finds all books halted."""

REACH_PPM = 5_000
"""How far it may walk at all: half a percent."""


PER_SECOND = 100_000
"""A demonstration is as fast as its machine."""

OURS: dict[str, dict[str, Any]] = {
    "chain": {
        "rpc": "http://127.0.0.1",
        "contract": "0x" + bytes(20).hex(),
        "operator_key_file": os.devnull,
        "look_seconds": 0.1,
        "append_seconds": 1.0,
    },
    "sequencer": {"key_file": os.devnull},
    "interface": {"port": 0},
    "rates": {
        f"{what}_{when}": PER_SECOND
        for what in ("orders", "cancels", "requests")
        for when in ("per_second", "burst")
    },
}
"""What a development venue has where nobody says otherwise."""


def development_key(name: str) -> Key:
    """Return a key that everybody can compute: for demonstrations on a local chain only."""
    return Key(development_secret(name))


def development_secret(name: str) -> bytes:
    """Return the 32 bytes of such a key."""
    return keccak(f"proofbook demonstration {name}".encode())


def publisher_secrets() -> list[bytes]:
    """Return the keys of the publishers, in the order of their numbers."""
    return [development_secret(f"publisher {place}") for place in range(PUBLISHERS)]


@dataclass
class Venue:
    """Everything that runs, and what is known about its market.

    `moves_ppm` is how far the index of an underlying has walked, `shocks_ppm` how far it was moved
    by hand before. Prices are published by whoever has the `turn`.
    """

    chain: DevelopmentChain
    rpc: AsyncRpc
    deployment: Deployment
    node: Node
    settlement: Settlement
    observations: list[Observations]
    publishers: Publishers
    clock: ShiftedClock
    listed: list[InstrumentListed] = field(default_factory=list[InstrumentListed])
    moves_ppm: dict[int, int] = field(default_factory=dict[int, int])
    shocks_ppm: dict[int, int] = field(default_factory=dict[int, int])
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def sender(self, key: bytes) -> Sender:
        """Return an account of the local chain."""
        return Sender(self.rpc, key, self.chain.chain_id)

    async def apply(
        self, commands: Sequence[Command], tolerated: Collection[Reject] = ()
    ) -> list[Event]:
        """Have the sequencer execute commands of the venue itself.

        Raises CommandRefused, but for what is tolerated.
        """
        events: list[Event] = []
        for first in range(0, len(commands), TOGETHER):
            together = commands[first : first + TOGETHER]
            answers = await asyncio.gather(*map(self.node.sequencer.submit, together))
            for command, answer in zip(together, answers, strict=True):
                outcome = answer.result.outcome
                if not outcome.is_applied and outcome.reason not in tolerated:
                    raise CommandRefused(command.TAG.name, outcome.name)
                events += decode_events(answer.result.events)
        return events

    async def open_market(self, snapshot: Snapshot) -> None:
        """List every instrument, publish what the snapshot says, mark everything."""
        events = await self.apply(listing_plan(snapshot))
        self.listed = [event for event in events if isinstance(event, InstrumentListed)]
        await self.publish()

    async def publish(self) -> None:
        """Publish index, forwards and surface of every underlying, and mark all that is alive.

        An expiry is named until it is settled; what is in it keeps its mark from its end on.
        """
        async with self.turn:
            await self.publish_all()

    async def publish_all(self) -> None:
        """Do the same for who has the turn."""
        await self.publish_indices()
        for observed in self.observations:
            await self._publish_curves(observed)
        now_ns = self.clock.now_ns()
        alive = [event for event in self.still_listed() if not 0 < event.expiry_ns <= now_ns]
        await self.apply(remark_plan(alive), NOTHING_TO_MARK)

    async def publish_indices(self) -> None:
        """Publish the index of every underlying, and nothing else."""
        for observed in self.observations:
            await self.publish_index(observed)

    async def publish_index(self, observed: Observations) -> None:
        """Publish the index of one underlying."""
        now_ns = self.clock.now_ns()
        await self.apply([observed.index_price(self.publishers, now_ns, self._move_ppm(observed))])

    def shock_ppm(self, observed: Observations) -> int:
        """Return how far an underlying was moved by hand."""
        return self.shocks_ppm.get(observed.underlying, 0)

    def _move_ppm(self, observed: Observations) -> int:
        return moved_ppm(self.shock_ppm(observed), self.moves_ppm.get(observed.underlying, 0))

    async def _publish_curves(self, everything: Observations) -> None:
        """Publish forwards and surface, again if an expiry has been settled meanwhile."""
        move_ppm = self._move_ppm(everything)
        while observed := self._narrowed(everything):
            now_ns = self.clock.now_ns()
            curve = observed.forward_curve(self.publishers, now_ns, move_ppm)
            try:
                await self.apply([curve, observed.vol_surface(self.publishers, now_ns)])
            except CommandRefused as refused:
                is_same = self._narrowed(everything) == observed
                if refused.outcome != Reject.EXPIRY_SET_MISMATCH.name or is_same:
                    raise
            else:
                return

    def _narrowed(self, everything: Observations) -> Observations | None:
        """Return what is said about the expiries that are not settled, None if there are none."""
        number = everything.underlying
        observed = everything.narrowed({(number, each) for each in self._unsettled_of(number)})
        return observed if observed.expiries_ns else None

    def unsettled_ns(self) -> set[int]:
        """Return the times of all expiries that are not settled."""
        return {each for row in self.observations for each in self._unsettled_of(row.underlying)}

    def _unsettled_of(self, underlying: int) -> set[int]:
        """Return the times of the expiries that curves and surfaces name."""
        engine = self.node.engine
        record = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, underlying))
        slots = record.expiries[: record.expiries_count]
        return {ExpiryRecord.unpack(engine.read(ArenaId.EXPIRIES, s)).expiry_ns for s in slots}

    def still_listed(self) -> list[InstrumentListed]:
        """Return what was listed and has not been released since."""
        numbers = {row.number for row in self.node.models.instruments}
        return [event for event in self.listed if event.instrument in numbers]

    async def keep_publishing(self, seed: int, every_seconds: float, stop: asyncio.Event) -> None:
        """Let prices walk, the same way for the same seed, until told to stop."""
        random = Random(seed)
        while not stop.is_set():
            for observed in self.observations:
                move = self.moves_ppm.get(observed.underlying, 0) + random.randint(
                    -STEP_PPM, STEP_PPM
                )
                self.moves_ppm[observed.underlying] = max(-REACH_PPM, min(REACH_PPM, move))
            await self.publish()
            try:
                await asyncio.wait_for(stop.wait(), every_seconds)
            except TimeoutError:
                continue


def moved_ppm(first_ppm: int, then_ppm: int) -> int:
    """Return what two moves come to, one after the other; rounded to the nearest."""
    return round((MILLION + first_ppm) * (MILLION + then_ppm) / MILLION) - MILLION


def genesis_of(snapshot: Snapshot) -> Genesis:
    """Return the genesis of a venue that lists a snapshot's chains."""
    return Genesis(
        genesis_ns=snapshot.taken_ns,
        fund_owner=development_key("fund").address,
        fee_owner=development_key("fees").address,
        publishers=tuple(Key(secret).address for secret in publisher_secrets()),
        underlyings=tuple(grid_of(chain, QUORUM) for chain in snapshot.chains),
        tokens=tuple(collateral_of(snapshot)),
    )


def collateral_of(snapshot: Snapshot) -> Iterator[TokenTerms]:
    """Yield the tokens whose underlying a snapshot has."""
    for number, chain in enumerate(snapshot.chains, start=1):
        if chain.symbol in WRAPPED:
            symbol, decimals, whole = WRAPPED[chain.symbol]
            cap_atoms = whole * 10**decimals
            yield TokenTerms(symbol, number, decimals, HAIRCUT_PPM, cap_atoms)


def demonstration_engine(genesis: bytes, chain_id: int, contract: bytes) -> Engine:
    """Return the fast engine at genesis."""
    return make_engine(EngineName.KERNEL, genesis, chain_id, contract)


def demonstration_root(genesis: bytes, chain_id: int, contract: bytes) -> bytes:
    """Return the root at genesis."""
    return demonstration_engine(genesis, chain_id, contract).root()


@asynccontextmanager
async def open_venue(
    snapshot: Snapshot, folder: Path, given: Configuration | None = None
) -> AsyncGenerator[Venue]:
    """Run a venue while the block runs; nothing of it outlives the block.

    What is given counts but for the chain's place and the keys, which are the venue's own.
    Raises DevelopmentChainFailed, SettlementFault, ChainFault.
    """
    genesis = genesis_of(snapshot).encode()
    with DevelopmentChain.start(snapshot.taken_ns // NS_PER_SECOND) as chain:
        async with AsyncRpc(chain.url) as rpc:
            operator = Sender(rpc, OPERATOR_KEY, chain.chain_id)
            deployment = await deploy(
                operator,
                genesis,
                demonstration_root,
                operator.address,
                DeploymentTerms(
                    governance_delay_seconds=GOVERNANCE_DELAY_SECONDS,
                    proposers=(Sender(rpc, PROPOSER_KEY, chain.chain_id).address,),
                ),
            )
            configuration = placed(given or development_configuration(), chain, deployment, folder)
            clock = ShiftedClock(snapshot.taken_ns)
            key = development_key("sequencer")
            operation = compose(configuration, deployment, operator, key, clock)
            venue = _market_of(snapshot, chain, rpc, operation, clock)
            async with asyncio.TaskGroup() as group:
                running = group.create_task(operation.run())
                try:
                    await operation.deposits.step()  # the venue's time waits for a first look
                    yield venue
                finally:
                    running.cancel()


def development_configuration(
    path: Path | None = None, more: Mapping[str, Mapping[str, Any]] | None = None
) -> Configuration:
    """Return how a development venue runs, with what a file sets, and more, in place of ours.

    Raises ConfigurationFault.
    """
    document: dict[str, Any] = {name: dict(values) for name, values in OURS.items()}
    for given in ({} if path is None else read_document(path), more or {}):
        for name, values in given.items():
            ours = document.get(name, {})
            document[name] = ours | values if isinstance(values, Mapping) else values
    return decode(Configuration, document).beside(Path() if path is None else path.parent)


def placed(
    given: Configuration, chain: DevelopmentChain, deployment: Deployment, folder: Path
) -> Configuration:
    """Return a configuration on a chain of its own, with a journal of its own; no key is in a file.

    Such a chain has no finality, and makes no block while nothing happens. The venue ends with its
    folder, so that nothing would go on from a snapshot.
    """
    replace = msgspec.structs.replace
    return replace(
        given,
        chain=replace(
            given.chain,
            rpc=chain.url,
            contract="0x" + deployment.chain.hex(),
            finality="blocks",
            confirmations=0,
            quiet_seconds_max=0,
        ),
        sequencer=replace(given.sequencer, journal=str(folder / "journal")),
        snapshots=replace(given.snapshots, every=0),
    )


def _market_of(
    snapshot: Snapshot,
    chain: DevelopmentChain,
    rpc: AsyncRpc,
    operation: Operation,
    clock: ShiftedClock,
) -> Venue:
    deployment = operation.deployment
    keys = [Key(secret) for secret in publisher_secrets()]
    separator = domain_separator(deployment.chain_id, deployment.chain)
    return Venue(
        chain,
        rpc,
        deployment,
        operation.node,
        operation.settlement,
        Observations.of_snapshot(snapshot),
        Publishers.of_keys(separator, keys),
        clock,
    )
