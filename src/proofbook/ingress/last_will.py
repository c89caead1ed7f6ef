"""What a connection leaves to be sent when it ends: a CancelAll that its owner has signed."""

import asyncio
from functools import partial

import structlog

from proofbook.api.actions import CancelAllParams
from proofbook.api.errors import Refusal, Refused
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.venue import Venue
from proofbook.protocol.commands import CancelAll
from proofbook.sequencer.admission import admit
from proofbook.sequencer.sequencer import Receipted, Signed

_log = structlog.get_logger()

RETRY_SECONDS = 0.25
PASSING = frozenset(
    reason.name
    for reason in (
        Refusal.OVERLOADED,
        Refusal.TOO_MANY_WAITING,
        Refusal.CLOCK_BEHIND,
        Refusal.CHAIN_UNSEEN,
    )
)
"""Why a venue takes nothing for a while, whatever it is."""

Left = tuple[str, int, int]
"""Whose key left it: of one key the newest is kept, which ends all that an earlier one would."""


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
    orders. It stays among the venue's wills until it is taken, so that a drain sends it too.
    """
    left = "left", will.command.account, will.session
    venue.wills[left] = will
    venue.sequencer.when_answered(partial(_send, venue, left, will))


def _send(venue: Venue, left: Left, will: Signed, is_again: bool = False) -> None:
    """Send it, and again while the venue takes nothing and it has not expired."""
    if venue.wills.get(left) is not will:
        return
    sequencer = venue.sequencer
    try:
        answer = sequencer.enqueue(*will, is_limited=False)
    except Refused as fault:
        is_good = sequencer.clock.now_ns() <= will.command.expires_ns
        if fault.reason in PASSING and is_good:
            if not is_again:
                _warn(will, fault, is_kept=True)
            again = partial(_send, venue, left, will, is_again=True)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, again)
            return
        _warn(will, fault, is_kept=False)
    else:
        answer.add_done_callback(partial(_answered, will))
    del venue.wills[left]


def _answered(will: Signed, answer: asyncio.Future[Receipted]) -> None:
    """Say so when it was refused after all; of what it did nobody is left to be told."""
    fault = None if answer.cancelled() else answer.exception()
    if isinstance(fault, Refused):
        _warn(will, fault, is_kept=False)


def _warn(will: Signed, fault: Refused, is_kept: bool) -> None:
    account = will.command.account
    _log.warning("will.refused", account=account, reason=fault.reason, is_kept=is_kept)
