//! States and modes: what the governor lets a book take, how it trades, and when it has ended.
//!
//! A state says which orders a book takes and whether they trade (`rules` has the table); a mode
//! says how they trade, at once, behind a speed bump, or in auctions.

use crate::arena::NO_SLOT;
use crate::book;
use crate::commands::ListInstrument;
use crate::events::InstrumentChanged;
use crate::funding;
use crate::governance_commands::SetInstrument;
use crate::identifiers::{instrument_id, instrument_slot};
use crate::ladder;
use crate::limits::{
    AUCTION_INTERVAL_MS_MAX, AuctionPhase, InstrumentKind, InstrumentMode, InstrumentState,
    NS_PER_MS, Reject, SPEED_BUMP_MS_MAX,
};
use crate::liquidation_events::DeleveragingEnded;
use crate::listing::{find_listed, list_instrument};
use crate::prices::legs_of;
use crate::records::{deleveraging, global, instrument, underlying};
use crate::rules::{Rules, trades_at_once};
use crate::store::Store;
use crate::world::World;

/// Return the slot of an instrument that is listed under exactly this identifier, or 0.
pub fn find_instrument<S: Store>(world: &World<S>, identifier: u32) -> u32 {
    let slot = instrument_slot(identifier);
    let is_it = world.contains(instrument::ARENA, slot)
        && identifier >> 16 == world.instrument(slot, instrument::GENERATION) & 0xffff
        && world.instrument(slot, instrument::KIND) != 0;
    if is_it { slot } else { NO_SLOT }
}

/// Return whether the book is at its end, by its state or by time.
pub fn is_expired<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.instrument(slot, instrument::STATE) == InstrumentState::Expired as u8
        || is_time_over(world, slot)
}

fn is_time_over<S: Store>(world: &World<S>, slot: u32) -> bool {
    let expiry_ns = world.instrument(slot, instrument::EXPIRY_NS);
    0 < expiry_ns && expiry_ns <= world.header(global::WINDOW_NS)
}

/// Return whether nobody can list the same again: its time is over or, a combo's, a leg has ended.
pub fn is_past<S: Store>(world: &World<S>, slot: u32) -> bool {
    is_time_over(world, slot)
        || legs_of(world, slot).iter().any(|leg| is_expired(world, leg.instrument))
}

/// Return whether state and mode are those of a new listing.
pub fn is_as_listed<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.instrument(slot, instrument::STATE) == InstrumentState::Open as u8
        && world.instrument(slot, instrument::MODE) == InstrumentMode::Continuous as u8
}

/// Return whether a book is at its end for ever: itself or, a combo's, a leg of it.
pub fn has_ended<S: Store>(world: &World<S>, slot: u32) -> bool {
    is_expired(world, slot)
        || legs_of(world, slot).iter().any(|leg| is_expired(world, leg.instrument))
}

/// Return whether trades may happen in the state of a book: for a combo, in its legs too.
pub fn trades<S: Store>(world: &World<S>, slot: u32) -> bool {
    Rules::of(world, slot).trades && are_legs_open(world, slot)
}

/// Return whether each leg of a combo may be traded in any direction; other instruments have none.
#[inline]
fn are_legs_open<S: Store>(world: &World<S>, slot: u32) -> bool {
    legs_of(world, slot).iter().all(|leg| {
        let rules = Rules::of(world, leg.instrument);
        rules.trades && rules.any_order
    })
}

/// Return whether orders rest for an auction, even where they reach each other.
pub fn gathers<S: Store>(world: &World<S>, slot: u32) -> bool {
    let rules = Rules::of(world, slot);
    (rules.any_order || rules.trades) && !trades_at_once(world, slot)
}

/// What an order is to the state of its book.
#[derive(Clone, Copy, Debug)]
pub struct Entering {
    pub is_post_only: bool,
    pub is_reduce_only: bool,
    pub is_immediate: bool,
}

/// Check that state, mode and a running auction let an order in, or return INSTRUMENT_STATE.
///
/// Nor does a combo of which a leg is not open.
#[inline]
pub fn check_order<S: Store>(
    world: &World<S>,
    slot: u32,
    entering: Entering,
) -> Result<(), Reject> {
    let rules = Rules::of(world, slot);
    let is_allowed = rules.any_order
        || rules.post_only && entering.is_post_only
        || rules.reduce_only && entering.is_reduce_only;
    let phase = world.instrument(slot, instrument::AUCTION_PHASE);
    let is_busy = phase != AuctionPhase::None as u8;
    let is_too_early = entering.is_immediate && !trades_at_once(world, slot);
    if !is_allowed || is_busy || is_too_early || !are_legs_open(world, slot) {
        return Err(Reject::InstrumentState);
    }
    Ok(())
}

