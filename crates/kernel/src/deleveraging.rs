//! Deleveraging: holders on the other side close what nobody takes from an account that owes.
//!
//! Its book halts, its mark stays, and its price is fixed: the mark, less the share of the leg in
//! what neither the account nor the fund can pay. That is the leg's part of maintenance margin: who
//! has sold what is next to worthless pays for no other leg, nor does anybody for one whose holders
//! cannot pay.
//!
//! Holders are ranked by how much of their equity maintenance margin takes. One pass over them
//! counts lots by rank, the next closes those of the highest ranks; of the rank in which only a
//! part is needed, everybody's share. Nobody's maintenance margin takes more of his equity
//! afterwards, if any others are there: two further passes close the rest, first for what holders
//! can bear, then at the mark. What is not paid so, the fund owes.

use crate::accounts::add_cash;
use crate::arena::NO_SLOT;
use crate::exposure::{Change, Exposure};
use crate::identifiers::instrument_id;
use crate::limits::{
    AuctionPhase, DELEVERAGING_BUCKETS, DELEVERAGING_HOLDER_WORK, DELEVERAGING_WORK_MAX,
    DeleveragingPhase, InstrumentState, Reject,
};
use crate::liquidation_auctions::{full_ns, is_leg_live};
use crate::liquidation_commands::Deleverage;
use crate::liquidation_events::{DeleveragingStarted, PositionDeleveraged};
use crate::portfolio::{Portfolio, positions_alone};
use crate::positions::{find_position, mark_atoms, release_position, trade};
use crate::records::{account, auction, deleveraging, global, instrument, position};
use crate::relief::Relief;
use crate::store::Store;
use crate::wide::{event_atoms, mul_div_down};
use crate::world::World;
use crate::{fund_share, funding, insurance, liquidation, states};

const HIGHEST_RANK: u32 = DELEVERAGING_BUCKETS as u32 - 1;

/// One command's part of a deleveraging: the record, the leg, and what is still to be paid.
struct Step {
    record: u32,
    instrument: u32,
    position: u32,
    owed_atoms: i128,
}

/// Halt the book of a leg and begin to close it with the holders on the other side, or go on.
///
/// Rejects ACCOUNT_NOT_FOUND; LEG_INVALID (no position, none that is live as in an auction, one in
/// a book that uncrosses, or is halted for another account); DELEVERAGING_NOT_DUE unless the
/// account owes, has no orders, and its auction is over or beyond the fund's share.
pub fn deleverage<S: Store>(world: &mut World<S>, command: &Deleverage) -> Result<(), Reject> {
    let Deleverage { account, instrument } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    let slot = states::find_instrument(world, instrument);
    if slot == NO_SLOT {
        return Err(Reject::LegInvalid);
    }
    let running = world.instrument(slot, instrument::DELEVERAGING);
    if running != NO_SLOT && world.deleveraging(running, deleveraging::ACCOUNT) != account {
        return Err(Reject::LegInvalid);
    }
    if running == NO_SLOT {
        check_start(world, account, slot)?;
        start(world, account, slot);
    }
    let record = world.instrument(slot, instrument::DELEVERAGING);
    go_on(world, record);
    Ok(())
}

fn check_start<S: Store>(world: &World<S>, account: u32, slot: u32) -> Result<(), Reject> {
    let held = find_position(world, account, slot);
    let is_held = held != NO_SLOT && world.position(held, position::LOTS) != 0;
    let phase = world.instrument(slot, instrument::AUCTION_PHASE);
    if !is_held || phase != AuctionPhase::None as u8 || !is_leg_live(world, slot) {
        return Err(Reject::LegInvalid);
    }
    let is_due = is_due(world, &positions_alone(world, account));
    if is_due { Ok(()) } else { Err(Reject::DeleveragingNotDue) }
}

