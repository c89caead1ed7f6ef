//! Matching: an order that arrives, the taker, trades with those that rest, the makers.
//!
//! It meets the best price first, and at one price the oldest order, and trades at the maker's
//! price. A maker that may not trade is taken out of its way: an order that is over, one of the
//! taker's own, one whose protection has no room, one that would no longer reduce, one whose
//! account cannot pay. A command looks at a bounded number of makers; what is left of the taker
//! then is cancelled.

use alloc::vec::Vec;

use crate::accounts::add_cash;
use crate::backing::{Burden, Effort, burden_of, can_bear, is_free};
use crate::book;
use crate::combos;
use crate::commands::REDUCE_ONLY_FLAG;
use crate::events::Filled;
use crate::fees;
use crate::identifiers::{instrument_id, order_id};
use crate::ladder;
use crate::limits::{
    FEE_ACCOUNT, FILLS_PER_COMMAND_MAX, FRACTION_ONE_PPM, Removal, SelfTradePrevention, Side,
};
use crate::positions::release_position;
use crate::prices::value_per_lot;
use crate::protections;
use crate::records::{account, global, instrument, level, order, position};
use crate::rounding::ceil_div;
use crate::store::Store;
use crate::world::World;

/// An order on its way into the book. `lots` counts down.
#[derive(Clone, Debug)]
pub struct Taker {
    pub account: u32,
    pub position: u32,
    pub instrument: u32,
    pub side: Side,
    pub price_ticks: u32,
    pub lots: u64,
    pub max_fee_ppm: u32,
    pub nonce: u64,
    pub self_trade_prevention: SelfTradePrevention,
    pub group: u16,
    /// A self-trade cancelled what is left.
    pub is_cancelled: bool,
    /// It meets no order of the account's owner, whichever account of his it stands in.
    pub is_liquidation: bool,
    /// Of a fill-or-kill order: those whose accounts cannot pay for their fills.
    pub refused: Option<Vec<u32>>,
    pub effort: Effort,
    /// It may look at no more makers' equity, and met another one.
    pub is_effort_spent: bool,
}

/// Fill the taker against the book; return what took the rest of it away, if something did.
pub fn match_taker<S: Store>(world: &mut World<S>, taker: &mut Taker) -> Option<Removal> {
    for _ in 0..FILLS_PER_COMMAND_MAX {
        match next_maker(world, taker) {
            Some(maker) if taker.lots > 0 => meet(world, taker, maker),
            _ => return None,
        }
        if taker.is_cancelled {
            return Some(Removal::SelfTrade);
        }
        if taker.is_effort_spent {
            return Some(Removal::FillLimit);
        }
    }
    let is_cut_short = taker.lots > 0 && next_maker(world, taker).is_some();
    is_cut_short.then_some(Removal::FillLimit)
}

/// Return the first order that the taker's limit crosses.
fn next_maker<S: Store>(world: &mut World<S>, taker: &Taker) -> Option<u32> {
    let side = taker.side as u8;
    let best = ladder::best_level(world, taker.instrument, ladder::opposite(side));
    let is_met = best != 0
        && ladder::crosses(side, taker.price_ticks, world.level(best, level::PRICE_TICKS));
    is_met.then(|| world.level(best, level::HEAD))
}

/// Fill against one maker, or remove it if it may not trade.
fn meet<S: Store>(world: &mut World<S>, taker: &mut Taker, maker: u32) {
    let held = world.order(maker, order::POSITION);
    let lots = taker.lots.min(tradable_lots(world, maker));
    if ladder::is_over(world, maker) {
        remove_over(world, maker);
    } else if may_not_meet(world, taker, maker) {
        prevent_self_trade(world, taker, maker);
    } else if lots == 0 {
        remove_untradable(world, maker);
    } else {
        fill_if_backed(world, taker, maker, lots);
    }
    if held != taker.position {
        release_position(world, held);
    }
}

/// Remove an order that has ended and say what ended it.
pub fn remove_over<S: Store>(world: &mut World<S>, slot: u32) {
    let is_dead = ladder::is_dead(world, slot);
    let removal = if is_dead { ladder::end_of(world, slot) } else { Removal::Expired };
    book::remove_order(world, slot, removal);
}

