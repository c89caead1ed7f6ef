//! Liquidation: what anybody may do to an account below its margin, one bounded step a command.
//!
//! Orders that initial margin does not back are ended. A portfolio below maintenance margin is
//! reduced by slices in the books, the submitter naming a leg that relieves nearly as much per cost
//! as the best one. The state decides all of it; nothing that a submitter says is believed.

use crate::accounts::{add_cash, cash_atoms};
use crate::arena::NO_SLOT;
use crate::backing::Effort;
use crate::cancellation::{end_orders, end_orders_if_due, sweep};
use crate::exposure::{Change, Exposure};
use crate::funding;
use crate::identifiers::instrument_id;
use crate::insurance;
use crate::limits::{
    AuctionPhase, FIRST_USER_ACCOUNT, FRACTION_ONE_PPM, FUND_ACCOUNT, NS_PER_MS, PRICE_TICKS_BITS,
    Reject, Removal, SelfTradePrevention, Side,
};
use crate::liquidation_commands::Liquidate;
use crate::liquidation_events::{AccountReduced, OrdersUnbacked};
use crate::margin;
use crate::matching::{Taker, match_taker};
use crate::portfolio::{Portfolio, portfolio, positions_alone};
use crate::positions::{find_position, is_linear, mark_atoms, release_position};
use crate::prices::{index_value_per_lot, is_marked};
use crate::records::{account, global, instrument, parameters, position};
use crate::relief::Relief;
use crate::rounding::ceil_div;
use crate::rules::trades_at_once;
use crate::staleness::{is_stale, is_superseded};
use crate::states;
use crate::store::Store;
use crate::waiting;
use crate::wide::{is_product_at_least, mul_div_down};
use crate::world::{PARAMETERS_SLOT, World};

const NO_FEE_PPM: u32 = 0;
const NO_NONCE: u64 = 0;
const NO_GROUP: u16 = 0;

/// What one step may close of a leg.
///
/// `lots` are signed, against the position; `relief_atoms` is by how much maintenance margin,
/// `required_atoms`, falls when they are closed at the mark; `cost_ppm_atoms` what closing them is
/// thought to cost, in 1e-6 atoms.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    pub instrument: u32,
    pub lots: i64,
    pub required_atoms: i128,
    pub relief_atoms: i128,
    pub cost_ppm_atoms: u128,
}

/// End the orders of an account below initial margin; below maintenance, close some of a leg.
///
/// Both at once if need be: or a new order in time would keep the position as it is.
///
/// Rejects ACCOUNT_NOT_FOUND; NOT_LIQUIDATABLE: equity covers maintenance margin, and initial
/// margin backs the orders; without orders, then as `slice_asked`.
pub fn liquidate<S: Store>(world: &mut World<S>, command: &Liquidate) -> Result<(), Reject> {
    let Liquidate { account, .. } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    if (account as u64) < FIRST_USER_ACCOUNT {
        return Err(Reject::NotLiquidatable);
    }
    let held = positions_alone(world, account);
    let asked = slice_asked(world, command, &held);
    if has_live_orders(world, account) {
        // Below maintenance margin nothing backs them: asking would add all of it up again.
        let is_covered = matches!(asked, Err(Reject::NotLiquidatable));
        if is_covered && is_backed(world, account) {
            return Err(Reject::NotLiquidatable);
        }
        end_unbacked(world, account);
    } else {
        asked?;
    }
    if let Ok(chosen) = asked {
        offer(world, account, &chosen, &held);
    }
    Ok(())
}

/// Return whether orders of the account stand in books: none do after its deadline.
pub fn has_live_orders<S: Store>(world: &World<S>, owner: u32) -> bool {
    world.account(owner, account::ORDERS_LIVE) > 0 && !world.is_deadline_passed(owner)
}

/// Return whether equity, every stale leg at its best, covers margin of positions and orders.
pub fn is_backed<S: Store>(world: &World<S>, owner: u32) -> bool {
    let whole = portfolio(world, owner, &[]);
    let best_atoms = whole.equity_atoms + whole.stale_high_atoms();
    best_atoms >= margin::initial_margin_up(world, &whole)
}

/// End all orders of an account, waiting ones with them, and remove the first records.
fn end_unbacked<S: Store>(world: &mut World<S>, owner: u32) {
    end_orders(world, owner);
    OrdersUnbacked { account: owner }.encode(world.events);
    sweep(world, owner, NO_SLOT);
    waiting::sweep(world, owner);
}