/// Return whether the account owes and nobody is waited for: bids had their time, or none are
/// taken.
pub fn is_due<S: Store>(world: &World<S>, held: &Portfolio) -> bool {
    let slot = world.account(held.account, account::AUCTION);
    if slot == NO_SLOT || liquidation::has_live_orders(world, held.account) {
        return false;
    }
    let insolvent_ns = world.auction(slot, auction::INSOLVENT_NS);
    if insolvent_ns == 0 || !held.is_insolvent() {
        return false;
    }
    let is_over = world.header(global::WINDOW_NS) >= insolvent_ns + full_ns(world, slot);
    is_over || !insurance::is_paid_by_fund(world, slot, held)
}

/// Halt the book, and fix what its holders are charged.
fn start<S: Store>(world: &mut World<S>, account: u32, slot: u32) {
    funding::accrue(world, slot);
    let record = world.allocate(deleveraging::ARENA);
    let lots = world.position(find_position(world, account, slot), position::LOTS);
    world.set_deleveraging(record, deleveraging::ACCOUNT, account);
    world.set_deleveraging(record, deleveraging::INSTRUMENT, slot);
    world.set_deleveraging(record, deleveraging::LOTS, lots.unsigned_abs());
    let phase = DeleveragingPhase::Counting as u8;
    world.set_deleveraging(record, deleveraging::PHASE, phase);
    let head = world.instrument(slot, instrument::HOLDERS_HEAD);
    world.set_deleveraging(record, deleveraging::CURSOR, head);
    let (relief_atoms, deficit_atoms) = deficit_down(world, account, slot, lots);
    world.set_deleveraging(record, deleveraging::RELIEF_ATOMS, relief_atoms);
    world.set_deleveraging(record, deleveraging::DEFICIT_ATOMS, deficit_atoms);
    let state = world.instrument(slot, instrument::STATE);
    world.set_deleveraging(record, deleveraging::STATE_BEFORE, state);
    world.set_instrument(slot, instrument::STATE, InstrumentState::Halted as u8);
    world.set_instrument(slot, instrument::DELEVERAGING, record);
    DeleveragingStarted {
        account,
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        lots,
        deficit_atoms: event_atoms(deficit_atoms),
    }
    .encode(world.events);
    states::emit_changed(world, slot);
}

/// Return what the leg takes of the margin not yet charged for, and its part of what is owed.
///
/// What it takes is by how much maintenance margin falls without it. The margin is that of the
/// first leg, and falls as holders pay: what those of one leg do not pay is left for no other.
///
/// Rounds down: for the holders.
fn deficit_down<S: Store>(
    world: &mut World<S>,
    account: u32,
    slot: u32,
    lots: i64,
) -> (i128, i128) {
    let held = positions_alone(world, account);
    let mut relief = Relief::new(world, &held);
    let running = world.account(account, account::AUCTION);
    if world.auction(running, auction::UNCHARGED_ATOMS) == 0 {
        world.set_auction(running, auction::UNCHARGED_ATOMS, relief.required_atoms);
    }
    let closing = Change { instrument: slot, exposure: Exposure::of_lots(-lots) };
    let uncharged_atoms = world.auction(running, auction::UNCHARGED_ATOMS);
    let taken_atoms = relief.of(world, &[closing]).clamp(0, uncharged_atoms);
    if taken_atoms == 0 {
        return (0, 0);
    }
    let owed_atoms = owed_atoms(world, &held) as u128;
    let deficit = mul_div_down(owed_atoms, taken_atoms as u128, uncharged_atoms as u128);
    (taken_atoms, deficit as i128)
}

/// Return what neither the account pays, stale legs at their best, nor the fund for it.
fn owed_atoms<S: Store>(world: &World<S>, held: &Portfolio) -> i128 {
    let slot = world.account(held.account, account::AUCTION);
    let fund_atoms = if slot == NO_SLOT { 0 } else { fund_share::left_atoms(world, slot) };
    (-(held.equity_atoms + held.stale_high_atoms() + fund_atoms)).max(0)
}

