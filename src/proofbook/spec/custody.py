"""Custody: deposits from the inbox, withdrawals to the chain."""

from proofbook.protocol.commands import Deposit, Withdraw
from proofbook.protocol.events import Deposited, WithdrawalQueued
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, FIRST_USER_ACCOUNT, QUOTE_TOKEN, Reject
from proofbook.spec import accumulator, margin, owners
from proofbook.spec.accounts import add_cash
from proofbook.spec.positions import settle_variation
from proofbook.spec.world import World, add_account

NO_ACCOUNT = 0
NO_ADDRESS = bytes(20)


def deposit(world: World, command: Deposit) -> None:
    """Credit the account, made if it is the next one; send back what cannot be credited."""
    is_new = command.account == world.accounts.high_water
    if not _is_creditable(world, command, is_new):
        queue_withdrawal(world, command.token, command.owner, command.amount_atoms, NO_ACCOUNT)
        return
    if is_new:
        owners.join(world, add_account(world, command.owner, command.subaccount))
    add_cash(world, command.account, command.amount_atoms)
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
    add_cash(world, command.account, -command.amount_atoms)
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
