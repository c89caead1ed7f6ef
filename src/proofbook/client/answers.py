"""What a venue answers, in the shape that it must have: a venue may lie in any way there is."""

from typing import Any

import msgspec

from proofbook.api.convert import from_hex, receipt_from_reply
from proofbook.api.display import (
    NANO_DIGITS,
    U64_MAX,
    OffStep,
    OutOfRange,
    steps_exact,
    usdc_atoms,
)
from proofbook.api.receipts import Receipt
from proofbook.api.schema import InstrumentReply, ReceiptReply, StatusReply
from proofbook.api.signing import ADDRESS_BYTES
from proofbook.client.errors import AnswerInvalid, VenueDiffers
from proofbook.protocol.eip712 import domain_separator

TOKEN_DECIMALS_MAX = 18
"""More than any token has that a venue takes: it counts in 64 bits."""


def decoded(method: str, answer: msgspec.Raw | bytes, shape: Any) -> Any:
    """Return an answer in its shape. Raises AnswerInvalid."""
    try:
        return msgspec.json.decode(answer, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise AnswerInvalid(method, str(fault)) from None


def receipt_of(method: str, reply: ReceiptReply) -> Receipt:
    """Return a receipt, which nobody has checked. Raises AnswerInvalid."""
    try:
        return receipt_from_reply(reply)
    except ValueError as fault:
        raise AnswerInvalid(method, f"no receipt: {fault}") from None


def address_of(text: str, what: str) -> bytes:
    """Return the 20 bytes of an address. Raises AnswerInvalid."""
    try:
        address = from_hex(text)
    except ValueError:
        address = b""
    if len(address) != ADDRESS_BYTES:
        raise AnswerInvalid("get_status", f"{what} {text[:50]!r} is no address")
    return address


def separator_of(status: StatusReply, chain_id: int | None, contract: bytes | None) -> bytes:
    """Return the domain under which everything is signed: computed, never the venue's word.

    Raises VenueDiffers, AnswerInvalid.
    """
    said = address_of(status.contract, "contract")
    if not 0 <= status.chain_id <= U64_MAX:
        raise AnswerInvalid("get_status", f"chain id {status.chain_id} has more than 64 bits")
    if chain_id is not None and status.chain_id != chain_id:
        raise VenueDiffers("chain id", chain_id, status.chain_id)
    if contract is not None and said != contract:
        raise VenueDiffers("contract", "0x" + contract.hex(), status.contract)
    separator = domain_separator(status.chain_id, said)
    if status.domain_separator != "0x" + separator.hex():
        raise VenueDiffers("domain separator", "0x" + separator.hex(), status.domain_separator)
    return separator


def check_tokens(status: StatusReply) -> None:
    """Refuse tokens whose amounts nobody can count. Raises AnswerInvalid."""
    for token in status.tokens:
        if not 0 <= token.decimals <= TOKEN_DECIMALS_MAX:
            raise AnswerInvalid("get_status", f"{token.symbol} has {token.decimals} decimals")


def by_name(rows: list[InstrumentReply]) -> dict[str, InstrumentReply]:
    """Return instruments by their names. Raises AnswerInvalid where steps are none."""
    for row in rows:
        try:
            amount_nanos = steps_exact(row.amount_step, 1, NANO_DIGITS)
            are_steps = usdc_atoms(row.price_step) > 0 and amount_nanos > 0
        except (OffStep, OutOfRange):
            are_steps = False
        if not are_steps:
            steps = f"{row.price_step} and {row.amount_step}"
            raise AnswerInvalid("get_instruments", f"steps of {row.name} are {steps}")
    return {row.name: row for row in rows}
