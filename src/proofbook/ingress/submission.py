"""The method `submit`: any command that traders sign, as the bytes that it has in its entry.

For clients that build commands themselves; the other signed methods describe theirs in decimals.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from proofbook.api.actions import EventReply, SubmitParams, SubmitReply
from proofbook.api.convert import from_hex, receipt_reply
from proofbook.api.errors import Refusal, Refused
from proofbook.api.schema import Error
from proofbook.ingress.rejections import rejected_error
from proofbook.ingress.venue import Venue
from proofbook.protocol.commands import Malformed, Reader, TraderCommand
from proofbook.protocol.entry import read_command
from proofbook.protocol.events import decode_events, event_tag
from proofbook.queries.models import ReadModels, event_fields
from proofbook.sequencer.sequencer import Receipted


class Acted(NamedTuple):
    """A command that waits for the disk, and what its caller is told of it then."""

    answer: asyncio.Future[Receipted]
    finish: Callable[[Receipted], msgspec.Struct | Error]


def submit(venue: Venue, params: SubmitParams) -> Acted:
    """Enqueue a command at once. Raises Refused."""
    session, signature, command = signed_command(from_hex(params.command))
    answer = venue.sequencer.take(command, session, signature)

    def finish(receipted: Receipted) -> SubmitReply | Error:
        if receipted.result.outcome.is_applied:
            return submit_reply(receipted, venue.models)
        return rejected_error(command, receipted)

    return Acted(answer, finish)


def signed_command(data: bytes) -> tuple[int, bytes, TraderCommand]:
    """Return session, signature and command that exactly these bytes hold. Raises Refused."""
    reader = Reader(data)
    try:
        session, signature, command = read_command(reader)
        if reader.offset != len(data):
            raise Malformed(f"{len(data) - reader.offset} bytes after the command")
    except Malformed as fault:
        raise Refused(Refusal.MALFORMED, str(fault)) from None
    if not isinstance(command, TraderCommand):
        message = f"{command.TAG.name} is not signed by a trader"
        raise Refused(Refusal.INVALID_PARAMS, message, command.TAG.name)
    return session, signature, command


def submit_reply(receipted: Receipted, models: ReadModels) -> SubmitReply:
    """Return every event of the command, whomever it concerns."""
    events = [
        EventReply(
            event=event_tag(event).name,
            fields=event_fields(
                event, models.instruments.find(getattr(event, "instrument", 0)), models.decimals
            ),
        )
        for event in decode_events(receipted.result.events)
    ]
    return SubmitReply(events=events, receipt=receipt_reply(receipted.receipt))
