//! Margin modes: an account chooses how it is margined, and what it may hold follows from that.

use crate::commands::SetMarginMode;
use crate::events::MarginModeSet;
use crate::limits::{INSTRUMENTS_PER_ACCOUNT_MAX, MarginMode, Reject, STANDARD_INSTRUMENTS_MAX};
use crate::margin;
use crate::portfolio::mode_of;
use crate::records::account;
use crate::store::Store;
use crate::world::World;

/// Options are set against each other strike by strike: under standard margin they are few.
fn most_of(mode: MarginMode) -> u64 {
    match mode {
        MarginMode::Portfolio => INSTRUMENTS_PER_ACCOUNT_MAX,
        MarginMode::Standard => STANDARD_INSTRUMENTS_MAX,
    }
}

/// Return how many instruments an account may hold or have orders in.
pub fn instruments_max<S: Store>(world: &World<S>, account: u32) -> u64 {
    most_of(mode_of(world, account))
}

/// Let the account be margined in another way from now on.
///
/// Rejects MARGIN_MODE_UNCHANGED; INSTRUMENT_LIMIT (more instruments than the mode takes);
/// INSUFFICIENT_MARGIN (equity would not cover initial margin).
pub fn set_margin_mode<S: Store>(
    world: &mut World<S>,
    command: &SetMarginMode,
) -> Result<(), Reject> {
    let SetMarginMode { account, mode, .. } = *command;
    if mode == mode_of(world, account) {
        return Err(Reject::MarginModeUnchanged);
    }
    if world.account(account, account::POSITIONS_COUNT) as u64 > most_of(mode) {
        return Err(Reject::InstrumentLimit);
    }
    let mut held = margin::portfolio(world, account, &[]);
    held.mode = mode;
    if !margin::covers(world, &held, 0) {
        return Err(Reject::InsufficientMargin);
    }
    world.set_account(account, account::MARGIN_MODE, mode as u8);
    MarginModeSet { account, mode: mode as u8 }.encode(world.events);
    Ok(())
}
