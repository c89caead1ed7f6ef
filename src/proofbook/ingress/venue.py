"""What the methods of the interface work on."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proofbook.ingress.connections import Connections
from proofbook.ingress.doors import Doors
from proofbook.ingress.history_door import HistoryDoor
from proofbook.ingress.metrics import Metrics
from proofbook.ingress.ordinary import OrdinaryRequests
from proofbook.queries.feeds import Feeds
from proofbook.queries.models import ReadModels
from proofbook.sequencer.monitor import Monitor
from proofbook.sequencer.sequencer import Sequencer, Signed

if TYPE_CHECKING:
    from proofbook.ingress.meter import Meter


@dataclass(frozen=True, slots=True)
class Venue:
    """A running venue, and the domain of its signatures.

    `armed`: the CancelAll that each session left, to be sent when it ends. `ordinary`: what reads
    requests of the plainest form; without it they are read as all others.
    """

    sequencer: Sequencer
    models: ReadModels
    feeds: Feeds
    chain_id: int
    contract: bytes
    monitor: Monitor | None = None
    history: HistoryDoor | None = None
    connections: Connections = field(default_factory=Connections)
    metrics: Metrics = field(default_factory=Metrics)
    meter: "Meter | None" = None
    doors: Doors = field(default_factory=Doors)
    armed: dict[object, Signed] = field(default_factory=dict[object, Signed])
    ordinary: OrdinaryRequests | None = None
