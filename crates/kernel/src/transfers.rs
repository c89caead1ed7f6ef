//! Transfers between accounts: money to anybody's, positions to another one of the same owner.

use crate::account_commands::{PositionTransfer, Transfer};
use crate::arena::NO_SLOT;
use crate::custody;
use crate::debts;
use crate::events::{PositionTransferred, Transferred};
use crate::identifiers::instrument_slot;
use crate::insurance;
use crate::limits::{ORDER_LOTS_MAX, QUOTE_TOKEN, Reject};
use crate::margin::{self, Change, Exposure};
use crate::margin_modes::instruments_max;
use crate::order_terms::check_instrument;
use crate::position_limits;
use crate::positions::{
    find_position, is_linear, mark_atoms, open_position, release_position, settle_variation, trade,
};
use crate::records::{account, instrument, node, position};
use crate::store::Store;
use crate::trie::INSTRUMENT_DEPTH;
use crate::world::World;

/// Move money to another account; what remains must still cover initial margin.
///
/// Rejects TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE, RECIPIENT_INVALID, INSUFFICIENT_BALANCE (more
/// than the balance, of USDC the cash after variation settlement), INSUFFICIENT_MARGIN.
pub fn transfer<S: Store>(world: &mut World<S>, command: &Transfer) -> Result<(), Reject> {
    let Transfer { account, recipient, token, amount_atoms, .. } = *command;
    custody::check_amount(world, token, amount_atoms)?;
    check_recipient(world, account, recipient)?;
    margin::check_outflow(world, account, token, amount_atoms)?;
    pay(world, account, recipient, token, amount_atoms);
    Ok(())
}

/// Move money, cash settled before; the caller has asked `margin::check_outflow`.
pub fn pay<S: Store>(
    world: &mut World<S>,
    account: u32,
    recipient: u32,
    token: u8,
    amount_atoms: u64,
) {
    if token as u64 == QUOTE_TOKEN {
        settle_variation(world, account);
    }
    custody::credit(world, account, token, -(amount_atoms as i128));
    custody::credit(world, recipient, token, amount_atoms as i128);
    Transferred { account, recipient, token, amount_atoms }.encode(world.events);
    insurance::settle(world, recipient);
}

fn check_recipient<S: Store>(world: &World<S>, account: u32, recipient: u32) -> Result<(), Reject> {
    let is_recipient = world.account_exists(recipient) && recipient != account;
    if is_recipient { Ok(()) } else { Err(Reject::RecipientInvalid) }
}

/// Move lots to another account of the owner, at the mark: equity changes on neither side.
///
/// The mark is whole atoms per lot, so that the value is exact; no fee.
///
/// Rejects INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED, LOTS_OUT_OF_RANGE, RECIPIENT_INVALID,
/// OWNER_MISMATCH, POSITION_TOO_SMALL; INSTRUMENT_LIMIT, POSITION_LIMIT, ARENA_FULL;
/// INSTRUMENT_STATE while holders of it are deleveraged; ACCOUNT_INSOLVENT; INSUFFICIENT_MARGIN
/// unless each account is covered or left no worse in any scenario; DEBT_LIMIT if the mark of
/// options makes too large a debt of one that does not reduce.
pub fn position_transfer<S: Store>(
    world: &mut World<S>,
    command: &PositionTransfer,
) -> Result<(), Reject> {
    let slot = instrument_slot(command.instrument);
    check_shape(world, command)?;
    let source = find_position(world, command.account, slot);
    let held_lots = if source == NO_SLOT { 0 } else { world.position(source, position::LOTS) };
    if command.lots > held_lots.unsigned_abs() {
        return Err(Reject::PositionTooSmall);
    }
    let lots = if held_lots > 0 { command.lots as i64 } else { -(command.lots as i64) };
    check_room(world, command.account, slot, -lots)?;
    check_room(world, command.recipient, slot, lots)?;
    if world.instrument(slot, instrument::DELEVERAGING) != NO_SLOT {
        return Err(Reject::InstrumentState);
    }
    check_margin(world, command.account, slot, -lots)?;
    check_margin(world, command.recipient, slot, lots)?;
    if is_beyond_debt(world, command.account, slot, -lots)
        || is_beyond_debt(world, command.recipient, slot, lots)
    {
        return Err(Reject::DebtLimit);
    }
    move_lots(world, command, slot, lots);
    Ok(())
}

/// Check instrument, size and recipient, by themselves.
fn check_shape<S: Store>(world: &World<S>, command: &PositionTransfer) -> Result<(), Reject> {
    check_instrument(world, command.instrument)?;
    if !(1..=ORDER_LOTS_MAX).contains(&command.lots) {
        return Err(Reject::LotsOutOfRange);
    }
    check_recipient(world, command.account, command.recipient)?;
    let owner = world.account(command.account, account::OWNER);
    if owner != world.account(command.recipient, account::OWNER) {
        return Err(Reject::OwnerMismatch);
    }
    Ok(())
}

/// Check the limits of an account that takes signed lots, all its orders filled.
fn check_room<S: Store>(
    world: &World<S>,
    account: u32,
    slot: u32,
    lots: i64,
) -> Result<(), Reject> {
    let opens = find_position(world, account, slot) == NO_SLOT;
    let count = world.account(account, account::POSITIONS_COUNT) as u64;
    if opens && count >= instruments_max(world, account) {
        return Err(Reject::InstrumentLimit);
    }
    if position_limits::is_taking_beyond_reach(world, account, slot, lots) {
        return Err(Reject::PositionLimit);
    }
    let has_room =
        world.has_room(position::ARENA, 1) && world.has_room(node::ARENA, INSTRUMENT_DEPTH);
    if opens && !has_room { Err(Reject::ArenaFull) } else { Ok(()) }
}

/// Check that margin lets an account take signed lots at the mark.
fn check_margin<S: Store>(
    world: &World<S>,
    account: u32,
    slot: u32,
    lots: i64,
) -> Result<(), Reject> {
    let exposure = Exposure { lots, ..Exposure::default() };
    margin::check_trade(world, account, &[Change { instrument: slot, exposure }], 0)
}

/// Return whether signed lots at the mark make too large a debt of an account, and do not reduce.
fn is_beyond_debt<S: Store>(world: &World<S>, account: u32, slot: u32, lots: i64) -> bool {
    let value_atoms = lots as i128 * mark_atoms(world, slot) as i128;
    let outflow = if is_linear(world, slot) { 0 } else { value_atoms };
    if !debts::is_beyond_limit(world, account, outflow)
        || position_limits::shrinks(world, account, slot, lots)
    {
        return false;
    }
    let change = [Change { instrument: slot, exposure: Exposure::of_lots(lots) }];
    !margin::is_reducing(world, &margin::portfolio(world, account, &[]), &change, 0)
}

fn move_lots<S: Store>(world: &mut World<S>, command: &PositionTransfer, slot: u32, lots: i64) {
    let PositionTransfer { account, recipient, instrument, .. } = *command;
    let mark_atoms = mark_atoms(world, slot);
    let value_atoms = lots as i128 * mark_atoms as i128;
    let source = find_position(world, account, slot);
    let mut target = find_position(world, recipient, slot);
    if target == NO_SLOT {
        target = open_position(world, recipient, slot);
    }
    trade(world, source, -lots, -value_atoms);
    trade(world, target, lots, value_atoms);
    PositionTransferred { account, recipient, instrument, lots, mark_atoms }.encode(world.events);
    release_position(world, source);
    release_position(world, target);
}