/// Return whether the taker may not trade with an order: see `is_one_trader`.
pub fn is_self_trade<S: Store>(world: &World<S>, taker: &Taker, maker: u32) -> bool {
    is_one_trader(world, taker.account, taker.group, maker)
}

/// Return whether the taker may not trade with an order: nobody with himself.
///
/// And least of all by his own liquidation, which he could buy back at its worst price.
pub fn may_not_meet<S: Store>(world: &World<S>, taker: &Taker, maker: u32) -> bool {
    if !taker.is_liquidation {
        return is_self_trade(world, taker, maker);
    }
    let owner = world.account(taker.account, account::OWNER);
    owner == world.account(world.order(maker, order::ACCOUNT), account::OWNER)
}

/// Return whether an order is of the same account, or of the same owner and group other than 0.
pub fn is_one_trader<S: Store>(world: &World<S>, account: u32, group: u16, other: u32) -> bool {
    let other_account = world.order(other, order::ACCOUNT);
    if other_account == account {
        return true;
    }
    let owner = world.account(account, account::OWNER);
    let is_same_owner = owner == world.account(other_account, account::OWNER);
    group != 0 && group == world.order(other, order::GROUP) && is_same_owner
}

/// Do what the taker's mode says instead of a trade with oneself.
fn prevent_self_trade<S: Store>(world: &mut World<S>, taker: &mut Taker, maker: u32) {
    let mode = taker.self_trade_prevention;
    if mode == SelfTradePrevention::Decrement {
        let lots = taker.lots.min(world.order(maker, order::LOTS_REMAINING));
        taker.lots -= lots;
        book::decrement_order(world, maker, lots, Removal::SelfTrade);
        return;
    }
    taker.is_cancelled = mode != SelfTradePrevention::CancelMaker;
    if mode != SelfTradePrevention::CancelTaker {
        book::remove_order(world, maker, Removal::SelfTrade);
    }
}

/// Return the lots that a resting order may trade.
///
/// Reduce-only, what it can reduce; under a protection, what that has room for.
pub fn tradable_lots<S: Store>(world: &World<S>, maker: u32) -> u64 {
    let mut lots = world.order(maker, order::LOTS_REMAINING);
    if world.order(maker, order::FLAGS) & REDUCE_ONLY_FLAG != 0 {
        let held_lots = world.position(world.order(maker, order::POSITION), position::LOTS);
        lots = lots.min(reducible_lots(held_lots, world.order(maker, order::SIDE)));
    }
    protections::room_lots(world, maker).map_or(lots, |room| lots.min(room))
}

/// Remove an order of which not one lot may trade, and freeze its protection if that is why.
pub fn remove_untradable<S: Store>(world: &mut World<S>, maker: u32) {
    if protections::room_lots(world, maker) == Some(0) {
        let protection = protections::of_order(world, maker);
        protections::freeze(world, protection);
        book::remove_order(world, maker, Removal::Protection);
    } else {
        book::remove_order(world, maker, Removal::ReduceOnly);
    }
}

/// Trade, unless that would cost the maker what its account cannot pay: then its order goes.
fn fill_if_backed<S: Store>(world: &mut World<S>, taker: &mut Taker, maker: u32, lots: u64) {
    let burden = burden_at(world, maker, lots, world.order(maker, order::PRICE_TICKS));
    let is_backed = if let Some(refused) = &taker.refused {
        !refused.contains(&maker)
    } else if is_free(world, maker, burden) {
        true
    } else if taker.effort.is_spent() {
        taker.is_effort_spent = true;
        return;
    } else {
        can_bear(world, maker, burden, &mut taker.effort, Burden::default())
    };
    if is_backed {
        fill(world, taker, maker, lots);
    } else {
        book::remove_order(world, maker, Removal::Unbacked);
    }
}

/// Return what a fill of a resting order at a price would be to its account.
pub fn burden_at<S: Store>(world: &World<S>, slot: u32, lots: u64, price_ticks: u32) -> Burden {
    let instrument = world.order(slot, order::INSTRUMENT);
    let value_atoms = value_per_lot(world, instrument, price_ticks) * lots as i128;
    let fee_atoms = maker_fee_up(world, slot, value_atoms);
    burden_of(world, slot, lots, price_ticks, fee_atoms)
}

