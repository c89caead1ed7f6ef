"""What a line of a publisher's feed may say, before anything is signed."""

import pytest

from proofbook.client.errors import NotPublishable
from proofbook.client.publishing import Slice, moment_ns, quantised
from proofbook.protocol.surface import SURFACE_ONE


@pytest.mark.parametrize(
    "text",
    ["soon", "", "9" * 30, "9" * 5_000, "1969-12-31", "0001-01-01T00:00+23:59", "3000-01-01"],
)
def test_what_is_no_time_of_the_protocol_is_refused(text: str) -> None:
    with pytest.raises(NotPublishable) as refused:
        moment_ns(text)
    assert len(str(refused.value)) < 200


def test_times_are_iso_8601_or_ns() -> None:
    assert moment_ns("1970-01-02") == moment_ns("1970-01-02T01:00+01:00") == 86_400 * 10**9
    assert moment_ns("0" * 3 + "17") == 17


@pytest.mark.parametrize("value", [1e300, -1e300, 32_768.0, -32_768.0, float("inf"), float("nan")])
def test_a_number_that_does_not_fit_a_slice_is_refused_by_name(value: float) -> None:
    with pytest.raises(NotPublishable, match="rho"):
        quantised(1, Slice(0.1, 0.1, value, 0.0, 0.1))


def test_a_slice_is_counted_in_q15_48() -> None:
    counted = quantised(1, Slice(0.5, 1.0, -32_767.0, 0.0, 2.0))
    assert (counted.a, counted.b) == (SURFACE_ONE // 2, SURFACE_ONE)
    assert (counted.rho, counted.sigma) == (-32_767 * SURFACE_ONE, 2 * SURFACE_ONE)
