//! Debts: cash below zero, against what else an account has. How far a trade may take it.
//!
//! An order is asked for all that it could cost by itself, when it is placed; what reduces is not
//! asked. Nor are losses: they may take an account as far as its margin allows. Withdrawals and
//! transfers of money never make a debt.

use crate::accounts::{cash_atoms, debt_of};
use crate::book;
use crate::collateral_events::VariationSettled;
use crate::commands::SettleVariation;
use crate::insurance;
use crate::limits::{ATOMS_PER_QUOTE_UNIT, Reject, Side};
use crate::margin::{adverse_per_lot, fee_per_lot_up};
use crate::positions::{self, is_linear, mark_atoms};
use crate::prices::{Parts, legs_of, value_per_lot};
use crate::records::{account, global, order, parameters};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Return whether paying so much makes a debt, or adds to one, beyond what account or venue may
/// owe.
///
/// Funding and final marks count as paid, whether or not somebody has settled them.
#[inline]
pub fn is_beyond_limit<S: Store>(world: &World<S>, account: u32, outflow_atoms: i128) -> bool {
    if outflow_atoms <= 0 {
        return false;
    }
    let before = cash_atoms(world, account) + positions::due_atoms(world, account);
    let debt_atoms = debt_of(before - outflow_atoms);
    if debt_atoms <= debt_of(before) {
        return false;
    }
    let own_atoms = debt_of(world.account(account, account::CASH_ATOMS));
    let others_atoms = world.header(global::DEBT_ATOMS) - own_atoms;
    let limit =
        |field| world.parameters(PARAMETERS_SLOT, field) as i128 * ATOMS_PER_QUOTE_UNIT as i128;
    debt_atoms > limit(parameters::DEBT_ACCOUNT_USD)
        || others_atoms + debt_atoms > limit(parameters::DEBT_VENUE_USD)
}

/// Turn profits and losses of linear positions into cash, so that a debt costs its interest.
///
/// Equity and margin stay as they are, but for what has its final mark, which counts no more for
/// concentration, and for what is owed by who holds nothing more: it is covered.
///
/// Rejects ACCOUNT_NOT_FOUND.
pub fn settle_variation<S: Store>(
    world: &mut World<S>,
    command: &SettleVariation,
) -> Result<(), Reject> {
    let SettleVariation { account } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    positions::settle_variation(world, account);
    VariationSettled { account }.encode(world.events);
    insurance::settle(world, account);
    Ok(())
}

/// Return the most cash that what is left of a resting order can cost.
pub fn order_outflow<S: Store>(world: &World<S>, slot: u32) -> i128 {
    let lots = world.order(slot, order::LOTS_REMAINING) as i128;
    let listed = world.order(slot, order::INSTRUMENT);
    let price_ticks = world.order(slot, order::PRICE_TICKS);
    let max_fee_ppm = world.order(slot, order::MAX_FEE_PPM);
    lots * outflow_per_lot(world, listed, book::side_of(world, slot), price_ticks, max_fee_ppm)
}

/// Return the most cash that a lot of an order can cost: premium and fee, at least nothing.
///
/// The value of linear instruments accrues in the entry. The options of a combo trade at their
/// marks, but for the first leg, whose price takes what the limit is worse than the mark.
#[inline]
pub fn outflow_per_lot<S: Store>(
    world: &World<S>,
    slot: u32,
    side: Side,
    price_ticks: u32,
    max_fee_ppm: u32,
) -> i128 {
    let sign = if side == Side::Buy { 1 } else { -1 };
    let legs = legs_of(world, slot);
    let premium = if !legs.is_empty() {
        premium_of_legs(world, slot, side, price_ticks, &legs)
    } else if is_linear(world, slot) {
        0
    } else {
        sign * value_per_lot(world, slot, price_ticks)
    };
    (premium + fee_per_lot_up(world, slot, price_ticks, max_fee_ppm) as i128).max(0)
}

/// Return what the options among the legs of a combo cost, per lot.
fn premium_of_legs<S: Store>(
    world: &World<S>,
    slot: u32,
    side: Side,
    price_ticks: u32,
    legs: &Parts,
) -> i128 {
    let sign = if side == Side::Buy { 1 } else { -1 };
    let mut premium = 0;
    for (place, leg) in legs.iter().enumerate() {
        if is_linear(world, leg.instrument) {
            continue;
        }
        premium += sign * leg.ratio as i128 * mark_atoms(world, leg.instrument) as i128;
        if place == 0 {
            premium += adverse_per_lot(world, slot, side, price_ticks);
        }
    }
    premium
}
