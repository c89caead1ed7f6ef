"""Accounts: nonces, deposits from the inbox, withdrawals to the chain."""

from proofbook.protocol.commands import Deposit, Withdraw
from proofbook.protocol.events import Deposited, WithdrawalQueued
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FIRST_USER_ACCOUNT,
    NONCE_WINDOW,
    QUOTE_TOKEN,
    Reject,
)
from proofbook.protocol.records import SignerRecord
from proofbook.spec import accumulator, margin
from proofbook.spec.positions import settle_variation
from proofbook.spec.world import World, add_account

NO_ACCOUNT = 0
NO_ADDRESS = bytes(20)
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


def deposit(world: World, command: Deposit) -> None:
    """Credit the account, made if it is the next one; send back what cannot be credited."""
    is_new = command.account == world.accounts.high_water
    if not _is_creditable(world, command, is_new):
        queue_withdrawal(world, command.token, command.owner, command.amount_atoms, NO_ACCOUNT)
        return
    if is_new:
        add_account(world, command.owner, command.subaccount)
    world.accounts.edit(command.account).cash_atoms += command.amount_atoms
    world.header.deposits_atoms += command.amount_atoms
    world.header.custody_atoms += command.amount_atoms
    world.emit(Deposited(command.account, command.owner, command.amount_atoms, is_new))


def _is_creditable(world: World, command: Deposit, is_new: bool) -> bool:
    custody_after = world.header.custody_atoms + command.amount_atoms
    if command.token != QUOTE_TOKEN or custody_after > AMOUNT_ATOMS_MAX:
        return False
    if is_new:
        return world.accounts.has_room(1) and world.signers.has_room(1)
    if command.account < FIRST_USER_ACCOUNT or not world.account_exists(command.account):
        return False
    account = world.accounts[command.account]
    return (account.owner, account.subaccount) == (command.owner, command.subaccount)


def withdraw(world: World, command: Withdraw) -> Reject | None:
    """Move settled cash into the withdrawal tree; what remains must still cover initial margin.

    Rejects  TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE, RECIPIENT_INVALID, INSUFFICIENT_BALANCE (more
             than the cash after variation settlement), INSUFFICIENT_MARGIN.
    """
    if command.token != QUOTE_TOKEN:
        return Reject.TOKEN_NOT_SUPPORTED
    if not 1 <= command.amount_atoms <= AMOUNT_ATOMS_MAX:
        return Reject.AMOUNT_OUT_OF_RANGE
    if command.recipient == NO_ADDRESS:
        return Reject.RECIPIENT_INVALID
    fault = margin.outflow_fault(world, command.account, command.amount_atoms)
    if fault is not None:
        return fault
    settle_variation(world, command.account)
    world.accounts.edit(command.account).cash_atoms -= command.amount_atoms
    world.header.withdrawals_atoms += command.amount_atoms
    world.header.custody_atoms -= command.amount_atoms
    queue_withdrawal(world, command.token, command.recipient, command.amount_atoms, command.account)
    return None


def queue_withdrawal(
    world: World, token: int, recipient: bytes, amount_atoms: int, account: int
) -> None:
    """Append a leaf to the withdrawal tree."""
    header = world.header
    index = header.withdrawal_count
    leaf = accumulator.withdrawal_leaf(index, token, recipient, amount_atoms)
    header.withdrawal_root = accumulator.append(header.withdrawal_frontier, index, leaf)
    header.withdrawal_count += 1
    world.emit(WithdrawalQueued(index, token, recipient, amount_atoms, account))
