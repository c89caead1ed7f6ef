//! Expiries: the average of the index that settles them, and the end of what is held in them.
//!
//! The settlement price is the index over the 30 minutes before the expiry, weighted with time:
//! each observation counts from when it was published until the next one was, at most as long as it
//! may be old. If observations cover less than 20 of the 30 minutes, the window goes on after the
//! expiry until they do, for 30 minutes at most; then the governor decides. So an expiry settles at
//! last, whatever publishers do, and nobody can choose the moment.

use crate::arena::NO_SLOT;
use crate::arrays::unit_value_at;
use crate::black76::HUNDREDTHS;
use crate::expiry_commands::{SetSettlement, SettleAccount, SettleExpiry};
use crate::expiry_events::ExpirySettled;
use crate::fixed_point::narrow;
use crate::funding;
use crate::insurance;
use crate::limits::{
    INDEX_ATOMS_MAX, ORACLE_AGE_MAX_NS, Reject, SETTLEMENT_EXTENSION_NS, SETTLEMENT_LEAST_NS,
    SETTLEMENT_WINDOW_NS, SETTLEMENTS_PER_COMMAND_MAX,
};
use crate::payoff::Terms;
use crate::positions::{close_settled, is_settled, release_position};
use crate::records::{account, expiry, global, instrument, position, underlying};
use crate::store::Store;
use crate::world::World;

/// Count the index for as long as it stood, in the window of every expiry that it falls into.
///
/// To be called before the index changes to one published at `until_ns`.
pub fn observe<S: Store>(world: &mut World<S>, owner: u32, until_ns: u64) {
    for place in 0..world.underlying(owner, underlying::EXPIRIES_COUNT) {
        let slot = world.underlying(owner, underlying::EXPIRIES.item(place));
        if until_ns <= world.expiry(slot, expiry::EXPIRY_NS) - SETTLEMENT_WINDOW_NS {
            return;
        }
        count(world, slot, until_ns);
    }
}

fn count<S: Store>(world: &mut World<S>, slot: u32, until_ns: u64) {
    let counted_ns = counted_ns(world, slot, until_ns);
    if counted_ns == 0 {
        return;
    }
    let owner = world.expiry(slot, expiry::UNDERLYING);
    let added = world.underlying(owner, underlying::INDEX_ATOMS) as i128 * counted_ns as i128;
    let sum = world.expiry(slot, expiry::SETTLEMENT_SUM) + added;
    world.set_expiry(slot, expiry::SETTLEMENT_SUM, sum);
    let covered_ns = world.expiry(slot, expiry::SETTLEMENT_COVERED_NS) + counted_ns;
    world.set_expiry(slot, expiry::SETTLEMENT_COVERED_NS, covered_ns);
}

/// Return for how long the index counts until a moment: after the expiry only what is missing. ns.
fn counted_ns<S: Store>(world: &World<S>, slot: u32, until_ns: u64) -> u64 {
    let owner = world.expiry(slot, expiry::UNDERLYING);
    let index_ns = world.underlying(owner, underlying::INDEX_NS);
    let expiry_ns = world.expiry(slot, expiry::EXPIRY_NS);
    let end_ns = until_ns.min(index_ns.saturating_add(ORACLE_AGE_MAX_NS));
    let begin_ns = index_ns.max(expiry_ns - SETTLEMENT_WINDOW_NS);
    let before_ns = end_ns.min(expiry_ns).saturating_sub(begin_ns);
    let last_ns = end_ns.min(expiry_ns.saturating_add(SETTLEMENT_EXTENSION_NS));
    let after_ns = last_ns.saturating_sub(begin_ns.max(expiry_ns));
    let covered_ns = world.expiry(slot, expiry::SETTLEMENT_COVERED_NS) + before_ns;
    before_ns + after_ns.min(SETTLEMENT_LEAST_NS.saturating_sub(covered_ns))
}

