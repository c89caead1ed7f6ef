//! Sessions: keys that an owner lets act for an account, each within its scope.
//!
//! Slot 0 of an account holds the owner, who may do everything and alone grants and revokes. A key
//! is in one slot of an account at most, and what it signed counts for no other slot. Nonces of a
//! key that goes are never good again in the account: its successors, itself included, start above
//! them.

use alloc::vec::Vec;

use crate::account_commands::{GrantRequest, GrantSession, RevokeRequest, RevokeSession};
use crate::accounts::check_nonce;
use crate::arena::{self, NO_SLOT};
use crate::commands::{Address, Command, Party};
use crate::events::{SessionGranted, SessionRevoked};
use crate::identifiers::{instrument_slot, order_slot};
use crate::leg_commands::{AcceptQuote, BlockTrade, RfqQuote};
use crate::limits::{Action, COMBO_FEE_ATOMS, Reject, SESSIONS_PER_ACCOUNT, Side};
use crate::positions::mark_atoms;
use crate::prices::gross_per_lot;
use crate::records::{account, global, instrument, order, signer};
use crate::store::Store;
use crate::views::Record;
use crate::world::World;

const OWNER_SESSION: u8 = 0;
const NO_KEY: Address = [0; 20];
const ALL_NONCES_USED: [u8; 32] = [0xff; 32];

/// What an owner grants.
#[derive(Clone, Copy, Debug)]
struct Grant {
    account: u32,
    session: u8,
    key: Address,
    actions: u32,
    markets: u64,
    notional_cap_atoms: u64,
    expires_ns: u64,
}

/// What a command may trade: an instrument (by slot), its limit, how much, and whether it sells.
///
/// The legs of a deal are sold by one of the two who sign it.
#[derive(Clone, Copy, Debug)]
struct Order {
    instrument: u32,
    price_ticks: u32,
    lots: u64,
    is_sold: bool,
}

/// Return what a session must be allowed to do for a command; only the owner signs any other.
fn action_of(command: &Command) -> Option<Action> {
    match command {
        Command::Place(_)
        | Command::Amend(_)
        | Command::PlaceTrigger(_)
        | Command::QuoteBatch(_)
        | Command::CreateCombo(_)
        | Command::SetProtection(_)
        | Command::ResetProtection(_) => Some(Action::Place),
        Command::Cancel(_)
        | Command::CancelAll(_)
        | Command::CancelTrigger(_)
        | Command::SetDeadMan(_) => Some(Action::Cancel),
        Command::Transfer(_) | Command::PositionTransfer(_) => Some(Action::Transfer),
        Command::AcceptQuote(_) | Command::BlockTrade(_) | Command::AuctionBid(_) => {
            Some(Action::Negotiate)
        }
        _ => None,
    }
}

/// Return the slot of the session's key if account and session exist.
#[inline]
pub fn signer_slot<S: Store>(world: &World<S>, party: &Party) -> Option<u32> {
    let owner = party.header.account;
    if !world.account_exists(owner) || party.session as u64 >= SESSIONS_PER_ACCOUNT {
        return None;
    }
    let slot = world.account_record(owner).get(account::SIGNERS.item(party.session as u32));
    (slot != 0).then_some(slot)
}

/// One who signs, with the slot of his key if account and session exist.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub party: Party<'a>,
    pub slot: Option<u32>,
}

impl<'a> Signer<'a> {
    /// Look a party's key up.
    #[inline]
    pub fn of<S: Store>(world: &World<S>, party: Party<'a>) -> Self {
        Self { party, slot: signer_slot(world, &party) }
    }
}

/// Check in a window account, session, expiry and nonce of who signed; return the slot of his key.
///
/// Rejects ACCOUNT_NOT_FOUND, SESSION_NOT_FOUND, MESSAGE_EXPIRED, NONCE_TOO_OLD, NONCE_USED,
/// NONCE_OUT_OF_RANGE.
#[inline]
pub fn check_authority<S: Store>(
    world: &World<S>,
    signer: &Signer,
    window_ns: u64,
) -> Result<u32, Reject> {
    let Signer { party, slot } = signer;
    let Some(slot) = *slot else {
        let is_account = world.account_exists(party.header.account);
        return Err(if is_account { Reject::SessionNotFound } else { Reject::AccountNotFound });
    };
    if window_ns > party.header.expires_ns {
        return Err(Reject::MessageExpired);
    }
    check_nonce(world, slot, party.header.nonce)?;
    let is_in_range = is_nonce_in_range(party, window_ns);
    if is_in_range { Ok(slot) } else { Err(Reject::NonceOutOfRange) }
}

