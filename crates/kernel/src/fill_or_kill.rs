//! Fill or kill: all of an order at once, or nothing.
//!
//! The book is walked as matching would walk it, with nothing written, to see whether all would
//! fill.

use alloc::vec::Vec;

use crate::arena::NO_SLOT;
use crate::backing::{Burden, Effort, can_bear, is_free};
use crate::commands::REDUCE_ONLY_FLAG;
use crate::ladder;
use crate::limits::{FILLS_PER_COMMAND_MAX, SelfTradePrevention};
use crate::matching::{Taker, burden_at, is_self_trade, reducible_lots};
use crate::protections;
use crate::records::{order, position};
use crate::store::Store;
use crate::world::World;

/// What matching would have done so far: lots filled, and how makers would stand.
///
/// A protection's room is in lots of the instrument at hand.
#[derive(Default)]
struct Rehearsal {
    lots_filled: u64,
    is_stopped: bool,
    effort: Effort,
    refused: Vec<u32>,
    burdens: Vec<(u32, Burden)>,
    position_lots: Vec<(u32, i64)>,
    protection_lots: Vec<(u32, u64)>,
}

/// Return the orders on the taker's way whose accounts could not pay for their fills.
///
/// None if the others would not fill all of it within the bound on fills and removals.
pub fn rehearse<S: Store>(world: &mut World<S>, taker: &Taker) -> Option<Vec<u32>> {
    let rehearsal = walk(world, taker);
    (rehearsal.lots_filled == taker.lots).then_some(rehearsal.refused)
}

/// Walk the book as the taker would.
///
/// An own order in the way is passed over if the mode cancels makers; in any other mode it ends the
/// walk, since the taker would lose lots without a trade.
fn walk<S: Store>(world: &mut World<S>, taker: &Taker) -> Rehearsal {
    let mut rehearsal = Rehearsal::default();
    let mut next = first_facing(world, taker);
    for _ in 0..FILLS_PER_COMMAND_MAX {
        let Some(maker) = next else { break };
        if rehearsal.lots_filled == taker.lots || rehearsal.is_stopped {
            break;
        }
        if !ladder::is_over(world, maker) {
            if !is_self_trade(world, taker, maker) {
                meet(world, taker, maker, &mut rehearsal);
            } else if taker.self_trade_prevention != SelfTradePrevention::CancelMaker {
                break;
            }
        }
        next = facing_after(world, taker, maker);
    }
    rehearsal
}

/// Fill against one maker on paper; several of its orders share one position and one equity.
fn meet<S: Store>(world: &World<S>, taker: &Taker, maker: u32, rehearsal: &mut Rehearsal) {
    let slot = world.order(maker, order::POSITION);
    let held_lots = world.position(slot, position::LOTS);
    let held = known_or_added(&mut rehearsal.position_lots, slot, held_lots);
    let held_lots = rehearsal.position_lots[held].1;
    let remaining = world.order(maker, order::LOTS_REMAINING);
    let mut lots = remaining.min(taker.lots - rehearsal.lots_filled);
    if world.order(maker, order::FLAGS) & REDUCE_ONLY_FLAG != 0 {
        lots = lots.min(reducible_lots(held_lots, world.order(maker, order::SIDE)));
    }
    let room = protections::room_lots(world, maker).map(|room| {
        let protection = protections::of_order(world, maker);
        known_or_added(&mut rehearsal.protection_lots, protection, room)
    });
    if let Some(index) = room {
        lots = lots.min(rehearsal.protection_lots[index].1);
    }
    let account = world.order(maker, order::ACCOUNT);
    let burdened = known_or_added(&mut rehearsal.burdens, account, Burden::default());
    let earlier = rehearsal.burdens[burdened].1;
    let fill = burden_at(world, maker, lots, world.order(maker, order::PRICE_TICKS));
    if !is_free(world, maker, fill) {
        rehearsal.is_stopped = rehearsal.effort.is_spent();
        if rehearsal.is_stopped {
            return;
        }
        if !can_bear(world, maker, fill, &mut rehearsal.effort, earlier) {
            rehearsal.refused.push(maker);
            return;
        }
    }
    if let Some(index) = room {
        rehearsal.protection_lots[index].1 -= lots;
    }
    rehearsal.burdens[burdened].1 = earlier + fill;
    rehearsal.position_lots[held].1 += fill.lots;
    rehearsal.lots_filled += lots;
}

/// Return where a slot stands in a list, put at its end with a first value if it is new.
fn known_or_added<T>(list: &mut Vec<(u32, T)>, slot: u32, first: T) -> usize {
    list.iter().position(|(known, _)| *known == slot).unwrap_or_else(|| {
        list.push((slot, first));
        list.len() - 1
    })
}

/// Return the first order that the taker's limit crosses.
fn first_facing<S: Store>(world: &mut World<S>, taker: &Taker) -> Option<u32> {
    let first = ladder::first(world, taker.instrument, ladder::opposite(taker.side as u8));
    if_crossed(world, taker, first)
}

/// Return the order that the taker would meet after one.
fn facing_after<S: Store>(world: &World<S>, taker: &Taker, maker: u32) -> Option<u32> {
    if_crossed(world, taker, ladder::after(world, maker))
}

fn if_crossed<S: Store>(world: &World<S>, taker: &Taker, maker: u32) -> Option<u32> {
    let is_crossed = maker != NO_SLOT && {
        let ticks = world.order(maker, order::PRICE_TICKS);
        ladder::crosses(taker.side as u8, taker.price_ticks, ticks)
    };
    is_crossed.then_some(maker)
}
