//! Fill or kill: walk the book as matching would, without a write, to see whether all would fill.

use alloc::vec::Vec;

use crate::arena::NO_SLOT;
use crate::commands::REDUCE_ONLY_FLAG;
use crate::ladder;
use crate::limits::{FILLS_PER_COMMAND_MAX, SelfTradePrevention, Side};
use crate::matching::{Taker, is_self_trade, reducible_lots};
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
    position_lots: Vec<(u32, i64)>,
    protection_lots: Vec<(u32, u64)>,
}

/// Return whether the book would fill the taker wholly within the bound on fills and removals.
///
/// An own order in the way is passed over if the mode cancels makers; in any other mode it ends the
/// walk, since the taker would lose lots without a trade.
pub fn would_fill<S: Store>(world: &mut World<S>, taker: &Taker) -> bool {
    let mut rehearsal = Rehearsal::default();
    let mut next = first_facing(world, taker);
    for _ in 0..FILLS_PER_COMMAND_MAX {
        let Some(maker) = next else { break };
        if rehearsal.lots_filled == taker.lots {
            break;
        }
        if !ladder::is_over(world, maker) {
            if !is_self_trade(world, taker, maker) {
                rehearse(world, taker, maker, &mut rehearsal);
            } else if taker.self_trade_prevention != SelfTradePrevention::CancelMaker {
                break;
            }
        }
        next = facing_after(world, taker, maker);
    }
    rehearsal.lots_filled == taker.lots
}

/// Fill against one maker on paper; several of its orders share one position.
fn rehearse<S: Store>(world: &World<S>, taker: &Taker, maker: u32, rehearsal: &mut Rehearsal) {
    let slot = world.order(maker, order::POSITION);
    let held_lots = world.position(slot, position::LOTS);
    let index = known_or_added(&mut rehearsal.position_lots, slot, held_lots);
    let held = &mut rehearsal.position_lots[index].1;
    let side = world.order(maker, order::SIDE);
    let remaining = world.order(maker, order::LOTS_REMAINING);
    let mut lots = remaining.min(taker.lots - rehearsal.lots_filled);
    if world.order(maker, order::FLAGS) & REDUCE_ONLY_FLAG != 0 {
        lots = lots.min(reducible_lots(*held, side));
    }
    if let Some(room) = protections::room_lots(world, maker) {
        let protection = protections::of_order(world, maker);
        let index = known_or_added(&mut rehearsal.protection_lots, protection, room);
        let left = &mut rehearsal.protection_lots[index].1;
        lots = lots.min(*left);
        *left -= lots;
    }
    *held += if side == Side::Buy as u8 { lots as i64 } else { -(lots as i64) };
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
