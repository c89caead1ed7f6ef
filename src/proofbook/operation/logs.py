"""Logs on standard error: an event and its operands, as a JSON object or as words."""

import logging
import sys
from typing import TextIO, cast

import structlog

from proofbook.operation.configuration import LogsSection


class Lossy:
    """A stream that takes what it can: a full disk under a log must not end a venue.

    What could not be written is left out and counted, and the count is written once that succeeds.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def write(self, text: str) -> int:
        """Write whole lines, at once, or not at all."""
        told = f"up to {self.lost} lines of the log were lost\n" if self.lost else ""
        try:
            self._stream.write(told + text)
            self._stream.flush()
        except OSError:
            self.lost += 1
        else:
            self.lost = 0
        return len(text)

    def flush(self) -> None:
        """Do nothing: what could be written is."""


def configure_logs(section: LogsSection) -> None:
    """Have everything logged, by us and by libraries, in one form."""
    level = logging.getLevelNamesMapping()[section.level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    stream = Lossy(sys.stderr)
    is_json = section.format == "json"
    last = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, last])
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