/// Visit holders as far as one command may; end if the leg is closed, or is not to be closed.
fn go_on<S: Store>(world: &mut World<S>, record: u32) {
    let owner = world.deleveraging(record, deleveraging::ACCOUNT);
    let slot = world.deleveraging(record, deleveraging::INSTRUMENT);
    funding::accrue(world, slot);
    let held = positions_alone(world, owner);
    let mut step = Step {
        record,
        instrument: slot,
        position: find_position(world, owner, slot),
        owed_atoms: owed_atoms(world, &held),
    };
    let is_on = world.instrument(slot, instrument::STATE) == InstrumentState::Halted as u8
        && held.is_insolvent()
        && !states::is_expired(world, slot);
    let owed_atoms = step.owed_atoms;
    let is_over = !is_on || visit_holders(world, &mut step);
    count_charged(world, &step, owner, owed_atoms - step.owed_atoms);
    if is_over {
        states::reopen(world, slot);
    }
    if step.position != NO_SLOT {
        release_position(world, step.position);
    }
    insurance::settle(world, owner);
}

/// Take the part of the margin away for which holders have been charged. Rounds down.
fn count_charged<S: Store>(world: &mut World<S>, step: &Step, owner: u32, charged_atoms: i128) {
    let slot = world.account(owner, account::AUCTION);
    if slot != NO_SLOT && charged_atoms != 0 {
        let relief_atoms = world.deleveraging(step.record, deleveraging::RELIEF_ATOMS) as u128;
        let deficit_atoms = world.deleveraging(step.record, deleveraging::DEFICIT_ATOMS) as u128;
        let part = mul_div_down(relief_atoms, charged_atoms as u128, deficit_atoms) as i128;
        let uncharged_atoms = world.auction(slot, auction::UNCHARGED_ATOMS);
        let left_atoms = uncharged_atoms - part.min(uncharged_atoms);
        world.set_auction(slot, auction::UNCHARGED_ATOMS, left_atoms);
    }
}

/// Visit holders, pass after pass; return whether the leg is closed, or no pass is left.
fn visit_holders<S: Store>(world: &mut World<S>, step: &mut Step) -> bool {
    let mut work = 0;
    while lots_left(world, step) != 0 {
        if world.deleveraging(step.record, deleveraging::CURSOR) == NO_SLOT {
            if phase_of(world, step) == DeleveragingPhase::Closing {
                return true;
            }
            begin_pass(world, step);
        }
        let visited = world.deleveraging(step.record, deleveraging::CURSOR);
        let is_opposite = is_opposite(world, step, visited);
        let added = if is_opposite { work_of(world, visited) } else { 1 };
        if work != 0 && work + added > DELEVERAGING_WORK_MAX {
            return false;
        }
        work += added;
        let next = world.position(visited, position::NEXT_IN_INSTRUMENT);
        world.set_deleveraging(step.record, deleveraging::CURSOR, next);
        if is_opposite {
            visit(world, step, visited);
        }
    }
    true
}

fn phase_of<S: Store>(world: &World<S>, step: &Step) -> DeleveragingPhase {
    let phase = world.deleveraging(step.record, deleveraging::PHASE);
    DeleveragingPhase::try_from(phase).expect("a command wrote the phase")
}

fn lots_left<S: Store>(world: &World<S>, step: &Step) -> u64 {
    match step.position {
        NO_SLOT => 0,
        held => world.position(held, position::LOTS).unsigned_abs(),
    }
}

/// Return whether lots of the holder can be closed with the leg.
fn is_opposite<S: Store>(world: &World<S>, step: &Step, holder: u32) -> bool {
    let sign_of = |held| world.position(held, position::LOTS).signum();
    sign_of(holder) * sign_of(step.position) < 0
}

