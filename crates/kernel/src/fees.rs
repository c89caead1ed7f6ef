//! Fees: what an account pays in an instrument, by its schedule or by the instrument's terms.

use crate::account_commands::{AssignFees, SetFeeSchedule};
use crate::arena::high_water;
use crate::events::{FeeScheduleSet, FeesAssigned};
use crate::field::{Array, U32};
use crate::limits::{FEE_PPM_MAX, Reject};
use crate::payoff::{Payoff, kind_of};
use crate::prices::legs_of;
use crate::records::{account, fee_schedule, instrument};
use crate::store::Store;
use crate::views::Record;
use crate::world::World;

/// The schedule of accounts that have none.
const TERMS_OF_INSTRUMENT: u32 = 0;

/// Return the fee of an account's resting orders in an instrument (by slot), in ppm.
#[inline]
pub fn maker_fee_ppm<S: Store>(world: &World<S>, account: u32, instrument: u32) -> u32 {
    fee_ppm(world, account, instrument, instrument::MAKER_FEE_PPM, fee_schedule::MAKER_FEE_PPM)
}

/// Return the fee of an account's incoming orders in an instrument (by slot), in ppm.
#[inline]
pub fn taker_fee_ppm<S: Store>(world: &World<S>, account: u32, instrument: u32) -> u32 {
    fee_ppm(world, account, instrument, instrument::TAKER_FEE_PPM, fee_schedule::TAKER_FEE_PPM)
}

/// Return the higher fee of an account in an instrument, be its order resting or incoming.
#[inline]
pub fn highest_fee_ppm<S: Store>(world: &World<S>, account: u32, instrument: u32) -> u32 {
    match world.account(account, account::FEE_SCHEDULE) {
        TERMS_OF_INSTRUMENT => {
            let terms = world.instrument_record(instrument);
            terms.get(instrument::MAKER_FEE_PPM).max(terms.get(instrument::TAKER_FEE_PPM))
        }
        schedule => {
            let scheduled = |of_schedule| scheduled_ppm(world, schedule, instrument, of_schedule);
            scheduled(fee_schedule::MAKER_FEE_PPM).max(scheduled(fee_schedule::TAKER_FEE_PPM))
        }
    }
}

#[inline]
fn fee_ppm<S: Store>(
    world: &World<S>,
    account: u32,
    instrument: u32,
    of_terms: U32,
    of_schedule: Array<U32>,
) -> u32 {
    match world.account(account, account::FEE_SCHEDULE) {
        TERMS_OF_INSTRUMENT => world.instrument(instrument, of_terms),
        schedule => scheduled_ppm(world, schedule, instrument, of_schedule),
    }
}

fn scheduled_ppm<S: Store>(
    world: &World<S>,
    schedule: u32,
    instrument: u32,
    of_schedule: Array<U32>,
) -> u32 {
    let fee_of = |slot| {
        let place = Payoff::of(kind_of(world, slot)).terms_place;
        world.fee_schedule(schedule, of_schedule.item(place))
    };
    let highest = legs_of(world, instrument).iter().map(|leg| fee_of(leg.instrument)).max();
    highest.unwrap_or_else(|| fee_of(instrument))
}

/// Set a schedule's fees; a resting order pays at most what its owner signed, as always.
///
/// Rejects ARENA_FULL, FEE_SCHEDULE_NOT_FOUND (neither one that is there nor the next),
/// FEE_OUT_OF_RANGE, VERSION_MISMATCH.
pub fn set_fee_schedule<S: Store>(
    world: &mut World<S>,
    command: &SetFeeSchedule,
) -> Result<(), Reject> {
    let SetFeeSchedule { schedule, version, .. } = *command;
    let is_new = schedule == high_water(world.store, fee_schedule::ARENA);
    if is_new && !world.has_room(fee_schedule::ARENA, 1) {
        return Err(Reject::ArenaFull);
    }
    if !is_new && !world.contains(fee_schedule::ARENA, schedule) {
        return Err(Reject::FeeScheduleNotFound);
    }
    let makers = [command.perpetual_maker_ppm, command.future_maker_ppm, command.option_maker_ppm];
    let takers = [command.perpetual_taker_ppm, command.future_taker_ppm, command.option_taker_ppm];
    if makers.iter().chain(&takers).any(|&fee_ppm| fee_ppm as u64 > FEE_PPM_MAX) {
        return Err(Reject::FeeOutOfRange);
    }
    let before = if is_new { 0 } else { world.fee_schedule(schedule, fee_schedule::VERSION) };
    if version as u64 != before as u64 + 1 {
        return Err(Reject::VersionMismatch);
    }
    if is_new {
        world.allocate(fee_schedule::ARENA);
    }
    world.set_fee_schedule(schedule, fee_schedule::VERSION, version);
    for (place, (maker_ppm, taker_ppm)) in (0..).zip(makers.into_iter().zip(takers)) {
        world.set_fee_schedule(schedule, fee_schedule::MAKER_FEE_PPM.item(place), maker_ppm);
        world.set_fee_schedule(schedule, fee_schedule::TAKER_FEE_PPM.item(place), taker_ppm);
    }
    FeeScheduleSet { schedule, version }.encode(world.events);
    Ok(())
}

/// Put an account under a schedule. Rejects ACCOUNT_NOT_FOUND, FEE_SCHEDULE_NOT_FOUND.
pub fn assign_fees<S: Store>(world: &mut World<S>, command: &AssignFees) -> Result<(), Reject> {
    let AssignFees { account, schedule } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    if schedule != TERMS_OF_INSTRUMENT && !world.contains(fee_schedule::ARENA, schedule) {
        return Err(Reject::FeeScheduleNotFound);
    }
    world.set_account(account, account::FEE_SCHEDULE, schedule);
    FeesAssigned { account, schedule }.encode(world.events);
    Ok(())
}
