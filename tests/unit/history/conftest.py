"""One server for all tests of histories."""

from collections.abc import Iterator

import pytest
from tests.unit.history.stage import Server, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running
