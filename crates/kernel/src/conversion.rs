//! Conversion: the tokens of an account that owes too much USDC are for sale, at a falling price.
//!
//! Anybody starts it. The price falls from the index by a discount, stands for as long again, and
//! is old then: whoever finds the cause still there begins it anew. While the account has equity, a
//! sale takes from it no larger a part than of the tokens: who is solvent pays the discount
//! himself.

use crate::accounts::debt_of;
use crate::collateral;
use crate::collateral_commands::StartConversion;
use crate::collateral_events::{ConversionEnded, ConversionStarted};
use crate::fund_share;
use crate::limits::{FRACTION_ONE_PPM, NS_PER_SECOND, Reject};
use crate::margin;
use crate::portfolio::{Portfolio, positions_alone};
use crate::positions::settle_variation;
use crate::records::{account, global, parameters, token};
use crate::rounding::ceil_div;
use crate::store::Store;
use crate::wide::{event_atoms, is_product_at_least};
use crate::world::{PARAMETERS_SLOT, World};

/// Tokens are for sale for so many times as long as their price falls.
const LAPSE_FOLD: u64 = 2;

const ONE_PPM: u128 = FRACTION_ONE_PPM as u128;

/// Put an account's tokens up for sale, begin that anew when it is old, or end it.
///
/// Rejects ACCOUNT_NOT_FOUND; CONVERSION_NOT_DUE unless the account owes too much, or its tokens
/// are for sale though it does not any more; CONVERSION_RUNNING.
pub fn start_conversion<S: Store>(
    world: &mut World<S>,
    command: &StartConversion,
) -> Result<(), Reject> {
    let StartConversion { account } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    let held = positions_alone(world, account);
    if !is_due(world, &held) {
        if world.account(account, account::CONVERSION_NS) == 0 {
            return Err(Reject::ConversionNotDue);
        }
        end_if_over(world, &held);
        return Ok(());
    }
    if is_running(world, account) {
        return Err(Reject::ConversionRunning);
    }
    settle_variation(world, account);
    let now_ns = world.header(global::WINDOW_NS);
    world.set_account(account, account::CONVERSION_NS, now_ns);
    let debt_atoms = event_atoms(debt_of(world.account(account, account::CASH_ATOMS)));
    ConversionStarted { account, debt_atoms }.encode(world.events);
    Ok(())
}

/// Return whether an account with tokens owes too much USDC.
///
/// That is more than a share of what the tokens count for, or anything at all while equity does not
/// cover maintenance margin; both with every stale leg at its best, losses not yet settled
/// included. `held` is a portfolio of positions alone.
pub fn is_due<S: Store>(world: &World<S>, held: &Portfolio) -> bool {
    if held.balances.iter().all(|&atoms| atoms == 0) {
        return false;
    }
    let settled_atoms = margin::settled_cash(world, held.account);
    let debt_atoms = debt_of(settled_atoms + held.stale_high_atoms());
    if debt_atoms == 0 {
        return false;
    }
    let share_ppm = world.parameters(PARAMETERS_SLOT, parameters::CONVERSION_PPM) as u128;
    let (_, high_ppm) = collateral::stale_interval_ppm(world, &held.balances);
    let counted_atoms = collateral::value_atoms(world, &held.balances);
    let counted_ppm = (counted_atoms * ONE_PPM as i128 + high_ppm) as u128;
    !is_product_at_least(counted_ppm, share_ppm, debt_atoms as u128, ONE_PPM * ONE_PPM)
        || held.equity_atoms + held.stale_high_atoms()
            < margin::maintenance_of(world, held, &held.totals)
}

/// Return whether an account's tokens are for sale.
pub fn is_running<S: Store>(world: &World<S>, account: u32) -> bool {
    let started_ns = world.account(account, account::CONVERSION_NS);
    started_ns != 0 && world.header(global::WINDOW_NS) - started_ns < LAPSE_FOLD * fall_ns(world)
}

/// End the sale of an account's tokens if it does not owe too much any more.
pub fn end_if_over<S: Store>(world: &mut World<S>, held: &Portfolio) {
    let account = held.account;
    if world.account(account, account::CONVERSION_NS) != 0 && !is_due(world, held) {
        end(world, account);
    }
}

/// End the sale of an account's tokens.
pub fn end<S: Store>(world: &mut World<S>, account: u32) {
    world.set_account(account, account::CONVERSION_NS, 0);
    ConversionEnded { account }.encode(world.events);
}

/// Return how long the price falls.
fn fall_ns<S: Store>(world: &World<S>) -> u64 {
    let seconds = world.parameters(PARAMETERS_SLOT, parameters::CONVERSION_SECONDS);
    (seconds as u64 * NS_PER_SECOND).max(1)
}

/// Return at what part of the index an account's token is for sale now.
///
/// With equity E and tokens that count for C, one that counts for c goes at c · (1 − E / C) at
/// least: all of them together cost no more than E, and any of them leaves E / C as it is. Below
/// zero the fund's share is added to E: no insolvency costs the fund more.
///
/// Rounds up: for the account.
pub fn price_ppm<S: Store>(world: &World<S>, token: u8, held: &Portfolio) -> u128 {
    let falling_ppm = ONE_PPM - discount_ppm(world, held.account);
    let counted_atoms = collateral::value_atoms(world, &held.balances);
    if counted_atoms == 0 {
        return falling_ppm;
    }
    let share_atoms =
        if held.is_insolvent() { fund_share::left_for(world, held.account) } else { 0 };
    let spent_atoms = (held.equity_atoms + share_atoms).clamp(0, counted_atoms);
    let kept_atoms = (counted_atoms - spent_atoms) as u128;
    let kept_ppm = ONE_PPM - world.token(token as u32, token::HAIRCUT_PPM) as u128;
    falling_ppm.max(ceil_div(kept_ppm * kept_atoms, counted_atoms as u128))
}

/// Return how far below the index the price has fallen. Rounds down: for the account.
fn discount_ppm<S: Store>(world: &World<S>, account: u32) -> u128 {
    let most_ppm = world.parameters(PARAMETERS_SLOT, parameters::CONVERSION_DISCOUNT_PPM) as u128;
    let started_ns = world.account(account, account::CONVERSION_NS);
    let elapsed_ns = world.header(global::WINDOW_NS) - started_ns;
    let fall_ns = fall_ns(world);
    most_ppm * elapsed_ns.min(fall_ns) as u128 / fall_ns as u128
}
