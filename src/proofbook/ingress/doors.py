"""What beside the sequencer answers methods, put in by whoever composes a venue."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proofbook.ingress.development import Development
    from proofbook.sequencer.prices import PriceIntake


@dataclass(slots=True)
class Doors:
    """Where there is none, its methods are refused by name."""

    development: "Development | None" = None
    prices: "PriceIntake | None" = None
