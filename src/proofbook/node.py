"""A node: engine, journal, sequencer, read models and ingress; services run beside them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from proofbook.api.signing import Key
from proofbook.ingress.connections import ConnectionLimits, Connections
from proofbook.ingress.doors import Doors
from proofbook.ingress.history_door import HistoryDoor
from proofbook.ingress.meter import Meter
from proofbook.ingress.metrics import Metrics
from proofbook.ingress.ordinary import OrdinaryRequests
from proofbook.ingress.server import Server, listen, make_server
from proofbook.ingress.venue import Venue
from proofbook.protocol.engine import Engine
from proofbook.protocol.watch import Watch
from proofbook.queries.feeds import NOTICES_KEPT
from proofbook.recovery.derived import Derived, KeptMost
from proofbook.recovery.recover import recover
from proofbook.recovery.seal import Sealer
from proofbook.sequencer.clock import Clock, SystemClock
from proofbook.sequencer.collector import Collector
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.journal import Journal
from proofbook.sequencer.monitor import Monitor
from proofbook.sequencer.rates import KeyRates, RateLimits
from proofbook.sequencer.recall import RECEIPTS_KEPT, Recall
from proofbook.sequencer.sequencer import Committed, Sequencer, Signed
from proofbook.sequencer.sighting import Sighting

LOOPBACK = "127.0.0.1"
ANSWER_SECONDS_MAX = 5.0
"""For how long a node that ends waits for those who do not read their answers."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a node needs beside its engine. Port 0 takes a free one.

    With `watches_chain` the venue's time waits for whoever tells `saw_chain`.
    `history` is the setting of the database that another process keeps; without it there is none.
    Without `rates` everybody may ask and act as often as he can.
    `snapshots` is the folder into which another process writes them; a start looks there.
    """

    journal: Path
    chain_id: int
    contract: bytes
    key: Key
    epoch: int = 1
    host: str = LOOPBACK
    port: int = 0
    clock: Clock = field(default_factory=SystemClock)
    inclusion: Inclusion | None = None
    watches_chain: bool = False
    history: str = ""
    snapshots: Path | None = None
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    rates: RateLimits | None = None
    receipts_kept: int = RECEIPTS_KEPT
    notices_kept: int = NOTICES_KEPT


Service = Callable[["Node"], Awaitable[None]]
"""Runs beside the node until cancelled: settlement, a publisher, a market maker."""


class Node:
    """A venue in one process. Made by `open_node`; lives as long as `run`."""

    def __init__(
        self,
        settings: NodeSettings,
        journal: Journal,
        derived: Derived,
        sealer: Sealer,
        monitor: Monitor | None = None,
        collector: Collector | None = None,
    ) -> None:
        self.settings = settings
        self.engine = engine = derived.engine
        self.journal = journal
        self.models = derived.models
        self.keeper = derived.keeper
        self.feeds = derived.feeds
        self.sealer = sealer
        self.monitor = monitor
        self.collector = collector
        self.history = HistoryDoor(settings.history) if settings.history else None
        self.connections = Connections(settings.connections)
        self.doors = Doors()
        self.armed: dict[object, Signed] = {}
        self.metrics = Metrics()
        self.ordinary = OrdinaryRequests(self.models.instruments)
        self.meter = None if settings.rates is None else Meter(settings.rates)
        self.sequencer = Sequencer(
            engine,
            journal,
            settings.clock,
            settings.key,
            settings.epoch,
            settings.inclusion,
            receipts_kept=settings.receipts_kept,
        )
        key, separator = settings.key, self.sequencer.separator
        self.sequencer.recall = Recall(journal, derived.results, key, separator, settings.epoch)
        if settings.watches_chain:
            self.sequencer.sighting = Sighting(self.sequencer.window_ns)
        if settings.rates is not None:
            self.sequencer.rates = KeyRates(settings.rates)
        self.sequencer.subscribe(self._publish)
        self._socket: socket.socket = listen(settings.host, settings.port)
        self._server: Server = make_server(self.venue)
        self._sequencing: asyncio.Task[None] | None = None
        self.metrics.expose(self.venue)

    @property
    def venue(self) -> Venue:
        """What the interface works on."""
        settings = self.settings
        return Venue(
            self.sequencer,
            self.models,
            self.feeds,
            settings.chain_id,
            settings.contract,
            self.monitor,
            self.history,
            self.connections,
            self.metrics,
            self.meter,
            self.doors,
            self.armed,
            self.ordinary,
        )

    @property
    def address(self) -> str:
        """Host and port that are listened on."""
        host, port = self._socket.getsockname()[:2]
        return f"{host}:{port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://{self.address}/ws"

    @property
    def http_url(self) -> str:
        return f"http://{self.address}/rpc"

    async def run(self, services: Sequence[Service] = ()) -> None:
        """Serve until cancelled; a fault of any part stops all. What was taken is committed."""
        sequencing = asyncio.create_task(self.sequencer.run(), name="sequencer")
        self._sequencing = sequencing
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="server")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_watch(sequencing))
                group.create_task(_watch(serving))
                group.create_task(self.keeper.run(self.sequencer), name="keeper")
                if self.monitor is not None:
                    group.create_task(self.monitor.run(self.sequencer), name="monitor")
                if self.collector is not None:
                    group.create_task(self.collector.run(self.sequencer), name="collector")
                for service in services:
                    group.create_task(_run_service(service, self))
        finally:
            try:
                await self.drain()
                self._server.should_exit = True
                await asyncio.gather(serving, return_exceptions=True)
            finally:
                # Who is told again to end does not wait; the journal is sealed and let go of.
                self.close()
                _log.info("node.closed", seq=self.engine.seq)

    async def drain(self) -> None:
        """Take no more commands, commit what waits and then what connections left to be sent.

        Everybody who reads is answered. `run` goes on without intake, for reads and services, until
        it is cancelled.
        """
        if self.sequencer.is_accepting:
            _log.info("node.draining", waiting=self.sequencer.waiting, armed=len(self.armed))
        self.sequencer.stop(list(self.armed.values()))
        self.armed.clear()
        if self._sequencing is not None:
            await asyncio.wait([self._sequencing])
        if not await self.connections.until_idle(ANSWER_SECONDS_MAX):
            _log.warning("node.unread", bytes=self.connections.waiting_bytes)

    def close(self) -> None:
        """Let go of journal and port; for a node that never ran, or at the end of its run."""
        self.sealer.close()
        self.journal.close()
        self._socket.close()
        if self.history is not None:
            self.history.close()

    def appended(self, last_seq: int) -> None:
        """Take note, for metrics and the promise in receipts, of how far the chain has come."""
        self.metrics.appended(last_seq)
        if self.settings.inclusion is not None:
            self.settings.inclusion.appended(last_seq)

    def saw_chain(self, until_ns: int) -> None:
        """Take note that every request made before a moment is in the journal."""
        if self.sequencer.sighting is not None:
            self.sequencer.sighting.saw(until_ns)

    def _publish(self, committed: Committed) -> None:
        changes = self.models.apply(
            committed.first_seq, committed.entries, committed.results, self.feeds.is_followed
        )
        self.feeds.publish(changes)
        self.keeper.take(committed.results)
        if self.monitor is not None:
            self.monitor.take(committed.entries)
        self.sealer.grown()


async def _watch(part: asyncio.Task[None]) -> None:
    """Raise what ends a part of the node, and leave the part running when cancelled."""
    await asyncio.shield(part)


async def _run_service(service: Service, node: Node) -> None:
    await service(node)


def open_node(settings: NodeSettings, engine: Engine, watch: Watch | None = None) -> Node:
    """Return a node whose engine, given at genesis, stands at the end of the journal.

    With a watch over the engine's accounts it liquidates who is below his margin, and looks after
    debts. Raises JournalFault, RecoveryFault.
    """
    assert engine.seq == 0, f"the engine stands at {engine.seq}, must stand at genesis"
    journal = Journal(settings.journal)
    torn = journal.torn()
    if torn is not None:
        _log.warning("node.torn_tail", path=str(torn.path), offset=torn.offset, bytes=torn.bytes)
    kept = KeptMost(settings.notices_kept, settings.receipts_kept)
    sealer = Sealer(settings.journal, settings.key, engine.root(), engine, journal.tail)
    try:
        sealed_seq = sealer.read(journal.chain_hash)
        derived = recover(engine, journal, settings.snapshots, kept, sealed_seq)
        sealer.seal()
        if settings.inclusion is not None:
            for last_seq, size_bytes in journal.sizes():
                settings.inclusion.journalled(last_seq, size_bytes)
    except BaseException:
        journal.close()
        raise
    monitor = None if watch is None else Monitor(watch)
    collector = None if watch is None else Collector(watch)
    return Node(settings, journal, derived, sealer, monitor, collector)