/// Return what a holder on the other side counts towards the bound of a command.
fn work_of<S: Store>(world: &World<S>, holder: u32) -> u64 {
    let owner = world.position(holder, position::ACCOUNT);
    1 + DELEVERAGING_HOLDER_WORK + world.account(owner, account::POSITIONS_COUNT) as u64
}

/// Begin with the first holder again; after the count, find the rank of which a part is needed.
///
/// All ranks above are closed. If everybody counted is needed, that is all of the lowest rank.
fn begin_pass<S: Store>(world: &mut World<S>, step: &Step) {
    let record = step.record;
    if phase_of(world, step) == DeleveragingPhase::Counting {
        let lots = world.deleveraging(record, deleveraging::LOTS);
        let counted = |rank: u32| world.deleveraging(record, deleveraging::BUCKET_LOTS.item(rank));
        let (mut above, mut rank) = (0, HIGHEST_RANK);
        while rank > 0 && above + counted(rank) < lots {
            above += counted(rank);
            rank -= 1;
        }
        let counted_lots = counted(rank);
        let wanted_lots = (lots - above).min(counted_lots);
        world.set_deleveraging(record, deleveraging::THRESHOLD, rank as u8);
        world.set_deleveraging(record, deleveraging::COUNTED_LOTS, counted_lots);
        world.set_deleveraging(record, deleveraging::WANTED_LOTS, wanted_lots);
    }
    let phase = world.deleveraging(record, deleveraging::PHASE);
    world.set_deleveraging(record, deleveraging::PHASE, phase + 1);
    let head = world.instrument(step.instrument, instrument::HOLDERS_HEAD);
    world.set_deleveraging(record, deleveraging::CURSOR, head);
}

/// Count a holder, or close what the pass asks of him.
fn visit<S: Store>(world: &mut World<S>, step: &mut Step, holder: u32) {
    let held_lots = world.position(holder, position::LOTS).unsigned_abs();
    let lots = held_lots.min(lots_left(world, step));
    let phase = phase_of(world, step);
    if phase == DeleveragingPhase::Closing {
        return close(world, step, holder, lots, 0);
    }
    let held = positions_alone(world, world.position(holder, position::ACCOUNT));
    let mut relief = Relief::new(world, &held);
    if phase == DeleveragingPhase::Spreading {
        return close_bearable(world, step, holder, &held, &mut relief, lots);
    }
    let share_atoms = share_down(world, step, lots);
    if bearable_down(world, step, &held, &mut relief, lots).is_none_or(|most| most < share_atoms) {
        return;
    }
    let rank = rank_of(world, step, &held, &relief);
    if phase == DeleveragingPhase::Counting {
        let bucket = deleveraging::BUCKET_LOTS.item(rank);
        let counted_lots = world.deleveraging(step.record, bucket) + held_lots;
        world.set_deleveraging(step.record, bucket, counted_lots);
    } else {
        let asked = asked_of(world, step.record, rank, held_lots).min(lots);
        close_bearable(world, step, holder, &held, &mut relief, asked);
    }
}

/// Return by how much of his equity maintenance margin takes a holder comes first.
///
/// Accounts of the same owner come before all others.
fn rank_of<S: Store>(world: &World<S>, step: &Step, held: &Portfolio, relief: &Relief) -> u32 {
    let owed_by = world.deleveraging(step.record, deleveraging::ACCOUNT);
    if world.account(owed_by, account::OWNER) == world.account(held.account, account::OWNER) {
        return HIGHEST_RANK;
    }
    let rank = DELEVERAGING_BUCKETS as i128 * relief.required_atoms / held.equity_atoms;
    rank.min(HIGHEST_RANK as i128) as u32
}

