"""What every test begins with."""

import signal
from collections.abc import Iterator

import pytest
import structlog


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: in a shell's background it is ignored, by children too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def logs_as_nobody_configured_them() -> Iterator[None]:
    """A command that runs inside a test sends all logs to a stream that is closed after it."""
    yield
    structlog.reset_defaults()
