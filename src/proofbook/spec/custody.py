"""Custody: deposits from the inbox, withdrawals to the chain, and what the venue holds between.

A deposit is in the Vault already when it comes: it is credited, or sent back as a withdrawal. What
the venue holds of a token is what came in less what went out, after every entry.
"""

from proofbook.protocol.commands import Deposit, Withdraw
from proofbook.protocol.events import Deposited, WithdrawalQueued, WithdrawalReduced
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FIRST_USER_ACCOUNT,
    FUND_ACCOUNT,
    QUOTE_TOKEN,
    Reject,
)
from proofbook.protocol.records import GlobalRecord, TokenRecord
from proofbook.spec import accumulator, insurance, margin, owners
from proofbook.spec.accounts import add_cash
from proofbook.spec.collateral import add_tokens
from proofbook.spec.positions import settle_variation
from proofbook.spec.world import World, add_account

NO_ACCOUNT = 0
NO_ADDRESS = bytes(20)


def deposit(world: World, command: Deposit) -> None:
    """Credit the account, made if it is the next one; send back what cannot be credited."""
    token, amount_atoms = command.token, command.amount_atoms
    is_new = command.account == world.accounts.high_water
    if not _is_creditable(world, command, is_new):
        queue_withdrawal(world, token, command.owner, amount_atoms, NO_ACCOUNT)
        return
    if is_new:
        owners.join(world, add_account(world, command.owner, command.subaccount))
    credit(world, command.account, token, amount_atoms)
    ledger = edit_ledger(world, token)
    ledger.deposits_atoms += amount_atoms
    ledger.custody_atoms += amount_atoms
    world.emit(Deposited(command.account, command.owner, token, amount_atoms, is_new))
    insurance.settle(world, command.account)


def _is_creditable(world: World, command: Deposit, is_new: bool) -> bool:
    if not token_exists(world, command.token):
        return False
    custody_after = ledger_of(world, command.token).custody_atoms + command.amount_atoms
    if custody_after > cap_atoms(world, command.token):
        return False
    if is_new:
        return world.accounts.has_room(1) and world.signers.has_room(1)
    if command.account < FIRST_USER_ACCOUNT or not world.account_exists(command.account):
        return False
    account = world.accounts[command.account]
    return (account.owner, account.subaccount) == (command.owner, command.subaccount)


def token_exists(world: World, token: int) -> bool:
    """Whether the venue takes a token: USDC, or one of genesis."""
    return token == QUOTE_TOKEN or token in world.tokens


def ledger_of(world: World, token: int) -> GlobalRecord | TokenRecord:
    """Return the record that counts deposits, withdrawals and custody of a token, to read."""
    return world.header if token == QUOTE_TOKEN else world.tokens[token]


def edit_ledger(world: World, token: int) -> GlobalRecord | TokenRecord:
    """Return the record that counts deposits, withdrawals and custody of a token, to change."""
    return world.header if token == QUOTE_TOKEN else world.tokens.edit(token)


def cap_atoms(world: World, token: int) -> int:
    """Return how much of a token the venue takes in all."""
    return AMOUNT_ATOMS_MAX if token == QUOTE_TOKEN else world.tokens[token].cap_atoms


def credit(world: World, account: int, token: int, atoms: int) -> None:
    """Add atoms of a token, which may be negative, to what an account has of it."""
    if token == QUOTE_TOKEN:
        add_cash(world, account, atoms)
    else:
        add_tokens(world, account, token, atoms)


def withdraw(world: World, command: Withdraw) -> Reject | None:
    """Move money into the withdrawal tree; what remains must still cover initial margin.

    While the fund owes, a share of USDC stays, as `insurance.withheld_up` says.

    Rejects  TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE (or none of it would be left),
             RECIPIENT_INVALID, INSUFFICIENT_BALANCE (more than the balance, of USDC the cash after
             variation settlement), INSUFFICIENT_MARGIN, LIQUIDITY_INSUFFICIENT (others owe so much
             that the venue does not hold what is to be paid).
    """
    token, amount_atoms = command.token, command.amount_atoms
    rejection = amount_rejection(world, token, amount_atoms)
    if rejection is not None:
        return rejection
    withheld_atoms = insurance.withheld_up(world, token, amount_atoms)
    paid_atoms = amount_atoms - withheld_atoms
    if paid_atoms == 0:
        return Reject.AMOUNT_OUT_OF_RANGE
    if command.recipient == NO_ADDRESS:
        return Reject.RECIPIENT_INVALID
    rejection = margin.outflow_rejection(world, command.account, token, amount_atoms)
    if rejection is not None:
        return rejection
    if paid_atoms > ledger_of(world, token).custody_atoms:
        return Reject.LIQUIDITY_INSUFFICIENT
    _pay_out(world, command, paid_atoms)
    return None


def amount_rejection(world: World, token: int, amount_atoms: int) -> Reject | None:
    """Return what is wrong with an amount: TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE, or None."""
    if not token_exists(world, token):
        return Reject.TOKEN_NOT_SUPPORTED
    return None if 1 <= amount_atoms <= AMOUNT_ATOMS_MAX else Reject.AMOUNT_OUT_OF_RANGE


def _pay_out(world: World, command: Withdraw, paid_atoms: int) -> None:
    """Take the amount from the account, and queue what is paid of it; the rest is the fund's."""
    token, withheld_atoms = command.token, command.amount_atoms - paid_atoms
    if token == QUOTE_TOKEN:
        settle_variation(world, command.account)
    credit(world, command.account, token, -command.amount_atoms)
    if withheld_atoms:
        add_cash(world, FUND_ACCOUNT, withheld_atoms)
        world.emit(WithdrawalReduced(command.account, withheld_atoms))
    ledger = edit_ledger(world, token)
    ledger.withdrawals_atoms += paid_atoms
    ledger.custody_atoms -= paid_atoms
    queue_withdrawal(world, token, command.recipient, paid_atoms, command.account)


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
