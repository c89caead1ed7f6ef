"""A log that cannot be written ends nothing: a full disk, a reader of the pipe that is gone."""

import errno
import io
import logging
import sys
from collections.abc import Generator
from typing import Literal

import pytest
import structlog

from proofbook.operation.configuration import LogsSection
from proofbook.operation.logs import Lossy, configure_logs


class FullDisk(io.StringIO):
    """Takes nothing while it is full."""

    is_full = False

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


@pytest.fixture(autouse=True)
def logs_as_before() -> Generator[None]:
    """Take back what a test has configured for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_lines_for_a_full_disk_are_left_out_counted_and_told_later() -> None:
    disk = FullDisk()
    log = Lossy(disk)
    log.write("one\n")
    disk.is_full = True
    for line in ("two\n", "three\n"):
        assert log.write(line) == len(line)
    assert log.lost == 2
    disk.is_full = False
    log.write("four\n")
    assert disk.getvalue() == "one\nup to 2 lines of the log were lost\nfour\n" and log.lost == 0


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_is_logged_on_a_full_device_raises_nothing(
    form: Literal["json", "text"], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", full)
    configure_logs(LogsSection(format=form))
    for number in range(3_000):
        structlog.get_logger().warning("disk.full", number=number)
        logging.getLogger("library").error("disk full")
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_a_line_is_an_event_with_its_operands(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs(LogsSection(format="json"))
    structlog.get_logger().info("venue.serving", seq=7)
    assert '"event": "venue.serving"' in stream.getvalue() and '"seq": 7' in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
