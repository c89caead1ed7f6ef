"""What a venue answers, in the shape that it must have: a venue may lie in any way there is."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from proofbook.api.convert import from_hex, receipt_from_reply
from proofbook.api.development import DEVELOPMENT_CHAIN_ID
from proofbook.api.display import (
    NANO_DIGITS,
    U64_MAX,
    OffStep,
    OutOfRange,
    steps_exact,
    usdc_atoms,
)
from proofbook.api.receipts import Receipt
from proofbook.api.schema import InstrumentReply, ReceiptReply, StatusReply, TokenReply
from proofbook.api.signing import ADDRESS_BYTES
from proofbook.client.errors import AnswerInvalid, VenueDiffers
from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.genesis import QUOTE_DECIMALS, QUOTE_SYMBOL
from proofbook.protocol.limits import NS_PER_SECOND, QUOTE_TOKEN

Row = InstrumentReply | TokenReply

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
    """Refuse amounts that nobody can count, and a USDC that is none. Raises AnswerInvalid."""
    for token in status.tokens:
        if not 0 <= token.decimals <= TOKEN_DECIMALS_MAX:
            raise AnswerInvalid("get_status", f"{token.symbol} has {token.decimals} decimals")
        facts = token.token, token.symbol, token.decimals
        is_quote = token.token == QUOTE_TOKEN or token.symbol == QUOTE_SYMBOL
        if is_quote and facts != (QUOTE_TOKEN, QUOTE_SYMBOL, QUOTE_DECIMALS):
            raise AnswerInvalid("get_status", "token {} is {} with {} decimals".format(*facts))
    symbols = [token.symbol for token in status.tokens]
    if len(set(symbols)) != len(symbols):
        raise AnswerInvalid("get_status", "two tokens have one symbol")


def check_time(status: StatusReply, now_ns: int, seconds_max: float) -> None:
    """Refuse a time that is far from ours: what is signed is good until shortly after it.

    The chain of a development venue has a time of its own. Raises VenueDiffers.
    """
    venue_ns = int(status.now_ns)
    is_ours = abs(venue_ns - now_ns) <= seconds_max * NS_PER_SECOND
    if not is_ours and status.chain_id != DEVELOPMENT_CHAIN_ID:
        raise VenueDiffers("time in ns", f"{now_ns} within {seconds_max:g} s", venue_ns)


def check_pinned(pinned: Iterable[Row], rows: Iterable[Row]) -> None:
    """Compare what of rows goes into what is signed. Raises VenueDiffers."""
    expected = dict(map(signed_facts, pinned))
    for name, found in map(signed_facts, rows):
        if expected.get(name, found) != found:
            raise VenueDiffers(name, expected[name], found)


def signed_facts(row: Row) -> tuple[str, tuple[object, ...]]:
    """Return what a row is called, and what of it goes into what is signed."""
    if isinstance(row, TokenReply):
        return f"token {row.symbol}", (row.token, row.decimals)
    steps = Decimal(row.price_step), Decimal(row.amount_step)
    return f"instrument {row.name}", (row.instrument, row.kind, *steps)


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
