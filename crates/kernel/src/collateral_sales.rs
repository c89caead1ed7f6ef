//! Sales of collateral: who pays some of an account's debt takes of its tokens for it.

use crate::accounts::{add_cash, debt_of};
use crate::collateral::{Flow, add_tokens, atoms_per_token, index_atoms, stale_ppm};
use crate::collateral_commands::BuyCollateral;
use crate::collateral_events::CollateralSold;
use crate::conversion;
use crate::limits::{AMOUNT_ATOMS_MAX, FRACTION_ONE_PPM, QUOTE_TOKEN, Reject};
use crate::portfolio::{Portfolio, portfolio_after, positions_alone};
use crate::positions::settle_variation;
use crate::records::account;
use crate::rounding::ceil_div;
use crate::store::Store;
use crate::wide::event_atoms;
use crate::world::World;
use crate::{custody, insurance, margin};

/// Take of an account's token, for money that repays its debt: at most what repays all of it.
///
/// Rounds what is paid up, against the buyer.
///
/// Rejects ACCOUNT_NOT_FOUND (the one whose token it is), TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE,
/// OWN_LIQUIDATION; CONVERSION_NOT_FOUND (its tokens are not for sale, or for too long),
/// CONVERSION_NOT_DUE (it does not owe too much any more), OBSERVATION_STALE (the token's index),
/// PRICE_ABOVE_LIMIT; INSUFFICIENT_BALANCE (it has none of the token, or the buyer less cash than
/// that costs), INSUFFICIENT_MARGIN.
pub fn buy_collateral<S: Store>(
    world: &mut World<S>,
    command: &BuyCollateral,
) -> Result<(), Reject> {
    check_shape(world, command)?;
    let BuyCollateral { account, target, token, .. } = *command;
    let held = positions_alone(world, target);
    check_sale(world, command, &held)?;
    let bought = bought_atoms(world, command, &held);
    let paid = paid_up(world, command, &held, bought);
    if bought == 0 || paid > margin::settled_cash(world, account) {
        return Err(Reject::InsufficientBalance);
    }
    let flows =
        [Flow { token: QUOTE_TOKEN as u8, atoms: -paid }, Flow { token, atoms: bought as i128 }];
    if !margin::covers(world, &portfolio_after(world, account, &[], &flows), 0) {
        return Err(Reject::InsufficientMargin);
    }
    sell(world, command, bought, paid);
    Ok(())
}

/// Check accounts, token and amount, by themselves.
fn check_shape<S: Store>(world: &World<S>, command: &BuyCollateral) -> Result<(), Reject> {
    let BuyCollateral { account, target, token, amount_atoms, .. } = *command;
    if !world.account_exists(target) {
        return Err(Reject::AccountNotFound);
    }
    if token as u64 == QUOTE_TOKEN || !custody::token_exists(world, token) {
        return Err(Reject::TokenNotSupported);
    }
    if !(1..=AMOUNT_ATOMS_MAX).contains(&amount_atoms) {
        return Err(Reject::AmountOutOfRange);
    }
    let is_own = world.account(account, account::OWNER) == world.account(target, account::OWNER);
    if is_own { Err(Reject::OwnLiquidation) } else { Ok(()) }
}

/// Check that the token may be sold now, at this price.
fn check_sale<S: Store>(
    world: &World<S>,
    command: &BuyCollateral,
    held: &Portfolio,
) -> Result<(), Reject> {
    let BuyCollateral { target, token, price_max_atoms, .. } = *command;
    if !conversion::is_running(world, target) {
        return Err(Reject::ConversionNotFound);
    }
    if !conversion::is_due(world, held) {
        return Err(Reject::ConversionNotDue);
    }
    if index_atoms(world, token) == 0 || stale_ppm(world, token) > 0 {
        return Err(Reject::ObservationStale);
    }
    let limit = price_max_atoms as u128 * FRACTION_ONE_PPM as u128;
    if price(world, command, held) <= limit { Ok(()) } else { Err(Reject::PriceAboveLimit) }
}

/// Return the price of a whole token, in 1e-6 atoms: 60 bits at most.
fn price<S: Store>(world: &World<S>, command: &BuyCollateral, held: &Portfolio) -> u128 {
    let share_ppm = conversion::price_ppm(world, command.token, held);
    index_atoms(world, command.token) as u128 * share_ppm
}

/// Return by what atoms times a price are divided.
fn scale<S: Store>(world: &World<S>, token: u8) -> u128 {
    atoms_per_token(world, token) as u128 * FRACTION_ONE_PPM as u128
}

/// Return how much is sold: what is asked for, there is, and repays the debt. Rounds up.
fn bought_atoms<S: Store>(world: &World<S>, command: &BuyCollateral, held: &Portfolio) -> u64 {
    let debt_atoms = debt_of(margin::settled_cash(world, command.target));
    let repaid_atoms = debt_atoms.min(AMOUNT_ATOMS_MAX as i128) as u128;
    let repaying =
        ceil_div(repaid_atoms * scale(world, command.token), price(world, command, held));
    let held_atoms = held.balances[command.token as usize - 1] as u128;
    repaying.min(held_atoms).min(command.amount_atoms as u128) as u64
}

/// Return what atoms of the token cost. Rounds up: against the buyer.
fn paid_up<S: Store>(
    world: &World<S>,
    command: &BuyCollateral,
    held: &Portfolio,
    bought: u64,
) -> i128 {
    let cost = bought as u128 * price(world, command, held);
    ceil_div(cost, scale(world, command.token)) as i128
}

/// Move token and money, end what is over; nothing can be refused any more.
fn sell<S: Store>(world: &mut World<S>, command: &BuyCollateral, bought: u64, paid: i128) {
    let BuyCollateral { account: buyer, target: seller, token, nonce, .. } = *command;
    settle_variation(world, buyer);
    settle_variation(world, seller);
    add_cash(world, buyer, -paid);
    add_cash(world, seller, paid);
    add_tokens(world, buyer, token, bought as i128);
    add_tokens(world, seller, token, -(bought as i128));
    CollateralSold {
        account: seller,
        buyer,
        token,
        amount_atoms: bought,
        paid_atoms: event_atoms(paid),
        nonce,
    }
    .encode(world.events);
    insurance::settle(world, seller);
}