/// Return whether a session's nonce is at most the time in ns; the owner's may be any.
///
/// Nonces of later keys start above those of a key that goes: one that signed with the highest
/// number there is would leave none.
fn is_nonce_in_range(party: &Party, window_ns: u64) -> bool {
    party.session == OWNER_SESSION || party.header.nonce <= window_ns
}

/// Check that a session may do this now, whatever the state of books and money.
///
/// Rejects SESSION_EXPIRED; SESSION_SCOPE_EXCEEDED (the action is not among its own).
fn check_action<S: Store>(world: &World<S>, slot: u32, command: &Command) -> Result<(), Reject> {
    if world.header(global::WINDOW_NS) > world.signer(slot, signer::EXPIRES_NS) {
        return Err(Reject::SessionExpired);
    }
    let action = action_of(command).ok_or(Reject::SessionScopeExceeded)?;
    let is_allowed = world.signer(slot, signer::ACTIONS) >> action as u8 & 1 != 0;
    if is_allowed { Ok(()) } else { Err(Reject::SessionScopeExceeded) }
}

/// Check that a session may do what its key has signed.
///
/// Rejects SESSION_EXPIRED; SESSION_SCOPE_EXCEEDED (action, market, or money for another owner);
/// SESSION_NOTIONAL_EXCEEDED.
#[inline]
pub fn check_scope<S: Store>(
    world: &World<S>,
    slot: u32,
    session: u8,
    command: &Command,
) -> Result<(), Reject> {
    if session == OWNER_SESSION {
        return Ok(());
    }
    check_action(world, slot, command)?;
    if !is_market_allowed(world, slot, command) || leaves_owner(world, command) {
        return Err(Reject::SessionScopeExceeded);
    }
    let cap_atoms = world.signer(slot, signer::NOTIONAL_CAP_ATOMS);
    let used_atoms = world.signer(slot, signer::NOTIONAL_USED_ATOMS) as u128;
    if cap_atoms != 0 && used_atoms.saturating_add(value_atoms(world, command)) > cap_atoms as u128
    {
        return Err(Reject::SessionNotionalExceeded);
    }
    Ok(())
}

/// Return what a command counts against the cap of its session, if it is applied. Asked before it
/// is executed, since an amended order is gone afterwards.
#[inline]
pub fn chargeable_atoms<S: Store>(
    world: &World<S>,
    slot: u32,
    session: u8,
    command: &Command,
) -> u64 {
    if session == OWNER_SESSION || world.signer(slot, signer::NOTIONAL_CAP_ATOMS) == 0 {
        return 0;
    }
    u64::try_from(value_atoms(world, command)).expect("the cap bounds it")
}

/// Return what a command may trade.
///
/// A bid for what is liquidated trades at marks. A transfer has no price: it moves a position to
/// the same owner. Nor has an Amend that only shrinks its order. What does not exist is left out,
/// and refused later.
fn orders_of<S: Store>(world: &World<S>, command: &Command) -> Vec<Order> {
    let mut orders = Vec::new();
    let mut add = |instrument, price_ticks, lots, is_sold| {
        let is_there = world.contains(instrument::ARENA, instrument)
            && world.instrument(instrument, instrument::KIND) != 0;
        if is_there {
            orders.push(Order { instrument, price_ticks, lots, is_sold });
        }
    };
    match command {
        Command::Place(place) => {
            let is_sold = place.side == Side::Sell;
            add(instrument_slot(place.instrument), place.price_ticks, place.lots, is_sold);
        }
        Command::PlaceTrigger(place) => {
            let is_sold = place.side == Side::Sell;
            add(instrument_slot(place.instrument), place.price_ticks, place.lots, is_sold);
        }
        Command::QuoteBatch(batch) => batch.quotes().for_each(|quote| {
            let is_sold = quote.side == Side::Sell;
            add(instrument_slot(quote.instrument), quote.price_ticks, quote.lots, is_sold);
        }),
        Command::Amend(amend) if world.contains(order::ARENA, order_slot(amend.order)) => {
            let amended = order_slot(amend.order);
            let is_sold = world.order(amended, order::SIDE) == Side::Sell as u8;
            let instrument = world.order(amended, order::INSTRUMENT);
            add(instrument, amend.price_ticks, amend.lots, is_sold);
        }
        Command::PositionTransfer(transfer) => {
            add(instrument_slot(transfer.instrument), 0, transfer.lots, false);
        }
        Command::CreateCombo(combo) => combo.legs().for_each(|leg| {
            add(instrument_slot(leg.instrument), 0, 0, false);
        }),
        Command::AcceptQuote(AcceptQuote { quote: RfqQuote { legs, .. }, .. })
        | Command::BlockTrade(BlockTrade { legs, .. }) => legs.iter().for_each(|leg| {
            let (slot, lots) = (instrument_slot(leg.instrument), leg.taker_lots.unsigned_abs());
            add(slot, leg.price_ticks, lots, true);
        }),
        Command::AuctionBid(bid) => bid.legs().for_each(|leg| {
            let slot = instrument_slot(leg.instrument);
            add(slot, mark_ticks_up(world, slot), leg.lots.unsigned_abs(), false);
        }),
        _ => {}
    }
    orders
}

