//! Margin: what an account's equity must cover, and what a command may do to it.
//!
//! Initial margin gates new risk: scenarios of positions and open orders, add-ons, and what the
//! orders reserve. Maintenance margin is that of the positions alone, with its own factors; who
//! falls below it may be liquidated.

use crate::accounts::cash_atoms;
use crate::add_ons;
use crate::collateral::{self, Flow, balance_atoms};
pub use crate::exposure::{Change, Exposure, resting};
use crate::funding::pending_atoms;
use crate::limits::{FEE_PPM_MAX, FRACTION_ONE_PPM, MarginMode, QUOTE_TOKEN, Reject, Side};
pub use crate::portfolio::{Portfolio, portfolio, portfolio_after, with_changes};
use crate::positions::{is_linear, is_settled, mark_atoms};
use crate::prices::{self, COLUMNS, value_per_lot};
use crate::records::position;
use crate::rounding::ceil_div;
use crate::scenario_margin::{self, Columns, Totals, totals_of};
use crate::standard_margin;
use crate::store::Store;
use crate::world::World;

const NO_COLUMNS: Columns = [0; COLUMNS];

/// Return the equity that gates new risk, in atoms. Rounds up: against the account.
pub fn initial_margin_up<S: Store>(world: &World<S>, portfolio: &Portfolio) -> i128 {
    let totals = &portfolio.totals;
    let positions = positions_initial_up(world, portfolio);
    let concentration = add_ons::concentration_up(world, portfolio, totals);
    let confidence = add_ons::confidence_up(world, totals);
    (positions + concentration + confidence) as i128 + portfolio.reserve_atoms
}

/// Return what positions and orders need in the account's margin mode.
pub fn positions_initial_up<S: Store>(world: &World<S>, portfolio: &Portfolio) -> u128 {
    match portfolio.mode {
        MarginMode::Portfolio => scenario_margin::initial_up(world, &portfolio.totals),
        MarginMode::Standard => standard_margin::initial_up(world, portfolio),
    }
}

/// Return the equity that keeps the positions, in atoms: orders and what they reserve apart.
///
/// Rounds up: against the account.
pub fn maintenance_margin_up<S: Store>(world: &World<S>, portfolio: &Portfolio) -> i128 {
    if portfolio.is_of_positions() {
        return maintenance_of(world, portfolio, &portfolio.totals);
    }
    let held = portfolio.exposures.iter().map(|(slot, exposure)| (*slot, exposure.held()));
    let mut totals = totals_of(world, held);
    collateral::add_columns(world, &mut totals, &portfolio.balances);
    maintenance_of(world, portfolio, &totals)
}

/// Return what `totals` of positions, and of tokens, of a portfolio ask for. Rounds up.
pub fn maintenance_of<S: Store>(world: &World<S>, portfolio: &Portfolio, totals: &Totals) -> i128 {
    let positions = match portfolio.mode {
        MarginMode::Portfolio => scenario_margin::maintenance_up(world, totals),
        MarginMode::Standard => standard_margin::maintenance_up(world, portfolio, totals),
    };
    (positions + add_ons::concentration_up(world, portfolio, totals)) as i128
}

/// Return whether equity falls short of maintenance margin even with every stale leg at its best.
pub fn is_below_maintenance<S: Store>(world: &World<S>, portfolio: &Portfolio) -> bool {
    portfolio.is_short_of(maintenance_margin_up(world, portfolio))
}

/// Return whether equity, less a cost and with every stale leg at its worst, covers initial margin.
pub fn covers<S: Store>(world: &World<S>, portfolio: &Portfolio, cost_atoms: i128) -> bool {
    portfolio.secured_atoms() - cost_atoms >= initial_margin_up(world, portfolio)
}

/// Return whether changes to what rests leave the requirement where it is, or lower it.
///
/// They may reserve more only as far as equity pays for it: fills at the limits may not make the
/// account owe.
pub fn requires_no_more<S: Store>(world: &World<S>, before: &Portfolio, after: &Portfolio) -> bool {
    after.reserve_atoms <= before.reserve_atoms.max(after.secured_atoms())
        && initial_margin_up(world, after) <= initial_margin_up(world, before)
}

/// Return the cash that `settle_variation` would leave: options at final marks included.
pub fn settled_cash<S: Store>(world: &World<S>, account: u32) -> i128 {
    let mut cash = cash_atoms(world, account);
    for slot in world.positions_of(account) {
        let instrument = world.position(slot, position::INSTRUMENT);
        if is_linear(world, instrument) || is_settled(world, instrument) {
            let lots = world.position(slot, position::LOTS);
            let value_atoms = lots as i128 * mark_atoms(world, instrument) as i128;
            cash += world.position(slot, position::ENTRY_ATOMS) + value_atoms;
            cash -= pending_atoms(world, slot);
        }
    }
    cash
}

/// Check that money may leave an account.
///
/// Rejects INSUFFICIENT_BALANCE (more than the balance, of USDC the cash after variation
/// settlement); INSUFFICIENT_MARGIN (what remains would not cover initial margin).
pub fn check_outflow<S: Store>(
    world: &World<S>,
    account: u32,
    token: u8,
    amount_atoms: u64,
) -> Result<(), Reject> {
    let atoms = amount_atoms as i128;
    if atoms > spendable_atoms(world, account, token) {
        return Err(Reject::InsufficientBalance);
    }
    let after = portfolio_after(world, account, &[], &[Flow { token, atoms: -atoms }]);
    if covers(world, &after, 0) { Ok(()) } else { Err(Reject::InsufficientMargin) }
}