/// Give an expiry the average of the index as its price, and take it out of curves and surfaces.
///
/// Rounds to nearest, half up.
///
/// Rejects EXPIRY_NOT_FOUND (perpetuals have none that could come); SETTLEMENT_NOT_DUE while an
/// observation from before the expiry could still come; SETTLEMENT_DONE; SETTLEMENT_MISSING if
/// less than 20 minutes are covered.
pub fn settle_expiry<S: Store>(world: &mut World<S>, command: &SettleExpiry) -> Result<(), Reject> {
    let slot = command.expiry;
    check_due(world, slot)?;
    if covered_ns(world, slot) < SETTLEMENT_LEAST_NS {
        return Err(Reject::SettlementMissing);
    }
    count(world, slot, world.expiry(slot, expiry::EXPIRY_NS));
    let sum = world.expiry(slot, expiry::SETTLEMENT_SUM);
    let covered_ns = world.expiry(slot, expiry::SETTLEMENT_COVERED_NS);
    settle(world, slot, narrow(div_nearest(sum, covered_ns)) as u64);
    Ok(())
}

/// Give an expiry the governor's price: only where there is no average, and none can come.
///
/// Rejects OBSERVATION_OUT_OF_RANGE for a price that an index could not have; EXPIRY_NOT_FOUND (or
/// of another date); SETTLEMENT_NOT_DUE; SETTLEMENT_DONE; SETTLEMENT_POSSIBLE if 20 minutes are
/// covered, or may yet be.
pub fn set_settlement<S: Store>(
    world: &mut World<S>,
    command: &SetSettlement,
) -> Result<(), Reject> {
    let (slot, expiry_ns) = (command.expiry, command.expiry_ns);
    if !(1..=INDEX_ATOMS_MAX).contains(&command.price_atoms) {
        return Err(Reject::ObservationOutOfRange);
    }
    let is_known = world.contains(expiry::ARENA, slot);
    if !is_known || world.expiry(slot, expiry::EXPIRY_NS) != expiry_ns {
        return Err(Reject::ExpiryNotFound);
    }
    check_due(world, slot)?;
    let last_ns = expiry_ns.saturating_add(SETTLEMENT_EXTENSION_NS + ORACLE_AGE_MAX_NS);
    let is_covered = covered_ns(world, slot) >= SETTLEMENT_LEAST_NS;
    if is_covered || world.header(global::WINDOW_NS) <= last_ns {
        return Err(Reject::SettlementPossible);
    }
    settle(world, slot, command.price_atoms);
    Ok(())
}

/// Check EXPIRY_NOT_FOUND, SETTLEMENT_DONE, SETTLEMENT_NOT_DUE.
///
/// What was published before the expiry is refused once it is older than observations may be.
fn check_due<S: Store>(world: &World<S>, slot: u32) -> Result<(), Reject> {
    if !world.contains(expiry::ARENA, slot) || world.expiry(slot, expiry::EXPIRY_NS) == 0 {
        return Err(Reject::ExpiryNotFound);
    }
    if world.expiry(slot, expiry::SETTLED_NS) != 0 {
        return Err(Reject::SettlementDone);
    }
    let owner = world.expiry(slot, expiry::UNDERLYING);
    let expiry_ns = world.expiry(slot, expiry::EXPIRY_NS);
    let is_beyond = world.underlying(owner, underlying::INDEX_NS) >= expiry_ns;
    let is_over = world.header(global::WINDOW_NS) > expiry_ns.saturating_add(ORACLE_AGE_MAX_NS);
    if is_beyond || is_over { Ok(()) } else { Err(Reject::SettlementNotDue) }
}

/// Return what is covered once the last index before the expiry has counted to its end.
fn covered_ns<S: Store>(world: &World<S>, slot: u32) -> u64 {
    let expiry_ns = world.expiry(slot, expiry::EXPIRY_NS);
    world.expiry(slot, expiry::SETTLEMENT_COVERED_NS) + counted_ns(world, slot, expiry_ns)
}

fn settle<S: Store>(world: &mut World<S>, slot: u32, price_atoms: u64) {
    world.set_expiry(slot, expiry::SETTLEMENT_ATOMS, price_atoms);
    world.set_expiry(slot, expiry::SETTLED_NS, world.header(global::WINDOW_NS));
    leave_underlying(world, slot);
    ExpirySettled {
        expiry: slot,
        underlying: world.expiry(slot, expiry::UNDERLYING),
        expiry_ns: world.expiry(slot, expiry::EXPIRY_NS),
        settlement_atoms: price_atoms,
        covered_ns: world.expiry(slot, expiry::SETTLEMENT_COVERED_NS),
    }
    .encode(world.events);
}

