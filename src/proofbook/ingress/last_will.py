"""What a connection leaves to be sent when it ends: a CancelAll that its owner has signed."""

from contextlib import suppress
from functools import partial
from typing import NamedTuple, Self

from proofbook.api.actions import CancelAllParams
from proofbook.api.errors import Refused
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.venue import Venue
from proofbook.protocol.commands import CancelAll
from proofbook.sequencer.admission import admit


class LastWill(NamedTuple):
    """A command that could be sequenced when it was left here. The venue can sign none itself."""

    command: CancelAll
    session: int
    signature: bytes

    @classmethod
    def checked(cls, venue: Venue, params: CancelAllParams) -> Self:
        """Return what the params describe. Raises Refused as `cancel_all` itself would."""
        _, convert = ACTIONS["cancel_all"]
        command = convert(params, venue.models)
        assert isinstance(command, CancelAll)
        signature = bytes.fromhex(params.signature[2:])
        sequencer = venue.sequencer
        now_ns = sequencer.clock.now_ns()
        admit(sequencer.engine, sequencer.separator, now_ns, command, params.session, signature)
        return cls(command, params.session, signature)

    def execute(self, venue: Venue) -> None:
        """Send it, after everything that was taken before: in one window it would go first.

        Only what the same key signs keeps its order there, and another session's key may have
        placed orders. Used, expired or refused by now, it does nothing: nobody is left to be told.
        """
        venue.sequencer.when_answered(partial(self._send, venue))

    def _send(self, venue: Venue) -> None:
        with suppress(Refused):
            answer = venue.sequencer.enqueue(self.command, self.session, self.signature)
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