/// Return the mark of an instrument in ticks, at least one; 0 of one that was never listed.
fn mark_ticks_up<S: Store>(world: &World<S>, slot: u32) -> u32 {
    if !world.contains(instrument::ARENA, slot) {
        return 0;
    }
    let tick_value_atoms = world.instrument(slot, instrument::TICK_VALUE_ATOMS).max(1);
    let mark_atoms = mark_atoms(world, slot).unsigned_abs();
    u32::try_from(mark_atoms.div_ceil(tick_value_atoms)).unwrap_or(u32::MAX).max(1)
}

/// Return the value of a command's orders at their limits, or the fee of a combo. It stops at the
/// most that 128 bits hold: beyond every cap.
///
/// What may be sold counts for at least its mark: at a limit of next to nothing it could be given
/// away.
fn value_atoms<S: Store>(world: &World<S>, command: &Command) -> u128 {
    let is_combo = matches!(command, Command::CreateCombo(_));
    let fee_atoms = if is_combo { COMBO_FEE_ATOMS as u128 } else { 0 };
    orders_of(world, command).iter().fold(fee_atoms, |total: u128, order| {
        if order.price_ticks == 0 {
            return total;
        }
        let lots = order.lots as u128;
        total.saturating_add(counted_per_lot(world, order).saturating_mul(lots))
    })
}

fn counted_per_lot<S: Store>(world: &World<S>, order: &Order) -> u128 {
    let limit_atoms = gross_per_lot(world, order.instrument, order.price_ticks);
    let mark_atoms = u128::try_from(mark_atoms(world, order.instrument)).unwrap_or(0);
    if order.is_sold { limit_atoms.max(mark_atoms) } else { limit_atoms }
}

/// Return whether the session may trade the underlyings that a command names.
fn is_market_allowed<S: Store>(world: &World<S>, signer: u32, command: &Command) -> bool {
    let markets = world.signer(signer, signer::MARKETS);
    orders_of(world, command)
        .iter()
        .all(|order| markets >> world.instrument(order.instrument, instrument::UNDERLYING) & 1 == 1)
}

/// Return whether a transfer goes to an account of somebody else.
fn leaves_owner<S: Store>(world: &World<S>, command: &Command) -> bool {
    let (from, to) = match command {
        Command::Transfer(transfer) => (transfer.account, transfer.recipient),
        Command::PositionTransfer(transfer) => (transfer.account, transfer.recipient),
        _ => return false,
    };
    world.account_exists(to)
        && world.account(to, account::OWNER) != world.account(from, account::OWNER)
}

/// Give a key a slot, in place of the one that was there.
///
/// Rejects ARENA_FULL last; SESSION_OUT_OF_RANGE; SESSION_SCOPE_INVALID (no key, no action or one
/// that does not exist, or expired); SESSION_KEY_IN_USE.
pub fn grant_session<S: Store>(world: &mut World<S>, command: &GrantSession) -> Result<(), Reject> {
    let GrantSession { account, session, key, actions, markets, notional_cap_atoms, .. } = *command;
    let expires_ns = command.session_expires_ns;
    grant(world, &Grant { account, session, key, actions, markets, notional_cap_atoms, expires_ns })
}

/// Grant for an owner who asked on chain, and may be a contract.
///
/// Rejects ACCOUNT_NOT_FOUND, OWNER_MISMATCH; then as `grant_session`.
pub fn grant_request<S: Store>(world: &mut World<S>, command: &GrantRequest) -> Result<(), Reject> {
    let GrantRequest { account, session, key, actions, markets, notional_cap_atoms, .. } = *command;
    check_owner(world, account, &command.owner)?;
    let expires_ns = command.session_expires_ns;
    grant(world, &Grant { account, session, key, actions, markets, notional_cap_atoms, expires_ns })
}