/// Return what an account has of a token: of USDC, once its profits are cash.
pub fn spendable_atoms<S: Store>(world: &World<S>, account: u32, token: u8) -> i128 {
    match token as u64 {
        QUOTE_TOKEN => settled_cash(world, account),
        _ => balance_atoms(world, account, token) as i128,
    }
}

/// Check that an account may trade so.
///
/// `cost_atoms` is what equity loses by it: prices against marks (negative when better), plus fees.
///
/// Rejects ACCOUNT_INSOLVENT; INSUFFICIENT_MARGIN unless equity covers initial margin after the
/// trade, or the trade reduces.
pub fn check_trade<S: Store>(
    world: &World<S>,
    account: u32,
    changes: &[Change],
    cost_atoms: i128,
) -> Result<(), Reject> {
    let before = portfolio(world, account, &[]);
    if before.is_insolvent() {
        return Err(Reject::AccountInsolvent);
    }
    let after = with_changes(world, &before, changes);
    if covers(world, &after, cost_atoms) || is_no_worse(world, &before, after, cost_atoms) {
        return Ok(());
    }
    Err(Reject::InsufficientMargin)
}

/// Return whether equity less a cost still pays for all that open orders reserve, or nothing is
/// lost.
///
/// Marks move equity; a trade may only leave an account owing that it enriches.
pub fn can_pay(portfolio: &Portfolio, cost_atoms: i128) -> bool {
    cost_atoms <= (portfolio.secured_atoms() - portfolio.reserve_atoms).max(0)
}

/// Return whether a trade of all these lots for this cost leaves no scenario worse.
///
/// Initial margin − equity does not rise, nor any column's loss: of a part of it no more than of
/// the whole, since both are convex. And what it costs leaves enough for all that open orders
/// reserve: two who agree on prices may not make one of them owe what the other takes away.
pub fn is_reducing<S: Store>(
    world: &World<S>,
    before: &Portfolio,
    changes: &[Change],
    cost_atoms: i128,
) -> bool {
    is_no_worse(world, before, with_changes(world, before, changes), cost_atoms)
}

/// Return what `is_reducing` says.
///
/// Under standard margin an expiry counts afterwards as before, by itself or together, or a part of
/// the trade could need more than all of it. An underlying with a stale leg counts as one with it
/// afterwards, too: to be rid of the whole leg is no relief that a part of it would not give.
fn is_no_worse<S: Store>(
    world: &World<S>,
    before: &Portfolio,
    mut after: Portfolio,
    cost_atoms: i128,
) -> bool {
    if !can_pay(&after, cost_atoms) {
        return false;
    }
    let gap_before = initial_margin_up(world, before) - before.secured_atoms();
    for each in &mut after.totals.underlyings {
        each.stale_legs += before.totals.of(each.number).map_or(0, |totals| totals.stale_legs);
    }
    if after.mode == MarginMode::Standard {
        after.netting = standard_margin::netting_of(world, before);
    }
    let gap_after = initial_margin_up(world, &after) - (after.secured_atoms() - cost_atoms);
    gap_after <= gap_before && loses_no_more(before, &after)
}

/// Return whether no column that is a loss afterwards is a larger one than before.
fn loses_no_more(before: &Portfolio, after: &Portfolio) -> bool {
    after.totals.underlyings.iter().all(|each| {
        let found = before.totals.of(each.number);
        let columns_before = found.map_or(&NO_COLUMNS, |totals| &totals.columns);
        let mut pairs = each.columns.iter().zip(columns_before);
        pairs.all(|(after, before)| *after.min(&0) >= *before.min(&0))
    })
}

/// Return the most that one lot at a price can pay in fees. Rounds up: against the account.
pub fn fee_per_lot_up<S: Store>(
    world: &World<S>,
    instrument: u32,
    price_ticks: u32,
    max_fee_ppm: u32,
) -> u128 {
    fee_of_value_up(value_per_lot(world, instrument, price_ticks), max_fee_ppm)
}

#[inline]
fn fee_of_value_up(value_atoms: i128, max_fee_ppm: u32) -> u128 {
    let fee_ppm = (max_fee_ppm as u64).min(FEE_PPM_MAX);
    ceil_div(value_atoms.unsigned_abs() * fee_ppm as u128, FRACTION_ONE_PPM as u128)
}

/// Return by how much a fill at the limit would be worse than the mark, per lot; negative when
/// better.
pub fn adverse_per_lot<S: Store>(
    world: &World<S>,
    instrument: u32,
    side: Side,
    price_ticks: u32,
) -> i128 {
    adverse_of_value(world, instrument, side, value_per_lot(world, instrument, price_ticks))
}

#[inline]
fn adverse_of_value<S: Store>(world: &World<S>, instrument: u32, side: Side, value: i128) -> i128 {
    let difference = value - prices::mark_atoms(world, instrument);
    match side {
        Side::Buy => difference,
        Side::Sell => -difference,
    }
}

/// Return what a resting order reserves per lot, in atoms.
///
/// Its fee, and by how much its limit is worse than the mark; a better limit earns no credit.
#[inline]
pub fn reserve_per_lot<S: Store>(
    world: &World<S>,
    instrument: u32,
    side: Side,
    price_ticks: u32,
    max_fee_ppm: u32,
) -> u64 {
    let value = value_per_lot(world, instrument, price_ticks);
    let fee = fee_of_value_up(value, max_fee_ppm) as i128;
    let reserve = adverse_of_value(world, instrument, side, value).max(0) + fee;
    u64::try_from(reserve).expect("a lot is worth less than 2^63")
}
