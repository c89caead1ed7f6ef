"""What a connection leaves to be sent when it ends: a CancelAll that its owner has signed."""

from contextlib import suppress
from functools import partial

from proofbook.api.actions import CancelAllParams
from proofbook.api.errors import Refusal, Refused
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.venue import Venue
from proofbook.protocol.commands import CancelAll
from proofbook.sequencer.admission import admit
from proofbook.sequencer.sequencer import Signed, forget


def checked(venue: Venue, params: CancelAllParams) -> Signed:
    """Return what the params describe, which the venue can not sign itself.

    Raises Refused as `cancel_all` itself would, and at a venue that drains: it would not be sent.
    """
    sequencer = venue.sequencer
    if not sequencer.is_accepting:
        raise Refused(Refusal.NOT_ACCEPTING, "the sequencer takes no commands")
    _, convert = ACTIONS["cancel_all"]
    command = convert(params, venue.models)
    assert isinstance(command, CancelAll)
    signature = bytes.fromhex(params.signature[2:])
    now_ns = sequencer.clock.now_ns()
    admit(sequencer.engine, sequencer.separator, now_ns, command, params.session, signature)
    return Signed(command, params.session, signature)


def execute(venue: Venue, will: Signed) -> None:
    """Send it, after everything that was taken before: in one window it would go first.

    Only what the same key signs keeps its order there, and another session's key may have placed
    orders. Used, expired or refused by now, it does nothing: nobody is left to be told.
    """
    venue.sequencer.when_answered(partial(_send, venue, will))


def _send(venue: Venue, will: Signed) -> None:
    with suppress(Refused):
        forget(venue.sequencer.enqueue(*will))