/// Take an expiry out of the underlying's ascending list, if it is there.
pub fn leave_underlying<S: Store>(world: &mut World<S>, slot: u32) {
    let owner = world.expiry(slot, expiry::UNDERLYING);
    let count = world.underlying(owner, underlying::EXPIRIES_COUNT);
    let listed =
        |world: &World<S>, place| world.underlying(owner, underlying::EXPIRIES.item(place));
    let Some(place) = (0..count).find(|&place| listed(world, place) == slot) else { return };
    let left = count - 1;
    for gap in place..left {
        let following = listed(world, gap + 1);
        world.set_underlying(owner, underlying::EXPIRIES.item(gap), following);
    }
    world.set_underlying(owner, underlying::EXPIRIES.item(left), NO_SLOT);
    world.set_underlying(owner, underlying::EXPIRIES_COUNT, left);
}

/// Return what a lot is worth at a settlement price, for ever: whole ticks, in atoms.
///
/// Rounds to nearest, half up: the price, and what it is worth (a strike may lie between ticks).
pub fn final_mark<S: Store>(world: &World<S>, slot: u32, settlement_atoms: u64) -> i64 {
    let tick_atoms = world.instrument(slot, instrument::TICK_ATOMS);
    let price_ticks = div_nearest(settlement_atoms as i128, tick_atoms);
    let price = price_ticks * tick_atoms as i128 * HUNDREDTHS as i128;
    let value = unit_value_at(&Terms::read(world, slot), narrow(price));
    let ticks = div_nearest(value as i128, tick_atoms * HUNDREDTHS as u64);
    narrow(ticks * world.instrument(slot, instrument::TICK_VALUE_ATOMS) as i128)
}

/// Pay funding and close what has its final mark, and free the records that are empty then.
///
/// What the account owes that holds nothing more is covered, and what was begun for its debts ends.
///
/// Rejects ACCOUNT_NOT_FOUND; CURSOR_INVALID if the cursor is no position of the account;
/// NOTHING_TO_SETTLE if none of the 32 positions from there on changes.
pub fn settle_account<S: Store>(
    world: &mut World<S>,
    command: &SettleAccount,
) -> Result<(), Reject> {
    let SettleAccount { account, cursor } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    if cursor != NO_SLOT && !is_position_of(world, account, cursor) {
        return Err(Reject::CursorInvalid);
    }
    let head = world.account(account, account::POSITIONS_HEAD);
    let mut slot = if cursor == NO_SLOT { head } else { cursor };
    let mut settled = 0;
    for _ in 0..SETTLEMENTS_PER_COMMAND_MAX {
        if slot == NO_SLOT {
            break;
        }
        let next = world.position(slot, position::NEXT_IN_ACCOUNT);
        if is_due(world, slot) {
            close_settled(world, slot);
            funding::settle(world, slot);
            release_position(world, slot);
            settled += 1;
        }
        slot = next;
    }
    if settled == 0 {
        return Err(Reject::NothingToSettle);
    }
    insurance::settle(world, account);
    Ok(())
}

fn is_position_of<S: Store>(world: &World<S>, account: u32, slot: u32) -> bool {
    world.contains(position::ARENA, slot) && world.position(slot, position::ACCOUNT) == account
}

/// Return whether a position has funding to pay, is at its end, or holds nothing.
fn is_due<S: Store>(world: &World<S>, slot: u32) -> bool {
    let lots = world.position(slot, position::LOTS);
    let is_empty = lots == 0 && world.position(slot, position::ORDERS_RESIDENT) == 0;
    let is_ended = lots != 0 && is_settled(world, world.position(slot, position::INSTRUMENT));
    is_empty || is_ended || funding::pending_atoms(world, slot) != 0
}

/// Return the quotient of numbers that are not negative, rounded to nearest, half up.
fn div_nearest(numerator: i128, denominator: u64) -> i128 {
    let denominator = denominator as i128;
    (2 * numerator + denominator) / (2 * denominator)
}