/// Return the lots that the second pass asks of a holder.
///
/// All of a rank above the threshold; in it his share, so that all shares are what is wanted.
fn asked_of<S: Store>(world: &mut World<S>, record: u32, rank: u32, lots: u64) -> u64 {
    let threshold = world.deleveraging(record, deleveraging::THRESHOLD) as u32;
    if rank != threshold {
        return if rank > threshold { lots } else { 0 };
    }
    let counted = world.deleveraging(record, deleveraging::COUNTED_LOTS);
    let wanted = world.deleveraging(record, deleveraging::WANTED_LOTS) as u128;
    let before = world.deleveraging(record, deleveraging::SEEN_LOTS);
    let after = (before + lots).min(counted);
    world.set_deleveraging(record, deleveraging::SEEN_LOTS, after);
    let until = |seen: u64| mul_div_down(wanted, seen as u128, counted.max(1) as u128) as u64;
    until(after) - until(before)
}

/// Return what the price of the next lots is below the mark: those of all lots are the deficit.
///
/// Rounds down, and the rest into later lots.
fn share_down<S: Store>(world: &World<S>, step: &Step, lots: u64) -> i128 {
    let whole = world.deleveraging(step.record, deleveraging::LOTS);
    let deficit_atoms = world.deleveraging(step.record, deleveraging::DEFICIT_ATOMS) as u128;
    let done = whole - lots_left(world, step);
    let until = |lots: u64| mul_div_down(deficit_atoms, lots as u128, whole as u128) as i128;
    until(done + lots) - until(done)
}

/// Return what closing lots may cost a holder: then maintenance / equity is what it was.
///
/// None if it rises even at the mark, or without equity. Rounds down: for the holder.
fn bearable_down<S: Store>(
    world: &World<S>,
    step: &Step,
    held: &Portfolio,
    relief: &mut Relief,
    lots: u64,
) -> Option<i128> {
    let exposure = Exposure::of_lots(taken_lots(world, step, lots));
    let relief_atoms = relief.of(world, &[Change { instrument: step.instrument, exposure }]);
    if held.equity_atoms <= 0 || relief_atoms < 0 {
        return None;
    }
    if relief_atoms == 0 {
        return Some(0);
    }
    let (relief_atoms, required_atoms) = (relief_atoms as u128, relief.required_atoms as u128);
    Some(mul_div_down(held.equity_atoms as u128, relief_atoms, required_atoms) as i128)
}

/// Return lots as a holder takes them: of the leg's sign, against his own.
fn taken_lots<S: Store>(world: &World<S>, step: &Step, lots: u64) -> i64 {
    world.position(step.position, position::LOTS).signum() * lots as i64
}

/// Close lots with a holder for their share of what is owed, at most what he can bear.
fn close_bearable<S: Store>(
    world: &mut World<S>,
    step: &mut Step,
    holder: u32,
    held: &Portfolio,
    relief: &mut Relief,
    lots: u64,
) {
    let Some(bearable_atoms) = bearable_down(world, step, held, relief, lots) else { return };
    if lots != 0 {
        let share_atoms = share_down(world, step, lots);
        let charge_atoms = share_atoms.min(bearable_atoms).min(step.owed_atoms);
        close(world, step, holder, lots, charge_atoms);
    }
}

/// Close lots of the leg with a holder at the mark, and charge him.
fn close<S: Store>(world: &mut World<S>, step: &mut Step, holder: u32, lots: u64, charge: i128) {
    let slot = step.instrument;
    let owed_by = world.deleveraging(step.record, deleveraging::ACCOUNT);
    let payer = world.position(holder, position::ACCOUNT);
    let mark_atoms = mark_atoms(world, slot);
    let taken = taken_lots(world, step, lots);
    let value_atoms = taken as i128 * mark_atoms as i128;
    trade(world, step.position, -taken, -value_atoms);
    trade(world, holder, taken, value_atoms);
    add_cash(world, payer, -charge);
    add_cash(world, owed_by, charge);
    step.owed_atoms -= charge;
    PositionDeleveraged {
        account: owed_by,
        holder: payer,
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        lots: taken,
        mark_atoms,
        charge_atoms: event_atoms(charge),
    }
    .encode(world.events);
    release_position(world, holder);
    insurance::settle(world, payer);
}