/// Return by how many lots an order of a side can shrink a position; 0 if it would grow it.
pub fn reducible_lots(position_lots: i64, side: u8) -> u64 {
    let lots = if side == Side::Buy as u8 { -position_lots } else { position_lots };
    lots.max(0) as u64
}

/// Trade lots at the maker's price: positions, value, fees, and the maker's remaining order.
fn fill<S: Store>(world: &mut World<S>, taker: &mut Taker, maker: u32, lots: u64) {
    let instrument = taker.instrument;
    let price_ticks = world.order(maker, order::PRICE_TICKS);
    let maker_account = world.order(maker, order::ACCOUNT);
    let per_lot = value_per_lot(world, instrument, price_ticks);
    let value_atoms = per_lot * lots as i128;
    let taker_fee_ppm = fees::taker_fee_ppm(world, taker.account, instrument);
    let maker_fee_atoms = maker_fee_up(world, maker, value_atoms);
    let taker_fee_atoms = fee_up(value_atoms.unsigned_abs(), taker_fee_ppm.min(taker.max_fee_ppm));
    let (bought, value) = match taker.side {
        Side::Buy => (lots as i64, value_atoms),
        Side::Sell => (-(lots as i64), -value_atoms),
    };
    combos::trade_position(world, taker.position, bought, value);
    combos::trade_position(world, world.order(maker, order::POSITION), -bought, -value);
    add_cash(world, taker.account, -(taker_fee_atoms as i128));
    add_cash(world, maker_account, -(maker_fee_atoms as i128));
    add_cash(world, FEE_ACCOUNT as u32, maker_fee_atoms as i128 + taker_fee_atoms as i128);
    world.set_instrument(instrument, instrument::LAST_PRICE_TICKS, price_ticks);
    world.set_instrument(instrument, instrument::ACTIVE_NS, world.header(global::WINDOW_NS));
    taker.lots -= lots;
    Filled {
        instrument: instrument_id(instrument, world.instrument(instrument, instrument::GENERATION)),
        price_ticks,
        lots,
        maker_order: order_id(maker, world.order(maker, order::GENERATION)),
        maker_account,
        taker_account: taker.account,
        taker_side: taker.side as u8,
        maker_fee_atoms,
        taker_fee_atoms,
        taker_nonce: taker.nonce,
    }
    .encode(world.events);
    combos::emit_legs(world, instrument, (taker.account, maker_account), bought, per_lot);
    take_filled(world, maker, lots);
}

/// Take traded lots out of a resting order, and the order out of the book if it is done.
pub fn take_filled<S: Store>(world: &mut World<S>, slot: u32, lots: u64) {
    book::reduce_order(world, slot, lots);
    protections::count_trade(world, slot, lots);
    if world.order(slot, order::LOTS_REMAINING) == 0 {
        book::unlink_order(world, slot);
    } else if ladder::is_dead(world, slot) {
        book::remove_order(world, slot, Removal::Protection);
    } else if tradable_lots(world, slot) == 0 {
        book::remove_order(world, slot, Removal::ReduceOnly);
    }
}

/// Return what a resting order pays for a fill of this value. Rounds up.
pub fn maker_fee_up<S: Store>(world: &World<S>, slot: u32, value_atoms: i128) -> u64 {
    let (account, instrument) =
        (world.order(slot, order::ACCOUNT), world.order(slot, order::INSTRUMENT));
    let fee_ppm = fees::maker_fee_ppm(world, account, instrument);
    fee_up(value_atoms.unsigned_abs(), fee_ppm.min(world.order(slot, order::MAX_FEE_PPM)))
}

/// Return a fee in atoms. Rounds up: against the account.
pub fn fee_up(value_atoms: u128, fee_ppm: u32) -> u64 {
    let fee = ceil_div(value_atoms * fee_ppm as u128, FRACTION_ONE_PPM as u128);
    u64::try_from(fee).expect("an order's value is below 2^56 and a fee at most all of it")
}
