"""What every test begins with."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_nobody_configured_them() -> Iterator[None]:
    """A command that runs inside a test sends all logs to a stream that is closed after it."""
    yield
    structlog.reset_defaults()
