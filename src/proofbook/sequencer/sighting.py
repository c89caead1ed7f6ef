"""How far the venue's time may run ahead of what was seen of the chain.

A request that waits on chain for an hour of the venue's time, and is not consumed, blocks every
append for ever after. Who does not see the chain cannot know of it: so the venue's time stands
still before that hour is over, and goes on once every request that was missed is in the journal.
"""

from proofbook.protocol.limits import NS_PER_SECOND


class Sighting:
    """Up to when every request of the inbox is known to be in the journal.

    Units ahead_ns_max: how far the venue's time may be ahead of that, three quarters of the hour.
    """

    def __init__(self, venue_ns: int, ahead_ns_max: int = 2700 * NS_PER_SECOND) -> None:
        """`venue_ns`: the venue's time before the first look; it stands until then."""
        self.ahead_ns_max = ahead_ns_max
        self._seen_ns = venue_ns - ahead_ns_max

    def saw(self, until_ns: int) -> None:
        """Note that requests made before a moment are in the journal."""
        self._seen_ns = max(self._seen_ns, until_ns)

    @property
    def limit_ns(self) -> int:
        """The latest time that the venue may have."""
        return self._seen_ns + self.ahead_ns_max
