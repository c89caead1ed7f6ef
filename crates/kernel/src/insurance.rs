//! Insurance: what the fund pays for accounts that owe, and what happens once it owes itself.
//!
//! The fund is an account like others. What it cannot pay, the account of fees pays; what neither
//! can, the fund owes. Then claims add up to more than is in custody, and each withdrawal leaves
//! the share of it that is missing: everybody who leaves loses alike, whoever leaves first. What is
//! left so, and what the fund earns, pays its debt.

use crate::accounts::{add_cash, cash_atoms};
use crate::arena::NO_SLOT;
use crate::collateral::{self, add_tokens, balance_atoms};
use crate::conversion;
use crate::events::Transferred;
use crate::fund_share::left_atoms;
use crate::limits::{FEE_ACCOUNT, FIRST_USER_ACCOUNT, FUND_ACCOUNT, QUOTE_TOKEN, TOKENS_MAX};
use crate::liquidation_events::{DeficitCovered, LiquidationAuctionEnded};
use crate::margin;
use crate::portfolio::{Portfolio, positions_alone};
use crate::records::{account, auction, global};
use crate::rounding::ceil_div;
use crate::store::Store;
use crate::wide::event_atoms;
use crate::world::World;

fn cash<S: Store>(world: &World<S>, owner: u64) -> i128 {
    world.account(owner as u32, account::CASH_ATOMS)
}

/// Return what the fund owes.
pub fn uncovered_atoms<S: Store>(world: &World<S>) -> i128 {
    (-cash(world, FUND_ACCOUNT)).max(0)
}

/// Return whether that is at least what the account owes at its marks.
pub fn is_paid_by_fund<S: Store>(world: &World<S>, slot: u32, held: &Portfolio) -> bool {
    left_atoms(world, slot) + held.equity_atoms >= 0
}

/// Pay what an account owes that holds nothing more, its interest with it.
///
/// What dust there is of tokens goes to the fund.
pub fn cover<S: Store>(world: &mut World<S>, owner: u32) {
    let deficit_atoms = -cash_atoms(world, owner);
    assert!(deficit_atoms > 0, "only a debt is covered");
    give_dust(world, owner);
    add_cash(world, owner, deficit_atoms);
    add_cash(world, FUND_ACCOUNT as u32, -deficit_atoms);
    let from_fees = cash(world, FEE_ACCOUNT).max(0).min(uncovered_atoms(world));
    add_cash(world, FEE_ACCOUNT as u32, -from_fees);
    add_cash(world, FUND_ACCOUNT as u32, from_fees);
    DeficitCovered {
        account: owner,
        deficit_atoms: event_atoms(deficit_atoms),
        uncovered_atoms: event_atoms(uncovered_atoms(world)),
    }
    .encode(world.events);
}

fn give_dust<S: Store>(world: &mut World<S>, owner: u32) {
    for token in 1..=TOKENS_MAX as u8 {
        let atoms = balance_atoms(world, owner, token);
        if atoms == 0 {
            continue;
        }
        let recipient = FUND_ACCOUNT as u32;
        add_tokens(world, owner, token, -(atoms as i128));
        add_tokens(world, recipient, token, atoms as i128);
        Transferred { account: owner, recipient, token, amount_atoms: atoms }.encode(world.events);
    }
}

/// Return what stays of a withdrawal of USDC: its share of what is missing, 0 if nothing is.
///
/// All that accounts may claim is what is in custody and what the fund owes. Rounds up: against the
/// account.
pub fn withheld_up<S: Store>(world: &World<S>, token: u8, amount_atoms: u64) -> u64 {
    let missing_atoms = uncovered_atoms(world);
    if missing_atoms == 0 || token as u64 != QUOTE_TOKEN {
        return 0;
    }
    let claimed_atoms = (world.header(global::CUSTODY_ATOMS) + missing_atoms) as u128;
    // The share is below 1; a debt is far below 2^64.
    ceil_div(amount_atoms as u128 * missing_atoms as u128, claimed_atoms) as u64
}

/// Return whether any position is more than its open orders.
pub fn holds_lots(held: &Portfolio) -> bool {
    held.exposures.iter().any(|(_, exposure)| exposure.lots != 0)
}

/// Return whether an account has neither positions nor tokens that could pay what it owes.
///
/// Of tokens less than a USDC: who owes more would keep them for ever, since nobody asks for them.
pub fn holds_nothing<S: Store>(world: &World<S>, held: &Portfolio) -> bool {
    if holds_lots(held) {
        return false;
    }
    held.balances.iter().all(|&atoms| atoms == 0)
        || held.equity_atoms < 0 && collateral::is_dust(world, &held.balances)
}

/// Cover what an account owes that holds nothing more, and end its auctions if they are over.
///
/// Asked whenever an account may have closed its last position, or has got money.
pub fn settle<S: Store>(world: &mut World<S>, owner: u32) {
    let is_user = owner as u64 >= FIRST_USER_ACCOUNT;
    let is_owing = is_user && world.account(owner, account::CASH_ATOMS) < 0;
    let is_auctioned = world.account(owner, account::AUCTION) != NO_SLOT;
    let is_for_sale = world.account(owner, account::CONVERSION_NS) != 0;
    if !is_auctioned && !is_for_sale && !is_owing {
        return;
    }
    if !is_auctioned && !is_owing && margin::settled_cash(world, owner) >= 0 {
        conversion::end(world, owner);
        return;
    }
    let mut held = positions_alone(world, owner);
    if is_owing && holds_nothing(world, &held) {
        cover(world, owner);
        held = positions_alone(world, owner);
    }
    if is_auctioned && !margin::is_below_maintenance(world, &held) {
        end_auction(world, owner);
    }
    conversion::end_if_over(world, &held);
}

/// Take the liquidation auction of an account away.
pub fn end_auction<S: Store>(world: &mut World<S>, owner: u32) {
    let slot = world.account(owner, account::AUCTION);
    world.free(auction::ARENA, slot);
    world.set_account(owner, account::AUCTION, NO_SLOT);
    LiquidationAuctionEnded { account: owner }.encode(world.events);
}
