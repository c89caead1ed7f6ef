"""What a served venue lists by the calendar, and what a feed's lines come to."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.small_venue import engine_at_genesis

from proofbook.client.errors import NotPublishable
from proofbook.client.publishing import Slice, by_expiry, moment_ns, quantised
from proofbook.operation.configuration import ListingSection
from proofbook.operation.market import calendar, planned, strikes, underlyings
from proofbook.protocol.limits import (
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    NS_PER_SECOND,
    InstrumentKind,
)
from proofbook.protocol.surface import SURFACE_ONE

SATURDAY_NS = 1_795_300_000 * NS_PER_SECOND
"""2026-11-21 22:26:40 UTC."""
USDC = 1_000_000


def shown(expiries_ns: list[int]) -> list[str]:
    moments = (datetime.fromtimestamp(each // NS_PER_SECOND, UTC) for each in expiries_ns)
    return [f"{moment:%a %m-%d %H:%M}" for moment in moments]


def test_the_next_days_fridays_and_last_fridays_of_months_are_listed() -> None:
    listing = ListingSection(days=2, weeks=2, months=3)
    assert shown(calendar(listing, SATURDAY_NS)) == [
        "Sun 11-22 08:00", "Mon 11-23 08:00", "Fri 11-27 08:00", "Fri 12-04 08:00",
        "Fri 12-25 08:00", "Fri 01-29 08:00",
    ]  # fmt: skip
    assert calendar(ListingSection(days=0, weeks=0, months=0), SATURDAY_NS) == []


@given(st.integers(SATURDAY_NS, SATURDAY_NS + 800 * NS_PER_DAY))
def test_every_expiry_is_ahead_and_on_the_grid(now_ns: int) -> None:
    listed = calendar(ListingSection(days=7, weeks=8, months=9), now_ns)
    assert listed == sorted(set(listed)) and len(listed) <= 24
    assert all(each > now_ns and each % NS_PER_DAY == EXPIRY_TIME_OF_DAY_NS for each in listed)
    assert listed[0] - now_ns <= NS_PER_DAY


def test_strikes_lie_around_the_index_on_the_grid() -> None:
    ((number, underlying),) = underlyings(engine_at_genesis())
    listing = ListingSection(strikes=1, strike_percent=2.5, futures=True, days=1, weeks=0, months=0)
    kinds = [row.kind for row in planned(listing, number, underlying, SATURDAY_NS)]
    assert kinds == [InstrumentKind.PERPETUAL, InstrumentKind.FUTURE], "no index, no strikes"
    underlying.index_atoms, underlying.index_version = 60_100 * USDC, 1
    assert strikes(listing, underlying) == [58_500 * USDC, 60_000 * USDC, 61_500 * USDC]
    assert len(planned(listing, number, underlying, SATURDAY_NS)) == 2 + 6
    underlying.index_atoms = 700 * USDC
    assert strikes(listing, underlying) == [500 * USDC, 1_000 * USDC], "none at or below 0"


def test_what_is_said_of_expiries_is_put_in_the_venues_order() -> None:
    near, far = 1_798_185_600 * NS_PER_SECOND, 1_798_790_400 * NS_PER_SECOND
    given_texts = {"2027-01-01T08:00Z": "2", str(near): "1", "2028-01-01": "3"}
    assert by_expiry(given_texts, [near, far], "forward") == ["1", "2"]
    with pytest.raises(NotPublishable, match="no forward for 2026-12-25T08:00Z"):
        by_expiry({"2027-01-01T08:00Z": "2"}, [near, far], "forward")
    with pytest.raises(NotPublishable, match="neither ISO 8601 nor ns"):
        moment_ns("tomorrow")


def test_a_slice_is_rounded_to_what_the_protocol_counts() -> None:
    one = quantised(7, Slice(0.5, 1.0, -0.25, 0.0, 2.0))
    assert (one.expiry_ns, one.a, one.b) == (7, SURFACE_ONE // 2, SURFACE_ONE)
    assert (one.rho, one.m, one.sigma) == (-SURFACE_ONE // 4, 0, 2 * SURFACE_ONE)