/// Return the slice of the leg named, or why none is to be closed.
///
/// Rejects NOT_LIQUIDATABLE; LEG_INVALID (no position, none that `is_reducible`, or its mark
/// `is_superseded`); ACCOUNT_INSOLVENT (what it owes, bidders and holders on the other side take
/// on, and not the books); LIQUIDATION_COOLDOWN; LEG_NOT_BEST (it relieves nothing, or too little
/// per cost beside the best leg).
fn slice_asked<S: Store>(
    world: &World<S>,
    command: &Liquidate,
    held: &Portfolio,
) -> Result<Slice, Reject> {
    let Liquidate { account, instrument } = *command;
    let mut relief = Relief::new(world, held);
    if !held.is_short_of(relief.required_atoms) {
        return Err(Reject::NotLiquidatable);
    }
    let slot = states::find_instrument(world, instrument);
    let held_slot = if slot == NO_SLOT { NO_SLOT } else { find_position(world, account, slot) };
    let is_held = held_slot != NO_SLOT && is_reducible(world, held_slot);
    if !is_held || is_superseded(world, slot) {
        return Err(Reject::LegInvalid);
    }
    if held.is_insolvent() {
        return Err(Reject::AccountInsolvent);
    }
    if is_cooling(world, account) {
        return Err(Reject::LiquidationCooldown);
    }
    let chosen = slice_of(world, &mut relief, held_slot);
    let is_near = is_near_best(world, &chosen, slices(world, account, relief));
    if is_near { Ok(chosen) } else { Err(Reject::LegNotBest) }
}

/// Return whether a position can be closed in its book now: freshly marked, and trading at once.
pub fn is_reducible<S: Store>(world: &World<S>, held: u32) -> bool {
    let slot = world.position(held, position::INSTRUMENT);
    world.position(held, position::LOTS) != 0
        && is_marked(world, slot)
        && !is_stale(world, slot)
        && trades_at_once(world, slot)
        && world.instrument(slot, instrument::AUCTION_PHASE) == AuctionPhase::None as u8
        && !states::is_expired(world, slot)
}

/// Return whether the last slice of the account is so recent that makers may not have come back.
pub fn is_cooling<S: Store>(world: &World<S>, owner: u32) -> bool {
    let cooldown_ms = world.parameters(PARAMETERS_SLOT, parameters::LIQUIDATION_COOLDOWN_MS);
    let over_ns = world.account(owner, account::LIQUIDATED_NS) + cooldown_ms as u64 * NS_PER_MS;
    world.header(global::WINDOW_NS) < over_ns
}

/// Return a slice of each position that can be closed now.
pub fn slices<S: Store>(
    world: &World<S>,
    owner: u32,
    mut relief: Relief,
) -> impl Iterator<Item = Slice> {
    let reducible = world.positions_of(owner).filter(|&slot| is_reducible(world, slot));
    reducible.map(move |slot| slice_of(world, &mut relief, slot))
}

/// Return the slice of a position: a share of it, at least the least order, at most all of it.
///
/// Rounds lots up.
pub fn slice_of<S: Store>(world: &World<S>, relief: &mut Relief, held_slot: u32) -> Slice {
    let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as u128;
    let slot = world.position(held_slot, position::INSTRUMENT);
    let signed_lots = world.position(held_slot, position::LOTS);
    let held_lots = signed_lots.unsigned_abs();
    let share_ppm = parameter(parameters::LIQUIDATION_SLICE_PPM);
    let share = ceil_div(held_lots as u128 * share_ppm, FRACTION_ONE_PPM as u128) as u64;
    let lots = held_lots.min(share.max(world.instrument(slot, instrument::LOTS_MIN)));
    let closing = if signed_lots > 0 { -(lots as i64) } else { lots as i64 };
    let relief_atoms =
        relief.of(world, &[Change { instrument: slot, exposure: Exposure::of_lots(closing) }]);
    let cost_ppm = parameter(if is_linear(world, slot) {
        parameters::LIQUIDATION_COST_LINEAR_PPM
    } else {
        parameters::LIQUIDATION_COST_OPTION_PPM
    });
    let value_atoms = index_value_per_lot(world, slot).max(1);
    // 2^40 · 2^64 · 2^20 at most: fits 128 bits.
    let cost_ppm_atoms = lots as u128 * value_atoms * cost_ppm.max(1);
    let required_atoms = relief.required_atoms;
    Slice { instrument: slot, lots: closing, required_atoms, relief_atoms, cost_ppm_atoms }
}

/// Return whether a slice relieves at least the asked share of what any other does per cost.
pub fn is_near_best<S: Store>(
    world: &World<S>,
    chosen: &Slice,
    mut others: impl Iterator<Item = Slice>,
) -> bool {
    if chosen.relief_atoms <= 0 {
        return false;
    }
    let share_ppm = world.parameters(PARAMETERS_SLOT, parameters::LIQUIDATION_RELIEF_PPM) as u128;
    others.all(|other| {
        other.relief_atoms <= 0
            || is_product_at_least(
                chosen.relief_atoms as u128 * FRACTION_ONE_PPM as u128,
                other.cost_ppm_atoms,
                other.relief_atoms as u128 * share_ppm,
                chosen.cost_ppm_atoms,
            )
    })
}

