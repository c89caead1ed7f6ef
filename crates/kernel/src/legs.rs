//! Deals: trades of up to four legs between two accounts, outside the books; all legs or none.
//!
//! A taker accepts a quote that a maker signed at his request, or both sign a block that they
//! agreed on elsewhere. Nobody else sees the price before: so it must lie in the bands of both
//! sides.

use alloc::vec::Vec;

use crate::accounts::add_cash;
use crate::arena::NO_SLOT;
use crate::breakers;
use crate::debts;
use crate::events::{BlockTraded, Filled, QuoteAccepted};
use crate::fees;
use crate::identifiers::instrument_slot;
use crate::leg_commands::{AcceptQuote, BlockTrade, Leg, Legs};
use crate::limits::{
    FEE_ACCOUNT, ORDER_LOTS_MAX, ORDER_VALUE_ATOMS_MAX, PRICE_TICKS_BITS, Reject, Side,
};
use crate::margin::{self, Change, Exposure};
use crate::margin_modes::instruments_max;
use crate::matching::fee_up;
use crate::order_terms::{check_instrument, is_in_band, is_in_stale_band};
use crate::position_limits;
use crate::positions::{
    find_position, is_linear, mark_atoms, open_position, release_position, trade,
};
use crate::prices::is_combo;
use crate::records::{account, instrument, node, position, risk_array};
use crate::rules::Rules;
use crate::store::Store;
use crate::trie::INSTRUMENT_DEPTH;
use crate::world::World;

/// What one of the two takes of a leg: signed lots, their value, the fee. Atoms.
#[derive(Clone, Copy, Debug)]
struct Share {
    instrument: u32,
    lots: i64,
    value_atoms: i128,
    fee_atoms: u64,
}

/// A trade of several legs: who takes, who makes, and the highest fee that each accepts.
#[derive(Clone, Copy, Debug)]
struct Deal<'a> {
    taker: u32,
    taker_nonce: u64,
    taker_max_fee_ppm: u32,
    maker: u32,
    maker_max_fee_ppm: u32,
    legs: Legs<'a>,
    is_block: bool,
}

/// Trade all legs of a quote between its maker and who accepts it.
///
/// Rejects COUNTERPARTY_INVALID if the quote is for another account or of the same one; then in the
/// order of `check_deal`.
pub fn accept_quote<S: Store>(world: &mut World<S>, command: &AcceptQuote) -> Result<(), Reject> {
    let quote = &command.quote;
    let is_for_taker = quote.taker == 0 || quote.taker == command.account;
    if !is_for_taker || quote.account == command.account {
        return Err(Reject::CounterpartyInvalid);
    }
    let deal = Deal {
        taker: command.account,
        taker_nonce: command.nonce,
        taker_max_fee_ppm: command.max_fee_ppm,
        maker: quote.account,
        maker_max_fee_ppm: quote.max_fee_ppm,
        legs: quote.legs,
        is_block: false,
    };
    check_deal(world, &deal)?;
    QuoteAccepted {
        taker_account: command.account,
        taker_nonce: command.nonce,
        maker_account: quote.account,
        maker_nonce: quote.nonce,
    }
    .encode(world.events);
    settle(world, &deal);
    Ok(())
}

/// Trade all legs of a block between the two who signed it.
///
/// Rejects COUNTERPARTY_INVALID if both are one account; then in the order of `check_deal`.
pub fn block_trade<S: Store>(world: &mut World<S>, command: &BlockTrade) -> Result<(), Reject> {
    if command.maker_account == command.account {
        return Err(Reject::CounterpartyInvalid);
    }
    let deal = Deal {
        taker: command.account,
        taker_nonce: command.nonce,
        taker_max_fee_ppm: command.max_fee_ppm,
        maker: command.maker_account,
        maker_max_fee_ppm: command.max_fee_ppm,
        legs: command.legs,
        is_block: true,
    };
    check_deal(world, &deal)?;
    BlockTraded {
        taker_account: command.account,
        taker_nonce: command.nonce,
        maker_account: command.maker_account,
        maker_nonce: command.maker_nonce,
    }
    .encode(world.events);
    settle(world, &deal);
    Ok(())
}

/// Check the legs one by one, then room and margin of both accounts.
fn check_deal<S: Store>(world: &World<S>, deal: &Deal) -> Result<(), Reject> {
    for leg in deal.legs.iter() {
        check_leg(world, &leg, deal)?;
    }
    let both = [(deal.taker, shares(world, deal, true)), (deal.maker, shares(world, deal, false))];
    let mut opened = 0;
    for (owner, shares) in &both {
        opened += check_room(world, *owner, shares)?;
    }
    if deal.legs.iter().any(|leg| is_too_open(world, deal, &leg)) {
        return Err(Reject::OpenInterestLimit);
    }
    if !world.has_room(position::ARENA, opened)
        || !world.has_room(node::ARENA, opened * INSTRUMENT_DEPTH)
    {
        return Err(Reject::ArenaFull);
    }
    if is_stopped(world, deal.taker, &both[0].1) {
        return Err(Reject::BreakerTripped);
    }
    for (owner, shares) in &both {
        check_margin(world, *owner, shares)?;
    }
    let is_in_debt = both.iter().any(|(owner, shares)| is_beyond_debt(world, *owner, shares));
    if is_in_debt { Err(Reject::DebtLimit) } else { Ok(()) }
}

