"""Cancel on disconnect: a CancelAll, signed beforehand, that is sent when its connection ends.

The venue cannot sign in anybody's name, so that a session arms it with a message of its own.
"""

import asyncio
from functools import partial

import structlog

from proofbook.api.actions import CancelAllParams
from proofbook.api.errors import PASSING, Refusal, Refused
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.venue import Venue
from proofbook.protocol.commands import CancelAll
from proofbook.sequencer.admission import admit
from proofbook.sequencer.sequencer import Receipted, Signed

_log = structlog.get_logger()

RETRY_SECONDS = 0.25


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


def fire(venue: Venue, cancel_all: Signed) -> None:
    """Send what an ended connection had armed, after everything that was taken before.

    In one window it would go first: only what the same key signs keeps its order there, and
    another session's key may have placed orders. It stays armed until it is taken, so that a
    drain sends it too. Of one key the newest is kept, which ends all that an earlier one would.
    """
    venue.armed[_key(cancel_all)] = cancel_all
    venue.sequencer.when_answered(partial(_send, venue, cancel_all))


def _key(cancel_all: Signed) -> tuple[str, int, int]:
    return "ended", cancel_all.command.account, cancel_all.session


def _send(venue: Venue, cancel_all: Signed, is_again: bool = False) -> None:
    """Send it, and again while the venue takes nothing and it has not expired."""
    key = _key(cancel_all)
    if venue.armed.get(key) is not cancel_all:
        return
    sequencer = venue.sequencer
    try:
        answer = sequencer.enqueue(*cancel_all, is_limited=False)
    except Refused as fault:
        is_good = sequencer.clock.now_ns() <= cancel_all.command.expires_ns
        if fault.reason in PASSING and is_good:
            if not is_again:
                _warn(cancel_all, fault, is_kept=True)
            again = partial(_send, venue, cancel_all, is_again=True)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, again)
            return
        _warn(cancel_all, fault, is_kept=False)
    else:
        answer.add_done_callback(partial(_answered, cancel_all))
    del venue.armed[key]


def _answered(cancel_all: Signed, answer: asyncio.Future[Receipted]) -> None:
    """Say so when it was refused after all; of what it did nobody is left to be told."""
    fault = None if answer.cancelled() else answer.exception()
    if isinstance(fault, Refused):
        _warn(cancel_all, fault, is_kept=False)


def _warn(cancel_all: Signed, fault: Refused, is_kept: bool) -> None:
    account = cancel_all.command.account
    _log.warning(
        "cancel_on_disconnect.refused", account=account, reason=fault.reason, is_kept=is_kept
    )
