"""Averaging: of the average that dated instruments settle at, what is known and what is to come.

Within the last half hour an expiry sums prices by the time that they held. A price that still
moves counts for the time that is open: what is left until expiry, or, where observations were
missing, what is missing to the least time that an average needs.

Source docs/reference/pricing.md.
"""

from dataclasses import dataclass

from proofbook.protocol.limits import SETTLEMENT_LEAST_NS, SETTLEMENT_WINDOW_NS
from proofbook.protocol.records import ExpiryRecord
from proofbook.spec.black76 import HUNDREDTHS

VARIANCE_SHARE = 3
"""The average of a price over the time to come has a third of the price's variance then."""

AVERAGING_LAG_NS = SETTLEMENT_WINDOW_NS - SETTLEMENT_WINDOW_NS // VARIANCE_SHARE
"""By which the variance of the average trails that of the price, before the window."""


@dataclass(frozen=True, slots=True)
class Averaging:
    """What an average at expiry is made of.

    `fixed` is what the observed part brings already, in 1e-8 USD a unit; prices to come count for
    `open_ns` out of `whole_ns`; `variance_ns` is the time whose variance they have.
    """

    fixed: int
    open_ns: int
    whole_ns: int
    variance_ns: int


def averaging_of(expiry: ExpiryRecord, remaining_ns: int) -> Averaging:
    """Return what is known of an expiry's average with so much time left; 0 from expiry on."""
    observed_ns = expiry.settlement_covered_ns
    left_ns = min(remaining_ns, SETTLEMENT_WINDOW_NS)
    open_ns = max(left_ns, SETTLEMENT_LEAST_NS - observed_ns)
    whole_ns = observed_ns + open_ns
    fixed = expiry.settlement_sum * HUNDREDTHS // whole_ns
    return Averaging(fixed, open_ns, whole_ns, _variance_ns(remaining_ns, open_ns))


def _variance_ns(remaining_ns: int, open_ns: int) -> int:
    """Return t − 20 min before the window, a third of the open time in it, 0 from expiry on.

    Rounds down.
    """
    if remaining_ns > SETTLEMENT_WINDOW_NS:
        return remaining_ns - AVERAGING_LAG_NS
    return open_ns // VARIANCE_SHARE if remaining_ns > 0 else 0