/// Change state and mode of a book, and list it first if it is a place where nothing is listed.
///
/// Rejects INSTRUMENT_NOT_FOUND of a number, UNDERLYING_NOT_FOUND of a place; INSTRUMENT_EXPIRED
/// for one that is at its end; PARAMETERS_INVALID for a wait above its limit, a mode without the
/// time that it needs, or a number and a place at once; as ListInstrument where nothing is listed.
pub fn set_instrument<S: Store>(
    world: &mut World<S>,
    command: &SetInstrument,
) -> Result<(), Reject> {
    let SetInstrument { kind, expiry_ns, strike_atoms, .. } = *command;
    let place = ListInstrument { underlying: command.underlying, kind, expiry_ns, strike_atoms };
    let mut slot = find_named(world, command, &place)?;
    if slot != NO_SLOT && is_expired(world, slot) {
        return Err(Reject::InstrumentExpired);
    }
    if !is_sound(command) {
        return Err(Reject::ParametersInvalid);
    }
    if slot == NO_SLOT {
        list_instrument(world, &place)?;
        slot = find_listed(world, &place);
    }
    change(world, slot, command);
    Ok(())
}

/// Return the slot of what a number or a place names, nothing for a place that is not listed.
fn find_named<S: Store>(
    world: &World<S>,
    command: &SetInstrument,
    place: &ListInstrument,
) -> Result<u32, Reject> {
    if command.kind == InstrumentKind::Combo {
        return match find_instrument(world, command.instrument) {
            NO_SLOT => Err(Reject::InstrumentNotFound),
            slot => Ok(slot),
        };
    }
    if !world.contains(underlying::ARENA, command.underlying) {
        return Err(Reject::UnderlyingNotFound);
    }
    Ok(find_listed(world, place))
}

/// Set state and mode; a book that now trades and is crossed begins an auction.
///
/// A deleveraging of its holders ends with that.
fn change<S: Store>(world: &mut World<S>, slot: u32, command: &SetInstrument) {
    funding::accrue(world, slot);
    let SetInstrument { state, mode, speed_bump_ms, auction_interval_ms, .. } = *command;
    world.set_instrument(slot, instrument::STATE, state as u8);
    world.set_instrument(slot, instrument::MODE, mode as u8);
    world.set_instrument(slot, instrument::SPEED_BUMP_MS, speed_bump_ms);
    world.set_instrument(slot, instrument::AUCTION_INTERVAL_MS, auction_interval_ms);
    let next_ns = match auction_interval_ms {
        0 => 0,
        interval_ms => world.header(global::WINDOW_NS) + interval_ms as u64 * NS_PER_MS,
    };
    world.set_instrument(slot, instrument::AUCTION_NEXT_NS, next_ns);
    let is_begun = trades_at_once(world, slot) && ladder::is_crossed(world, slot);
    let phase = if is_begun { AuctionPhase::Pricing } else { AuctionPhase::None };
    book::restart_auction(world, slot, phase);
    if world.instrument(slot, instrument::DELEVERAGING) != NO_SLOT {
        end_deleveraging(world, slot);
    }
    emit_changed(world, slot);
}

/// Tell state and mode of a book.
pub fn emit_changed<S: Store>(world: &mut World<S>, slot: u32) {
    InstrumentChanged {
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        state: world.instrument(slot, instrument::STATE),
        mode: world.instrument(slot, instrument::MODE),
        speed_bump_ms: world.instrument(slot, instrument::SPEED_BUMP_MS),
        auction_interval_ms: world.instrument(slot, instrument::AUCTION_INTERVAL_MS),
        phase: world.instrument(slot, instrument::AUCTION_PHASE),
    }
    .encode(world.events);
}

/// End a deleveraging, and let the book be again what it was before.
pub fn reopen<S: Store>(world: &mut World<S>, slot: u32) {
    let running = world.instrument(slot, instrument::DELEVERAGING);
    if world.instrument(slot, instrument::STATE) == InstrumentState::Halted as u8 {
        let state = world.deleveraging(running, deleveraging::STATE_BEFORE);
        world.set_instrument(slot, instrument::STATE, state);
    }
    end_deleveraging(world, slot);
    emit_changed(world, slot);
}

/// Take the record of a deleveraging away.
pub fn end_deleveraging<S: Store>(world: &mut World<S>, slot: u32) {
    let running = world.instrument(slot, instrument::DELEVERAGING);
    let account = world.deleveraging(running, deleveraging::ACCOUNT);
    world.free(deleveraging::ARENA, running);
    world.set_instrument(slot, instrument::DELEVERAGING, NO_SLOT);
    let instrument = instrument_id(slot, world.instrument(slot, instrument::GENERATION));
    DeleveragingEnded { account, instrument }.encode(world.events);
}

/// Return whether the times are those of the mode, and the book is named in one way.
fn is_sound(command: &SetInstrument) -> bool {
    let fits = |wanted: bool, time_ms: u32, max_ms: u64| match wanted {
        true => (1..=max_ms).contains(&(time_ms as u64)),
        false => time_ms == 0,
    };
    let is_bumped = command.mode == InstrumentMode::SpeedBump;
    let is_batched = command.mode == InstrumentMode::BatchAuction;
    let place = command.underlying as u64 | command.expiry_ns | command.strike_atoms;
    let named_twice = match command.kind {
        InstrumentKind::Combo => place,
        _ => command.instrument as u64,
    };
    fits(is_bumped, command.speed_bump_ms, SPEED_BUMP_MS_MAX)
        && fits(is_batched, command.auction_interval_ms, AUCTION_INTERVAL_MS_MAX)
        && named_twice == 0
}