fn grant<S: Store>(world: &mut World<S>, grant: &Grant) -> Result<(), Reject> {
    check_grant(world, grant)?;
    let Grant { account, session, key, actions, markets, notional_cap_atoms, expires_ns } = *grant;
    retire(world, account, session);
    let slot = world.allocate(signer::ARENA);
    world.set_account(account, account::SIGNERS.item(session as u32), slot);
    let nonce_floor = world.account(account, account::NONCE_FLOOR);
    world.set_signer(slot, signer::ADDRESS, key);
    world.set_signer(slot, signer::ACCOUNT, account);
    world.set_signer(slot, signer::NONCE_HIGHEST, nonce_floor);
    world.set_signer(slot, signer::NONCE_BITMAP, ALL_NONCES_USED);
    world.set_signer(slot, signer::EXPIRES_NS, expires_ns);
    world.set_signer(slot, signer::ACTIONS, actions);
    world.set_signer(slot, signer::MARKETS, markets);
    world.set_signer(slot, signer::NOTIONAL_CAP_ATOMS, notional_cap_atoms);
    let (account, session) = (grant.account, grant.session);
    SessionGranted {
        account,
        session,
        key,
        actions,
        markets,
        notional_cap_atoms,
        expires_ns,
        nonce_floor,
    }
    .encode(world.events);
    Ok(())
}

fn check_grant<S: Store>(world: &World<S>, grant: &Grant) -> Result<(), Reject> {
    check_session(grant.session)?;
    let is_scope = grant.key != NO_KEY
        && grant.actions != 0
        && is_every_action_known(grant.actions)
        && grant.expires_ns > world.header(global::WINDOW_NS);
    if !is_scope {
        return Err(Reject::SessionScopeInvalid);
    }
    let slot_of = |session| world.account(grant.account, account::SIGNERS.item(session));
    let own = grant.session as u32;
    let mut others = (0..SESSIONS_PER_ACCOUNT as u32).filter(|&other| other != own).map(slot_of);
    if others.any(|slot| slot != NO_SLOT && world.signer(slot, signer::ADDRESS) == grant.key) {
        return Err(Reject::SessionKeyInUse);
    }
    if slot_of(own) == NO_SLOT && !has_room(world) {
        return Err(Reject::ArenaFull);
    }
    Ok(())
}

fn check_session(session: u8) -> Result<(), Reject> {
    let is_session = session != OWNER_SESSION && (session as u64) < SESSIONS_PER_ACCOUNT;
    if is_session { Ok(()) } else { Err(Reject::SessionOutOfRange) }
}

fn is_every_action_known(actions: u32) -> bool {
    (0..u32::BITS as u8).all(|bit| actions >> bit & 1 == 0 || Action::try_from(bit).is_ok())
}

/// Return whether a signer is left beside one for every account that can still be made.
fn has_room<S: Store>(world: &World<S>) -> bool {
    let accounts_left = account::ARENA.capacity() - 1 - arena::live(world.store, account::ARENA);
    world.has_room(signer::ARENA, 1 + accounts_left)
}

/// Free the slot of a session, if it has a key, and raise the floor of later keys' nonces.
fn retire<S: Store>(world: &mut World<S>, account: u32, session: u8) {
    let place = account::SIGNERS.item(session as u32);
    let slot = world.account(account, place);
    if slot == NO_SLOT {
        return;
    }
    let floor = world.account(account, account::NONCE_FLOOR);
    let highest = world.signer(slot, signer::NONCE_HIGHEST);
    world.set_account(account, account::NONCE_FLOOR, floor.max(highest));
    world.set_account(account, place, NO_SLOT);
    world.free(signer::ARENA, slot);
}

/// End a session. Rejects SESSION_OUT_OF_RANGE, SESSION_NOT_GRANTED.
pub fn revoke_session<S: Store>(
    world: &mut World<S>,
    command: &RevokeSession,
) -> Result<(), Reject> {
    revoke(world, command.account, command.session)
}

/// Revoke for an owner who asked on chain.
///
/// Rejects ACCOUNT_NOT_FOUND, OWNER_MISMATCH; then as `revoke_session`.
pub fn revoke_request<S: Store>(
    world: &mut World<S>,
    command: &RevokeRequest,
) -> Result<(), Reject> {
    check_owner(world, command.account, &command.owner)?;
    revoke(world, command.account, command.session)
}

fn revoke<S: Store>(world: &mut World<S>, account: u32, session: u8) -> Result<(), Reject> {
    check_session(session)?;
    let slot = world.account(account, account::SIGNERS.item(session as u32));
    if slot == NO_SLOT {
        return Err(Reject::SessionNotGranted);
    }
    let key = world.signer(slot, signer::ADDRESS);
    SessionRevoked { account, session, key }.encode(world.events);
    retire(world, account, session);
    Ok(())
}

fn check_owner<S: Store>(world: &World<S>, account: u32, owner: &Address) -> Result<(), Reject> {
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    if world.account(account, account::OWNER) != *owner {
        return Err(Reject::OwnerMismatch);
    }
    Ok(())
}
