//! Custody: deposits from the inbox, withdrawals to the chain.

use crate::accounts::add_cash;
use crate::accumulator;
use crate::arena::high_water;
use crate::commands::{Address, Deposit, Withdraw};
use crate::events::{Deposited, WithdrawalQueued};
use crate::limits::{AMOUNT_ATOMS_MAX, FIRST_USER_ACCOUNT, QUOTE_TOKEN, Reject};
use crate::margin;
use crate::owners;
use crate::positions::settle_variation;
use crate::records::{account, global, signer};
use crate::store::Store;
use crate::world::World;

const NO_ACCOUNT: u32 = 0;
const NO_ADDRESS: Address = [0; 20];

/// Credit the account, made if it is the next one; send back what cannot be credited.
pub fn deposit<S: Store>(world: &mut World<S>, command: &Deposit) {
    let amount_atoms = command.amount_atoms;
    let is_new = command.account == high_water(world.store, account::ARENA);
    if !is_creditable(world, command, is_new) {
        queue_withdrawal(world, command.token, &command.owner, amount_atoms, NO_ACCOUNT);
        return;
    }
    if is_new {
        let account = world.add_account(&command.owner, command.subaccount);
        owners::join(world, account);
    }
    add_cash(world, command.account, amount_atoms as i128);
    let deposits_atoms = world.header(global::DEPOSITS_ATOMS) + amount_atoms as i128;
    world.set_header(global::DEPOSITS_ATOMS, deposits_atoms);
    let custody_atoms = world.header(global::CUSTODY_ATOMS) + amount_atoms as i128;
    world.set_header(global::CUSTODY_ATOMS, custody_atoms);
    let (account, owner, is_new) = (command.account, command.owner, is_new as u8);
    Deposited { account, owner, amount_atoms, is_new }.encode(world.events);
}

fn is_creditable<S: Store>(world: &World<S>, command: &Deposit, is_new: bool) -> bool {
    let custody_after = world.header(global::CUSTODY_ATOMS) + command.amount_atoms as i128;
    if command.token as u64 != QUOTE_TOKEN || custody_after > AMOUNT_ATOMS_MAX as i128 {
        return false;
    }
    if is_new {
        return world.has_room(account::ARENA, 1) && world.has_room(signer::ARENA, 1);
    }
    (command.account as u64) >= FIRST_USER_ACCOUNT
        && world.account_exists(command.account)
        && world.account(command.account, account::OWNER) == command.owner
        && world.account(command.account, account::SUBACCOUNT) == command.subaccount
}

/// Move settled cash into the withdrawal tree; what remains must still cover initial margin.
///
/// Rejects TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE, RECIPIENT_INVALID, INSUFFICIENT_BALANCE (more
/// than the cash after variation settlement), INSUFFICIENT_MARGIN.
pub fn withdraw<S: Store>(world: &mut World<S>, command: &Withdraw) -> Result<(), Reject> {
    if command.token as u64 != QUOTE_TOKEN {
        return Err(Reject::TokenNotSupported);
    }
    if !(1..=AMOUNT_ATOMS_MAX).contains(&command.amount_atoms) {
        return Err(Reject::AmountOutOfRange);
    }
    if command.recipient == NO_ADDRESS {
        return Err(Reject::RecipientInvalid);
    }
    margin::check_outflow(world, command.account, command.amount_atoms)?;
    let amount_atoms = command.amount_atoms as i128;
    settle_variation(world, command.account);
    add_cash(world, command.account, -amount_atoms);
    let withdrawals_atoms = world.header(global::WITHDRAWALS_ATOMS) + amount_atoms;
    world.set_header(global::WITHDRAWALS_ATOMS, withdrawals_atoms);
    let custody_atoms = world.header(global::CUSTODY_ATOMS) - amount_atoms;
    world.set_header(global::CUSTODY_ATOMS, custody_atoms);
    let Withdraw { token, recipient, amount_atoms, account, .. } = command;
    queue_withdrawal(world, *token, recipient, *amount_atoms, *account);
    Ok(())
}

/// Append a leaf to the withdrawal tree.
pub fn queue_withdrawal<S: Store>(
    world: &mut World<S>,
    token: u8,
    recipient: &Address,
    amount_atoms: u64,
    account: u32,
) {
    let index = world.header(global::WITHDRAWAL_COUNT);
    let leaf = accumulator::withdrawal_leaf(index, token, recipient, amount_atoms);
    let root = accumulator::append(world.store, index, leaf);
    world.set_header(global::WITHDRAWAL_ROOT, root);
    world.set_header(global::WITHDRAWAL_COUNT, index + 1);
    let recipient = *recipient;
    WithdrawalQueued { index, token, recipient, amount_atoms, account }.encode(world.events);
}
