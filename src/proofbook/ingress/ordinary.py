"""Signed methods that come again and again, from the JSON of a request straight to its command.

The extension reads requests of the plainest form: `place`, `quote`, `cancel` and `cancel_all`. What
it reads is what the session would have made of it; of all others it says nothing, and the session
takes them member by member, or says what is wrong.
"""

from enum import IntEnum
from typing import TypeAlias

from proofbook import _native
from proofbook.protocol.events import event_sizes
from proofbook.protocol.limits import InstrumentKind, Reject, Removal, Tag
from proofbook.queries.instruments import Instrument, Instruments

Ordinary: TypeAlias = _native.Ordinary
"""An ordinary request, read: its id, the bytes of its command, and what they say of it first."""

METHODS = {
    int(Tag.PLACE): "place",
    int(Tag.QUOTE_BATCH): "quote",
    int(Tag.CANCEL): "cancel",
    int(Tag.CANCEL_ALL): "cancel_all",
}
"""By the tag of its command, the method of an ordinary request."""


TAGS = 256
"""As many kinds of events as a byte can number."""


class OrdinaryRequests:
    """Reads ordinary requests, of the instruments that are listed: it is told of each."""

    def __init__(self, instruments: Instruments) -> None:
        sizes = bytearray(TAGS)
        for tag, size in event_sizes().items():
            sizes[tag] = size
        names = names_by_number(Removal), names_by_number(Reject)
        self._requests = _native.OrdinaryRequests(bytes(sizes), *names)
        self.read = self._requests.read
        """Returns what an ordinary request asks; None for any other."""
        instruments.subscribe(self)

    def listed(self, instrument: Instrument) -> None:
        """Take up an instrument; prices of combos are no ordinary ones."""
        if instrument.kind != InstrumentKind.COMBO:
            name, number = instrument.name, instrument.number
            self._requests.put(name, number, instrument.tick_atoms, instrument.lot_nanos)

    def released(self, instrument: Instrument) -> None:
        """Forget an instrument: its name may soon be another one's."""
        self._requests.drop(instrument.name)


def names_by_number(kind: type[IntEnum]) -> list[str]:
    """Return the names of an enumeration, each in its number's place; empty where there is none."""
    names = {int(member): member.name for member in kind}
    return [names.get(number, "") for number in range(max(names) + 1)]
