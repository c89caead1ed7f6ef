"""Accounts: their nonces and their cash."""

from proofbook.protocol.limits import NONCE_WINDOW, Reject
from proofbook.protocol.records import SignerRecord
from proofbook.spec.world import World

NONCE_MASK = (1 << NONCE_WINDOW) - 1


def nonce_fault(signer: SignerRecord, nonce: int) -> Reject | None:
    """Return why a nonce cannot be used, or None.

    Nonces may come in any order within a window of 256.
    """
    if nonce == 0 or nonce + NONCE_WINDOW <= signer.nonce_highest:
        return Reject.NONCE_TOO_OLD
    distance = signer.nonce_highest - nonce
    bitmap = int.from_bytes(signer.nonce_bitmap, "little")
    return Reject.NONCE_USED if distance >= 0 and bitmap >> distance & 1 else None


def consume_nonce(signer: SignerRecord, nonce: int) -> None:
    """Mark a nonce that `nonce_fault` let pass as used.

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
    """Add atoms, which may be negative, to an account's cash: the one way in which it changes."""
    world.accounts.edit(account).cash_atoms += atoms
