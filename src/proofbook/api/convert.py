"""Receipts, scopes and flags between their numbers and their JSON."""

from collections.abc import Iterable
from typing import get_args

from proofbook.api.receipts import Receipt, ReceiptGroup
from proofbook.api.schema import ActionName, ReceiptGroupReply, ReceiptReply
from proofbook.protocol.limits import Action, OutcomeKind, PostOnly
from proofbook.protocol.outcomes import Outcome


def hex_text(data: bytes) -> str:
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def post_only_of(post_only: bool, slide: bool) -> PostOnly:
    """Return how an order avoids to trade; to slide is to post only."""
    return PostOnly.SLIDE if slide else PostOnly(post_only)


def action_mask(names: Iterable[ActionName]) -> int:
    """Return a bit for each action that is named."""
    return sum(1 << Action[name.upper()] for name in set(names))


def action_names(mask: int) -> list[ActionName]:
    """Return the actions of a mask, by number."""
    names: tuple[ActionName, ...] = get_args(ActionName)
    return [name for name in names if mask >> Action[name.upper()] & 1]


def receipt_reply(receipt: Receipt) -> ReceiptReply:
    """Return a receipt as JSON members."""
    group = receipt.group
    return ReceiptReply(
        epoch=receipt.epoch,
        seq=receipt.seq,
        entry_hash=hex_text(receipt.entry_hash),
        chain_hash=hex_text(receipt.chain_hash),
        window_ns=str(receipt.window_ns),
        received_ns=str(receipt.received_ns),
        include_by_ns=str(receipt.include_by_ns),
        outcome=(receipt.outcome.kind, receipt.outcome.reason),
        outcome_name=receipt.outcome.name,
        path=tuple(map(hex_text, receipt.path)),
        group=ReceiptGroupReply(
            root=hex_text(group.root),
            epoch=group.epoch,
            first_seq=group.first_seq,
            count=group.count,
            signature=hex_text(group.signature),
        ),
    )


def receipt_from_reply(reply: ReceiptReply) -> Receipt:
    """Return a receipt from its JSON members. Raises ValueError on what is no hash or outcome."""
    group = reply.group
    kind, reason = reply.outcome
    return Receipt(
        epoch=reply.epoch,
        seq=reply.seq,
        entry_hash=from_hex(reply.entry_hash),
        chain_hash=from_hex(reply.chain_hash),
        window_ns=int(reply.window_ns),
        received_ns=int(reply.received_ns),
        include_by_ns=int(reply.include_by_ns),
        outcome=Outcome(OutcomeKind(kind), reason),
        path=tuple(map(from_hex, reply.path)),
        group=ReceiptGroup(
            from_hex(group.root),
            group.epoch,
            group.first_seq,
            group.count,
            from_hex(group.signature),
        ),
    )