/// Check instrument, price, size, value, fees and state of one leg, by themselves.
fn check_leg<S: Store>(world: &World<S>, leg: &Leg, deal: &Deal) -> Result<(), Reject> {
    check_instrument(world, leg.instrument)?;
    let (slot, lots) = (instrument_slot(leg.instrument), leg.taker_lots.unsigned_abs());
    if is_combo(world, slot) {
        return Err(Reject::KindNotSupported);
    }
    if leg.price_ticks == 0 || leg.price_ticks >> PRICE_TICKS_BITS != 0 {
        return Err(Reject::PriceOutOfRange);
    }
    if !(1..=ORDER_LOTS_MAX).contains(&lots) {
        return Err(Reject::LotsOutOfRange);
    }
    if deal.is_block && lots < world.instrument(slot, instrument::BLOCK_LOTS_MIN) {
        return Err(Reject::BlockTooSmall);
    }
    let tick_value_atoms = world.instrument(slot, instrument::TICK_VALUE_ATOMS);
    // 2^24 · 2^40 · 2^64 at most: fits 128 bits.
    let value = leg.price_ticks as u128 * lots as u128 * tick_value_atoms as u128;
    if value > ORDER_VALUE_ATOMS_MAX as u128 {
        return Err(Reject::ValueOutOfRange);
    }
    if fees::taker_fee_ppm(world, deal.taker, slot) > deal.taker_max_fee_ppm
        || fees::maker_fee_ppm(world, deal.maker, slot) > deal.maker_max_fee_ppm
    {
        return Err(Reject::FeeAboveMax);
    }
    if world.risk_array(slot, risk_array::MARKED_NS) == 0 {
        return Err(Reject::MarkMissing);
    }
    let is_in_both_bands =
        [Side::Buy, Side::Sell].iter().all(|&side| is_in_band(world, slot, side, leg.price_ticks));
    let is_shrinking = shrinks_both(world, deal, slot, leg.taker_lots);
    let is_near = is_shrinking || is_in_stale_band(world, slot, leg.price_ticks);
    if !is_in_both_bands || !is_near {
        return Err(Reject::PriceOutsideBand);
    }
    let rules = Rules::of(world, slot);
    let is_taken = rules.any_order || is_shrinking;
    if rules.trades && is_taken { Ok(()) } else { Err(Reject::InstrumentState) }
}

/// Return whether the leg only reduces what taker and maker hold.
fn shrinks_both<S: Store>(world: &World<S>, deal: &Deal, slot: u32, taker_lots: i64) -> bool {
    position_limits::shrinks(world, deal.taker, slot, taker_lots)
        && position_limits::shrinks(world, deal.maker, slot, -taker_lots)
}

/// Return what one of the two takes of each leg.
fn shares<S: Store>(world: &World<S>, deal: &Deal, is_taker: bool) -> Vec<Share> {
    let share_of = |leg: Leg| {
        let slot = instrument_slot(leg.instrument);
        let lots = if is_taker { leg.taker_lots } else { -leg.taker_lots };
        let tick_value_atoms = world.instrument(slot, instrument::TICK_VALUE_ATOMS);
        let value_atoms = leg.price_ticks as i128 * lots as i128 * tick_value_atoms as i128;
        let fee_ppm = if is_taker {
            fees::taker_fee_ppm(world, deal.taker, slot)
        } else {
            fees::maker_fee_ppm(world, deal.maker, slot)
        };
        let fee_atoms = fee_up(value_atoms.unsigned_abs(), fee_ppm);
        Share { instrument: slot, lots, value_atoms, fee_atoms }
    };
    deal.legs.iter().map(share_of).collect()
}

/// Check what an account may hold; return how many position records it lacks for its legs.
fn check_room<S: Store>(world: &World<S>, owner: u32, shares: &[Share]) -> Result<u32, Reject> {
    let is_missing = |share: &&Share| find_position(world, owner, share.instrument) == NO_SLOT;
    let missing = shares.iter().filter(is_missing).count() as u32;
    let held = world.account(owner, account::POSITIONS_COUNT);
    if (held + missing) as u64 > instruments_max(world, owner) {
        return Err(Reject::InstrumentLimit);
    }
    if shares.iter().any(|share| is_beyond_reach(world, owner, share)) {
        return Err(Reject::PositionLimit);
    }
    Ok(missing)
}

