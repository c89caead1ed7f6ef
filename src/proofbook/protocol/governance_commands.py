"""Commands of the governor, through the inbox."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from proofbook.protocol.codec import Command
from proofbook.protocol.limits import InstrumentMode, InstrumentState, Tag


@dataclass(frozen=True, slots=True)
class SetInstrument(Command):
    """What a book takes and how it trades, by the governor."""

    TAG: ClassVar = Tag.SET_INSTRUMENT
    LAYOUT: ClassVar = Struct("<IBBII")
    instrument: int
    state: InstrumentState
    mode: InstrumentMode
    speed_bump_ms: int = 0
    auction_interval_ms: int = 0
