"""Accounts: their nonces and their cash, with the interest that it costs below zero."""

from proofbook.protocol.events import InterestPaid
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FRACTION_ONE_PPM,
    FUND_ACCOUNT,
    NONCE_WINDOW,
    NS_PER_YEAR,
    Reject,
)
from proofbook.protocol.records import SignerRecord
from proofbook.spec.rounding import ceil_div
from proofbook.spec.world import PARAMETERS_SLOT, World

NONCE_MASK = (1 << NONCE_WINDOW) - 1

INDEX_UNIT_BITS = 22
"""Accounts note the index of interest in 2^22 ppm · ns: 42 ns at 10 % a year. A year of 365 days at
one ppm is a whole number of such units.
"""

UNITS_PER_YEAR = FRACTION_ONE_PPM * NS_PER_YEAR >> INDEX_UNIT_BITS


def nonce_rejection(signer: SignerRecord, nonce: int) -> Reject | None:
    """Return why a nonce cannot be used, or None.

    Nonces may come in any order within a window of 256.
    """
    if nonce == 0 or nonce + NONCE_WINDOW <= signer.nonce_highest:
        return Reject.NONCE_TOO_OLD
    distance = signer.nonce_highest - nonce
    bitmap = int.from_bytes(signer.nonce_bitmap, "little")
    return Reject.NONCE_USED if distance >= 0 and bitmap >> distance & 1 else None


def consume_nonce(signer: SignerRecord, nonce: int) -> None:
    """Mark a nonce that `nonce_rejection` let pass as used.

    Bit i of the bitmap stands for nonce_highest − i.
    """
    bitmap = int.from_bytes(signer.nonce_bitmap, "little")
    rise = nonce - signer.nonce_highest
    if rise > 0:
        bitmap = (bitmap << rise & NONCE_MASK if rise < NONCE_WINDOW else 0) | 1
        signer.nonce_highest = nonce
    else:
        bitmap |= 1 << -rise
    signer.nonce_bitmap = bitmap.to_bytes(32, "little")


def add_cash(world: World, account: int, atoms: int) -> None:
    """Add atoms, which may be negative, to an account's cash: the one way in which it changes.

    A debt pays its interest first, to the fund.
    """
    interest_atoms = pending_interest_up(world, account)
    if interest_atoms:
        _change_cash(world, account, -interest_atoms)
        _change_cash(world, FUND_ACCOUNT, interest_atoms)
        world.emit(InterestPaid(account, interest_atoms))
    _change_cash(world, account, atoms)


def cash_atoms(world: World, account: int) -> int:
    """Return the cash of an account, less the interest that it owes."""
    return world.accounts[account].cash_atoms - pending_interest_up(world, account)


def debt_of(cash_atoms: int) -> int:
    """Return what is owed with so much cash."""
    return max(0, -cash_atoms)


def pending_interest_up(world: World, account: int) -> int:
    """Return what a debt has cost since its interest was last paid; the fund owes itself nothing.

    Simple interest: what is not paid costs nothing itself until cash changes. A debt beyond all the
    money that may be in custody costs no more than that much, nor does one time cost more.

    Units    debt in atoms × ppm a year × ns.
    Rounds   up: against the account.
    """
    record = world.accounts[account]
    if record.cash_atoms >= 0 or account == FUND_ACCOUNT:
        return 0
    units = (interest_index(world) >> INDEX_UNIT_BITS) - record.interest_index
    due_atoms = ceil_div(min(-record.cash_atoms, AMOUNT_ATOMS_MAX) * units, UNITS_PER_YEAR)
    return min(due_atoms, AMOUNT_ATOMS_MAX)


def interest_index(world: World) -> int:
    """Return what one atom of debt has cost since genesis, in ppm a year × ns."""
    header = world.header
    rate_ppm = world.parameters[PARAMETERS_SLOT].debt_interest_ppm
    return header.interest_index + rate_ppm * (header.window_ns - header.interest_ns)


def pin_interest(world: World) -> None:
    """Write the index down: what follows is at another rate."""
    world.header.interest_index = interest_index(world)
    world.header.interest_ns = world.header.window_ns


def _change_cash(world: World, account: int, atoms: int) -> None:
    """Change cash and the sum of all debts, and note from when on a debt costs interest."""
    record = world.accounts.edit(account)
    before = record.cash_atoms
    record.cash_atoms += atoms
    if before >= 0 and record.cash_atoms >= 0:
        return
    world.header.debt_atoms += debt_of(record.cash_atoms) - debt_of(before)
    if record.cash_atoms < 0:
        record.interest_index = interest_index(world) >> INDEX_UNIT_BITS
    else:
        record.interest_index = 0
