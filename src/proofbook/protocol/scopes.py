"""What a session must be allowed to do for each command; the state machine and admission ask."""

from collections.abc import Mapping

from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    AuctionBid,
    BlockTrade,
    Cancel,
    CancelAll,
    CancelTrigger,
    Command,
    CreateCombo,
    Place,
    PlaceTrigger,
    PositionTransfer,
    QuoteBatch,
    ResetProtection,
    SetDeadMan,
    SetProtection,
    Transfer,
)
from proofbook.protocol.limits import Action, Reject
from proofbook.protocol.records import SignerRecord

OWNER_SESSION = 0

ACTIONS: Mapping[type[Command], Action] = {
    Place: Action.PLACE,
    Amend: Action.PLACE,
    CreateCombo: Action.PLACE,
    PlaceTrigger: Action.PLACE,
    QuoteBatch: Action.PLACE,
    SetProtection: Action.PLACE,
    ResetProtection: Action.PLACE,
    Cancel: Action.CANCEL,
    CancelAll: Action.CANCEL,
    CancelTrigger: Action.CANCEL,
    SetDeadMan: Action.CANCEL,
    Transfer: Action.TRANSFER,
    PositionTransfer: Action.TRANSFER,
    AcceptQuote: Action.NEGOTIATE,
    BlockTrade: Action.NEGOTIATE,
    AuctionBid: Action.NEGOTIATE,
}
"""The action that each command takes; only the owner signs any other."""


def action_rejection(
    signer: SignerRecord, session: int, command: Command, window_ns: int
) -> Reject | None:
    """Return why a session never may do this now, whatever the state of books and money.

    Rejects SESSION_EXPIRED; SESSION_SCOPE_EXCEEDED (the action is not among its own).
    """
    if session == OWNER_SESSION:
        return None
    if window_ns > signer.expires_ns:
        return Reject.SESSION_EXPIRED
    action = ACTIONS.get(type(command))
    if action is None or not signer.actions >> action & 1:
        return Reject.SESSION_SCOPE_EXCEEDED
    return None
