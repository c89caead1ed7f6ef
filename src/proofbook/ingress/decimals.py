"""Members of params as the protocol counts them; what does not fit is refused by name."""

from proofbook.api.actions import SignedParams
from proofbook.api.display import (
    ATOM_DIGITS,
    U64_MAX,
    OffStep,
    OutOfRange,
    amount_lots,
    token_atoms,
)
from proofbook.api.errors import Refusal, Refused
from proofbook.protocol.limits import Reject
from proofbook.queries.instruments import Instrument


def signed_head(params: SignedParams) -> tuple[int, int, int]:
    """Return what every signed command begins with. Raises Refused."""
    return params.account, u64(params.nonce, "nonce"), u64(params.expires_ns, "expires_ns")


def u64(digits: str, name: str) -> int:
    """Return digits as a number. Raises Refused above 64 bits."""
    number = int(digits)
    if number > U64_MAX:
        raise Refused(Refusal.INVALID_PARAMS, f"{name} exceeds 64 bits", digits, U64_MAX)
    return number


def nanos_of(amount: str, name: str) -> int:
    """Return units of an underlying in 1e-9 of one. Raises Refused."""
    try:
        return amount_lots(amount, 1)
    except OffStep as fault:
        message = f"{name}: {fault}"
        raise Refused(Refusal.AMOUNT_OFF_LOT, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        raise out_of_range(Reject.PROTECTION_OUT_OF_RANGE, name, fault) from None


def atoms_of(amount: str, name: str, decimals: int = ATOM_DIGITS) -> int:
    """Return USDC, or a token with other decimals, in atoms.

    Raises Refused with the amount and its step or limit.
    """
    try:
        return token_atoms(amount, decimals)
    except OffStep as fault:
        message = f"{name}: {fault}"
        raise Refused(Refusal.AMOUNT_OFF_LOT, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        raise out_of_range(Reject.AMOUNT_OUT_OF_RANGE, name, fault) from None


def ticks_of(price: str, instrument: Instrument) -> int:
    """Return a price in ticks. Raises Refused with the price and its step or limit."""
    try:
        return instrument.ticks(price)
    except OffStep as fault:
        message = f"price of {instrument.name}: {fault}"
        raise Refused(Refusal.PRICE_OFF_TICK, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        what = f"price of {instrument.name}"
        raise out_of_range(Reject.PRICE_OUT_OF_RANGE, what, fault) from None


def lots_of(amount: str, instrument: Instrument) -> int:
    """Return a size in lots. Raises Refused with the amount and its step or limit."""
    try:
        return amount_lots(amount, instrument.lot_nanos)
    except OffStep as fault:
        message = f"amount of {instrument.name}: {fault}"
        raise Refused(Refusal.AMOUNT_OFF_LOT, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        what = f"amount of {instrument.name}"
        raise out_of_range(Reject.LOTS_OUT_OF_RANGE, what, fault) from None


def out_of_range(reason: Reject, what: str, fault: OutOfRange) -> Refused:
    """Return the refusal of a decimal that its field cannot hold."""
    return Refused(reason, f"{what}: {fault}", fault.value, fault.limit)