/// Trade the slice at its limit or better, and charge the fund's fee.
///
/// The account pays no fee of the book. A slice that met only orders to be removed may be tried
/// again at once; any other starts the cooldown.
fn offer<S: Store>(world: &mut World<S>, owner: u32, chosen: &Slice, held: &Portfolio) {
    end_orders_if_due(world, owner);
    let (slot, lots) = (chosen.instrument, chosen.lots.unsigned_abs());
    let held_slot = find_position(world, owner, slot);
    let allowance_atoms = allowance_down(held, chosen);
    let mut taker = Taker {
        account: owner,
        position: held_slot,
        instrument: slot,
        side: if chosen.lots > 0 { Side::Buy } else { Side::Sell },
        price_ticks: limit_ticks(world, chosen, allowance_atoms),
        lots,
        max_fee_ppm: NO_FEE_PPM,
        nonce: NO_NONCE,
        self_trade_prevention: SelfTradePrevention::CancelMaker,
        group: NO_GROUP,
        is_cancelled: false,
        is_liquidation: true,
        refused: None,
        effort: Effort::default(),
        is_effort_spent: false,
    };
    funding::accrue(world, slot);
    funding::settle(world, held_slot);
    let before = spent_atoms(world, owner, held_slot);
    let removal = match_taker(world, &mut taker);
    let filled_lots = lots - taker.lots;
    let allowed_atoms = mul_div_down(allowance_atoms, filled_lots as u128, lots as u128);
    let fee_atoms = charge(world, &taker, filled_lots, allowed_atoms, before);
    if filled_lots > 0 || removal != Some(Removal::FillLimit) {
        let now_ns = world.header(global::WINDOW_NS);
        world.set_account(owner, account::LIQUIDATED_NS, now_ns);
        world.set_account(owner, account::SLICE_MISSED, (taker.lots > 0) as u8);
    }
    AccountReduced {
        account: owner,
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        side: taker.side as u8,
        limit_ticks: taker.price_ticks,
        lots,
        filled_lots,
        fee_atoms,
    }
    .encode(world.events);
    release_position(world, held_slot);
    insurance::settle(world, owner);
}

/// Return what closing the whole slice may cost so that equity / maintenance does not fall.
///
/// Nothing when there is no equity: then the mark itself is the worst price. Rounds down: for the
/// account.
pub fn allowance_down(held: &Portfolio, chosen: &Slice) -> u128 {
    if held.equity_atoms <= 0 {
        return 0;
    }
    let required_atoms = chosen.required_atoms as u128;
    mul_div_down(held.equity_atoms as u128, chosen.relief_atoms as u128, required_atoms)
}

/// Return the worst price of a slice: the mark ∓ the smaller of band and allowance per lot.
///
/// Rounds into the limit: for the account. A limit that no order can reach matches nothing.
pub fn limit_ticks<S: Store>(world: &World<S>, chosen: &Slice, allowance_atoms: u128) -> u32 {
    let band_ppm = world.parameters(PARAMETERS_SLOT, parameters::LIQUIDATION_BAND_PPM) as u128;
    let index_atoms = index_value_per_lot(world, chosen.instrument);
    let band_atoms = index_atoms * band_ppm / FRACTION_ONE_PPM as u128;
    let worse_atoms = band_atoms.min(allowance_atoms / chosen.lots.unsigned_abs() as u128) as i128;
    let mark_atoms = mark_atoms(world, chosen.instrument) as i128;
    let tick_value_atoms = world.instrument(chosen.instrument, instrument::TICK_VALUE_ATOMS);
    if chosen.lots > 0 {
        let highest = (mark_atoms + worse_atoms) / tick_value_atoms as i128;
        return highest.min((1 << PRICE_TICKS_BITS) - 1) as u32;
    }
    let lowest = (mark_atoms - worse_atoms).max(0) as u128;
    ceil_div(lowest, tick_value_atoms as u128).clamp(1, 1 << PRICE_TICKS_BITS) as u32
}

/// Return what trades in the position change beside its lots: cash and entry.
fn spent_atoms<S: Store>(world: &World<S>, owner: u32, held_slot: u32) -> i128 {
    cash_atoms(world, owner) + world.position(held_slot, position::ENTRY_ATOMS)
}

/// Pay the fund its share of what was filled, as far as the allowance leaves any; return it.
///
/// Rounds down: for the account.
fn charge<S: Store>(
    world: &mut World<S>,
    taker: &Taker,
    filled_lots: u64,
    allowed_atoms: u128,
    before: i128,
) -> u64 {
    let value_atoms = spent_atoms(world, taker.account, taker.position) - before;
    let bought_lots = match taker.side {
        Side::Buy => filled_lots as i128,
        Side::Sell => -(filled_lots as i128),
    };
    let loss_atoms = -value_atoms - bought_lots * mark_atoms(world, taker.instrument) as i128;
    let left_atoms = (allowed_atoms as i128 - loss_atoms).max(0) as u128;
    let fee_ppm = world.parameters(PARAMETERS_SLOT, parameters::LIQUIDATION_FEE_PPM) as u128;
    let full_atoms = value_atoms.unsigned_abs() * fee_ppm / FRACTION_ONE_PPM as u128;
    let fee_atoms = left_atoms.min(full_atoms);
    add_cash(world, taker.account, -(fee_atoms as i128));
    add_cash(world, FUND_ACCOUNT as u32, fee_atoms as i128);
    fee_atoms as u64
}