/// Return whether position and orders of the leg's side would come to more than an account may
/// hold.
fn is_beyond_reach<S: Store>(world: &World<S>, owner: u32, share: &Share) -> bool {
    position_limits::is_taking_beyond_reach(world, owner, share.instrument, share.lots)
}

/// Return whether open interest of the leg's instrument would grow beyond its limit.
fn is_too_open<S: Store>(world: &World<S>, deal: &Deal, leg: &Leg) -> bool {
    let (slot, lots) = (instrument_slot(leg.instrument), leg.taker_lots);
    let grown = position_limits::long_growth(world, deal.taker, slot, lots)
        + position_limits::long_growth(world, deal.maker, slot, -lots);
    position_limits::is_too_open(world, slot, grown)
}

/// Return whether a breaker stops the deal: its taker may only shrink what he holds.
fn is_stopped<S: Store>(world: &World<S>, taker: u32, shares: &[Share]) -> bool {
    shares.iter().any(|share| {
        breakers::is_tripped(world, share.instrument)
            && !position_limits::shrinks(world, taker, share.instrument, share.lots)
    })
}

/// Return whether each leg shrinks what is held, or all of them leave no scenario worse.
fn is_reducing<S: Store>(world: &World<S>, owner: u32, shares: &[Share]) -> bool {
    let mut legs = shares.iter();
    if legs.all(|share| position_limits::shrinks(world, owner, share.instrument, share.lots)) {
        return true;
    }
    let before = margin::portfolio(world, owner, &[]);
    margin::is_reducing(world, &before, &changes(shares), cost_atoms(world, shares))
}

/// Return whether premiums and fees of the legs make too large a debt, and the legs do not reduce.
fn is_beyond_debt<S: Store>(world: &World<S>, owner: u32, shares: &[Share]) -> bool {
    let outflow_of = |share: &Share| {
        let premium = if is_linear(world, share.instrument) { 0 } else { share.value_atoms };
        premium + share.fee_atoms as i128
    };
    debts::is_beyond_limit(world, owner, shares.iter().map(outflow_of).sum())
        && !is_reducing(world, owner, shares)
}

fn side_of(lots: i64) -> Side {
    if lots > 0 { Side::Buy } else { Side::Sell }
}

/// Check that margin lets an account take all legs: ACCOUNT_INSOLVENT, INSUFFICIENT_MARGIN.
fn check_margin<S: Store>(world: &World<S>, owner: u32, shares: &[Share]) -> Result<(), Reject> {
    margin::check_trade(world, owner, &changes(shares), cost_atoms(world, shares))
}

fn changes(shares: &[Share]) -> Vec<Change> {
    let change_of = |share: &Share| Change {
        instrument: share.instrument,
        exposure: Exposure::of_lots(share.lots),
    };
    shares.iter().map(change_of).collect()
}

/// Return what equity loses by the legs: prices against marks (negative when better), fees.
fn cost_atoms<S: Store>(world: &World<S>, shares: &[Share]) -> i128 {
    let cost_of = |share: &Share| {
        let marked_atoms = share.lots as i128 * mark_atoms(world, share.instrument) as i128;
        share.value_atoms - marked_atoms + share.fee_atoms as i128
    };
    shares.iter().map(cost_of).sum()
}

/// Trade the legs; nothing can be refused any more.
fn settle<S: Store>(world: &mut World<S>, deal: &Deal) {
    let (taken, made) = (shares(world, deal, true), shares(world, deal, false));
    for (leg, (taken, made)) in deal.legs.iter().zip(taken.iter().zip(&made)) {
        trade_share(world, deal.taker, taken);
        trade_share(world, deal.maker, made);
        let fees_atoms = taken.fee_atoms as i128 + made.fee_atoms as i128;
        add_cash(world, FEE_ACCOUNT as u32, fees_atoms);
        Filled {
            instrument: leg.instrument,
            price_ticks: leg.price_ticks,
            lots: leg.taker_lots.unsigned_abs(),
            maker_order: 0,
            maker_account: deal.maker,
            taker_account: deal.taker,
            taker_side: side_of(leg.taker_lots) as u8,
            maker_fee_atoms: made.fee_atoms,
            taker_fee_atoms: taken.fee_atoms,
            taker_nonce: deal.taker_nonce,
        }
        .encode(world.events);
    }
}

fn trade_share<S: Store>(world: &mut World<S>, owner: u32, share: &Share) {
    let held = match find_position(world, owner, share.instrument) {
        NO_SLOT => open_position(world, owner, share.instrument),
        held => held,
    };
    trade(world, held, share.lots, share.value_atoms);
    add_cash(world, owner, -(share.fee_atoms as i128));
    release_position(world, held);
}
