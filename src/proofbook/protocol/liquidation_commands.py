"""Commands about accounts below their margin."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from proofbook.protocol.codec import Command
from proofbook.protocol.limits import Tag


@dataclass(frozen=True, slots=True)
class Liquidate(Command):
    """Take the next step with an account below its margin: end its orders, or close some of a leg.

    `instrument` names the leg; while there are orders it counts for nothing.
    """

    TAG: ClassVar = Tag.LIQUIDATE
    LAYOUT: ClassVar = Struct("<II")
    account: int
    instrument: int = 0
