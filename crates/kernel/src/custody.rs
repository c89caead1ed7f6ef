//! Custody: deposits from the inbox, withdrawals to the chain, and what the venue holds between.
//!
//! A deposit is in the Vault already when it comes: it is credited, or sent back as a withdrawal.
//! What the venue holds of a token is what came in less what went out, after every entry.

use crate::accounts::add_cash;
use crate::accumulator;
use crate::arena::{ArenaLayout, high_water};
use crate::collateral::add_tokens;
use crate::commands::{Address, Deposit, Withdraw};
use crate::events::{Deposited, WithdrawalQueued};
use crate::field::I128;
use crate::insurance;
use crate::limits::{AMOUNT_ATOMS_MAX, FIRST_USER_ACCOUNT, FUND_ACCOUNT, QUOTE_TOKEN, Reject};
use crate::liquidation_events::WithdrawalReduced;
use crate::margin;
use crate::owners;
use crate::positions::settle_variation;
use crate::records::{account, global, signer, token};
use crate::store::Store;
use crate::world::World;

const NO_ACCOUNT: u32 = 0;
const NO_ADDRESS: Address = [0; 20];

/// Where deposits, withdrawals and custody of a token are counted.
#[derive(Clone, Copy)]
struct Ledger {
    arena: ArenaLayout,
    slot: u32,
    deposits_atoms: I128,
    withdrawals_atoms: I128,
    custody_atoms: I128,
}

impl Ledger {
    fn of(number: u8) -> Self {
        if number as u64 == QUOTE_TOKEN {
            return Self {
                arena: global::ARENA,
                slot: 0,
                deposits_atoms: global::DEPOSITS_ATOMS,
                withdrawals_atoms: global::WITHDRAWALS_ATOMS,
                custody_atoms: global::CUSTODY_ATOMS,
            };
        }
        Self {
            arena: token::ARENA,
            slot: number as u32,
            deposits_atoms: token::DEPOSITS_ATOMS,
            withdrawals_atoms: token::WITHDRAWALS_ATOMS,
            custody_atoms: token::CUSTODY_ATOMS,
        }
    }

    fn read<S: Store>(&self, world: &World<S>, count: I128) -> i128 {
        world.store.get(self.arena, self.slot, count)
    }

    fn add<S: Store>(&self, world: &mut World<S>, count: I128, atoms: i128) {
        let after = self.read(world, count) + atoms;
        world.store.set(self.arena, self.slot, count, after);
    }

    fn assert_conserved<S: Store>(&self, world: &World<S>) {
        let deposits_atoms = self.read(world, self.deposits_atoms);
        let withdrawals_atoms = self.read(world, self.withdrawals_atoms);
        let custody_atoms = self.read(world, self.custody_atoms);
        assert!(custody_atoms == deposits_atoms - withdrawals_atoms, "money is conserved");
    }
}

/// Credit the account, made if it is the next one; send back what cannot be credited.
pub fn deposit<S: Store>(world: &mut World<S>, command: &Deposit) {
    let Deposit { account, owner, token, amount_atoms, .. } = *command;
    let is_new = account == high_water(world.store, account::ARENA);
    if !is_creditable(world, command, is_new) {
        queue_withdrawal(world, token, &owner, amount_atoms, NO_ACCOUNT);
        return;
    }
    if is_new {
        let made = world.add_account(&owner, command.subaccount);
        owners::join(world, made);
    }
    credit(world, account, token, amount_atoms as i128);
    let ledger = Ledger::of(token);
    ledger.add(world, ledger.deposits_atoms, amount_atoms as i128);
    ledger.add(world, ledger.custody_atoms, amount_atoms as i128);
    ledger.assert_conserved(world);
    Deposited { account, owner, token, amount_atoms, is_new: is_new as u8 }.encode(world.events);
    insurance::settle(world, account);
}

fn is_creditable<S: Store>(world: &World<S>, command: &Deposit, is_new: bool) -> bool {
    if !token_exists(world, command.token) {
        return false;
    }
    let custody_after = custody_atoms(world, command.token) + command.amount_atoms as i128;
    if custody_after > cap_atoms(world, command.token) as i128 {
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

/// Return whether the venue takes a token: USDC, or one of genesis.
pub fn token_exists<S: Store>(world: &World<S>, number: u8) -> bool {
    number as u64 == QUOTE_TOKEN || world.contains(token::ARENA, number as u32)
}

/// Return what the venue holds of a token.
pub fn custody_atoms<S: Store>(world: &World<S>, number: u8) -> i128 {
    let ledger = Ledger::of(number);
    ledger.read(world, ledger.custody_atoms)
}

/// Return how much of a token the venue takes in all.
fn cap_atoms<S: Store>(world: &World<S>, number: u8) -> u64 {
    match number as u64 {
        QUOTE_TOKEN => AMOUNT_ATOMS_MAX,
        _ => world.token(number as u32, token::CAP_ATOMS),
    }
}

/// Add atoms of a token, which may be negative, to what an account has of it.
pub fn credit<S: Store>(world: &mut World<S>, account: u32, token: u8, atoms: i128) {
    match token as u64 {
        QUOTE_TOKEN => add_cash(world, account, atoms),
        _ => add_tokens(world, account, token, atoms),
    }
}

/// Move money into the withdrawal tree; what remains must still cover initial margin.
///
/// While the fund owes, a share of USDC stays, as `insurance::withheld_up` says.
///
/// Rejects TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE (or none of it would be left),
/// RECIPIENT_INVALID, INSUFFICIENT_BALANCE (more than the balance, of USDC the cash after variation
/// settlement), INSUFFICIENT_MARGIN, LIQUIDITY_INSUFFICIENT (others owe so much that the venue does
/// not hold what is to be paid).
pub fn withdraw<S: Store>(world: &mut World<S>, command: &Withdraw) -> Result<(), Reject> {
    let Withdraw { account, token, recipient, amount_atoms, .. } = *command;
    check_amount(world, token, amount_atoms)?;
    let withheld_atoms = insurance::withheld_up(world, token, amount_atoms);
    let paid_atoms = amount_atoms - withheld_atoms;
    if paid_atoms == 0 {
        return Err(Reject::AmountOutOfRange);
    }
    if recipient == NO_ADDRESS {
        return Err(Reject::RecipientInvalid);
    }
    margin::check_outflow(world, account, token, amount_atoms)?;
    if paid_atoms as i128 > custody_atoms(world, token) {
        return Err(Reject::LiquidityInsufficient);
    }
    if token as u64 == QUOTE_TOKEN {
        settle_variation(world, account);
    }
    credit(world, account, token, -(amount_atoms as i128));
    if withheld_atoms != 0 {
        add_cash(world, FUND_ACCOUNT as u32, withheld_atoms as i128);
        WithdrawalReduced { account, withheld_atoms }.encode(world.events);
    }
    let ledger = Ledger::of(token);
    ledger.add(world, ledger.withdrawals_atoms, paid_atoms as i128);
    ledger.add(world, ledger.custody_atoms, -(paid_atoms as i128));
    ledger.assert_conserved(world);
    queue_withdrawal(world, token, &recipient, paid_atoms, account);
    Ok(())
}

/// Rejects TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE.
pub fn check_amount<S: Store>(
    world: &World<S>,
    token: u8,
    amount_atoms: u64,
) -> Result<(), Reject> {
    if !token_exists(world, token) {
        return Err(Reject::TokenNotSupported);
    }
    let is_in_range = (1..=AMOUNT_ATOMS_MAX).contains(&amount_atoms);
    if is_in_range { Ok(()) } else { Err(Reject::AmountOutOfRange) }
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
