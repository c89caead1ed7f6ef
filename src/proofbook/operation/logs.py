"""Logs on standard error: an event and its operands, as a JSON object or as words."""

import logging
import sys

import structlog

from proofbook.operation.configuration import LogsSection


def configure_logs(section: LogsSection) -> None:
    """Have everything logged, by us and by libraries, in one form."""
    level = logging.getLevelNamesMapping()[section.level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    is_json = section.format == "json"
    last = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, last])
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
