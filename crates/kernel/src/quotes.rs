//! Quotes: a market maker's bids and offers, many replaced under one signature.
//!
//! An account has one quote on each side of a book, and a new one takes its place. Margin is asked
//! once for a whole batch, as it would be once all of it rests.

use alloc::vec::Vec;

use crate::arena::NO_SLOT;
use crate::book;
use crate::cancellation::end_orders_if_due;
use crate::commands::{POST_ONLY_FLAG, Place, QUOTE_FLAG, Quote, QuoteBatch, SLIDE_FLAG};
use crate::debts;
use crate::events::QuoteRefused;
use crate::identifiers::instrument_slot;
use crate::ladder;
use crate::limits::{OrderType, PostOnly, Reject, Removal, SelfTradePrevention, TimeInForce};
use crate::margin::{self, Change, Exposure};
use crate::order_terms::{OrderTerms, check_instrument, check_terms};
use crate::orders::{Room, check_room, given_back, may_rest, rest, slid_ticks};
use crate::positions::{find_position, open_position, release_position};
use crate::protections;
use crate::records::{order, protection};
use crate::states::{self, Entering};
use crate::store::Store;
use crate::world::World;

/// Take the named quotes out of their books, then rest the new ones, each with its own outcome.
///
/// Margin is checked once, for all that could rest at the limits given. A quote that cannot rest is
/// refused by an event and leaves no quote of its side behind: the old one stood where its owner no
/// longer wants it.
///
/// Rejects PROTECTION_NOT_FOUND; ACCOUNT_INSOLVENT unless the batch only takes quotes out;
/// INSUFFICIENT_MARGIN unless it requires no more than what it replaces; DEBT_LIMIT if all its
/// quotes together could make too large a debt, and cost more than those that they replace.
pub fn quote_batch<S: Store>(world: &mut World<S>, command: &QuoteBatch) -> Result<(), Reject> {
    let account = command.account;
    if command.protection != 0
        && protections::find(world, account, command.protection as u64) == NO_SLOT
    {
        return Err(Reject::ProtectionNotFound);
    }
    let checks: Vec<Result<(), Reject>> =
        command.quotes().map(|quote| check_quote(world, command, &quote)).collect();
    let changes = changes(world, command, &checks);
    if !world.store.is_surely_covered(account, &changes) {
        check_margin(world, command, &checks, &changes)?;
    }
    if is_beyond_debt(world, command, &checks) {
        return Err(Reject::DebtLimit);
    }
    end_orders_if_due(world, account);
    for quote in command.quotes() {
        take_out(world, account, &quote);
    }
    for (place, (quote, check)) in command.quotes().zip(checks).enumerate() {
        if let Err(reject) = check.and_then(|()| rest_quote(world, command, &quote)) {
            refuse(world, command, place as u8, &quote, reject);
        }
    }
    Ok(())
}

/// Ask for ACCOUNT_INSOLVENT, INSUFFICIENT_MARGIN.
fn check_margin<S: Store>(
    world: &World<S>,
    command: &QuoteBatch,
    checks: &[Result<(), Reject>],
    changes: &[Change],
) -> Result<(), Reject> {
    let before = margin::portfolio(world, command.account, &[]);
    let places = |(quote, check): (Quote, &Result<(), Reject>)| quote.lots != 0 && check.is_ok();
    if before.is_insolvent() && command.quotes().zip(checks).any(places) {
        return Err(Reject::AccountInsolvent);
    }
    let after = margin::with_changes(world, &before, changes);
    if margin::covers(world, &after, 0) || margin::requires_no_more(world, &before, &after) {
        return Ok(());
    }
    Err(Reject::InsufficientMargin)
}

/// Check a quote by itself: instrument, frozen protection, terms, state.
fn check_quote<S: Store>(
    world: &World<S>,
    command: &QuoteBatch,
    quote: &Quote,
) -> Result<(), Reject> {
    check_instrument(world, quote.instrument)?;
    if quote.lots == 0 {
        return Ok(());
    }
    let protection = protections::find(world, command.account, command.protection as u64);
    if protection != NO_SLOT && protections::is_frozen(world, protection) {
        return Err(Reject::ProtectionFrozen);
    }
    let terms = OrderTerms {
        account: command.account,
        side: quote.side,
        price_ticks: quote.price_ticks,
        lots: quote.lots,
        max_fee_ppm: command.max_fee_ppm,
        is_reduce_only: false,
    };
    let slot = instrument_slot(quote.instrument);
    check_terms(world, slot, &terms)?;
    let entering = Entering { is_post_only: true, is_reduce_only: false, is_immediate: false };
    states::check_order(world, slot, entering)
}

/// Return what the batch adds to the account's exposures: new quotes, less old ones.
fn changes<S: Store>(
    world: &World<S>,
    command: &QuoteBatch,
    checks: &[Result<(), Reject>],
) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for (quote, check) in command.quotes().zip(checks) {
        let instrument = instrument_slot(quote.instrument);
        let mut exposure = old_exposure(world, command.account, &quote);
        if check.is_ok() && quote.lots != 0 {
            let Quote { side, price_ticks, lots, .. } = quote;
            let fee_ppm = command.max_fee_ppm;
            let reserve = margin::reserve_per_lot(world, instrument, side, price_ticks, fee_ppm);
            let reserve_atoms = lots as i128 * reserve as i128;
            exposure = exposure + margin::resting(side, lots as i64, reserve_atoms);
        }
        match changes.iter_mut().find(|change| change.instrument == instrument) {
            Some(change) => change.exposure = change.exposure + exposure,
            None => changes.push(Change { instrument, exposure }),
        }
    }
    changes.retain(|change| change.exposure != Exposure::default());
    changes
}

/// Return whether all new quotes together could make too large a debt, and cost more than the old.
fn is_beyond_debt<S: Store>(
    world: &World<S>,
    command: &QuoteBatch,
    checks: &[Result<(), Reject>],
) -> bool {
    let cost_of = |quote: &Quote| {
        let (slot, fee_ppm) = (instrument_slot(quote.instrument), command.max_fee_ppm);
        let per_lot = debts::outflow_per_lot(world, slot, quote.side, quote.price_ticks, fee_ppm);
        quote.lots as i128 * per_lot
    };
    let rests = |(quote, check): &(Quote, &Result<(), Reject>)| check.is_ok() && quote.lots != 0;
    let checked = command.quotes().zip(checks).filter(rests);
    let outflow = checked.map(|(quote, _)| cost_of(&quote)).sum();
    if !debts::is_beyond_limit(world, command.account, outflow) {
        return false;
    }
    let old = command.quotes().map(|quote| match live_quote(world, command.account, &quote) {
        NO_SLOT => 0,
        slot => debts::order_outflow(world, slot),
    });
    outflow > old.sum()
}

/// Return the slot of the order that a quote replaces, or 0.
fn old_quote<S: Store>(world: &World<S>, account: u32, quote: &Quote) -> u32 {
    if check_instrument(world, quote.instrument) == Err(Reject::InstrumentNotFound) {
        return NO_SLOT;
    }
    match find_position(world, account, instrument_slot(quote.instrument)) {
        NO_SLOT => NO_SLOT,
        held => world.position(held, book::quote_field(quote.side as u8)),
    }
}

/// Return the slot of the order that a quote replaces if it still counts, or 0.
fn live_quote<S: Store>(world: &World<S>, account: u32, quote: &Quote) -> u32 {
    match old_quote(world, account, quote) {
        slot if slot != NO_SLOT && ladder::is_epoch_over(world, slot) => NO_SLOT,
        slot => slot,
    }
}

/// Return what taking the old quote out changes.
fn old_exposure<S: Store>(world: &World<S>, account: u32, quote: &Quote) -> Exposure {
    match live_quote(world, account, quote) {
        NO_SLOT => Exposure::default(),
        slot => given_back(world, slot),
    }
}

fn take_out<S: Store>(world: &mut World<S>, account: u32, quote: &Quote) {
    let slot = old_quote(world, account, quote);
    if slot != NO_SLOT {
        let held = world.order(slot, order::POSITION);
        book::remove_order(world, slot, Removal::Replaced);
        release_position(world, held);
    }
}

/// Rest one quote, all old ones being out of the way.
fn rest_quote<S: Store>(
    world: &mut World<S>,
    command: &QuoteBatch,
    quote: &Quote,
) -> Result<(), Reject> {
    if quote.lots == 0 {
        return Ok(());
    }
    let (slot, account) = (instrument_slot(quote.instrument), command.account);
    let Quote { side, lots, mut price_ticks, .. } = *quote;
    if command.post_only == PostOnly::Slide {
        price_ticks = slid_ticks(world, slot, side, price_ticks);
    }
    if !may_rest(world, slot, side, price_ticks) {
        return Err(Reject::PostOnlyWouldCross);
    }
    let taken_out = Exposure::default();
    check_room(
        world,
        &Room {
            account,
            instrument: slot,
            side,
            lots,
            taken_out,
            is_new: true,
            may_rest: true,
            is_reduce_only: false,
        },
    )?;
    let held = match find_position(world, account, slot) {
        NO_SLOT => open_position(world, account, slot),
        held => held,
    };
    let reserve_per_lot =
        margin::reserve_per_lot(world, slot, side, price_ticks, command.max_fee_ppm);
    let order = order_of(command, quote, price_ticks);
    let resting = rest(world, &order, held, lots, reserve_per_lot);
    mark_as_quote(world, command, resting);
    Ok(())
}

/// Return a quote as the order that it is in its book.
fn order_of(command: &QuoteBatch, quote: &Quote, price_ticks: u32) -> Place {
    Place {
        account: command.account,
        nonce: command.nonce,
        expires_ns: command.expires_ns,
        instrument: quote.instrument,
        side: quote.side,
        order_type: OrderType::Limit,
        price_ticks,
        lots: quote.lots,
        time_in_force: TimeInForce::GoodTillCancelled,
        flags: match command.post_only {
            PostOnly::Slide => POST_ONLY_FLAG | SLIDE_FLAG,
            _ => POST_ONLY_FLAG,
        },
        self_trade_prevention: SelfTradePrevention::CancelMaker,
        group: 0,
        max_fee_ppm: command.max_fee_ppm,
        label: [0; 8],
    }
}

/// Let the position know the order as its quote, and the order its protection.
fn mark_as_quote<S: Store>(world: &mut World<S>, command: &QuoteBatch, slot: u32) {
    let flags = world.order(slot, order::FLAGS) | QUOTE_FLAG;
    world.set_order(slot, order::FLAGS, flags);
    let held = world.order(slot, order::POSITION);
    let field = book::quote_field(world.order(slot, order::SIDE));
    world.set_position(held, field, slot);
    let protection = protections::find(world, command.account, command.protection as u64);
    if protection != NO_SLOT {
        let epoch = world.protection(protection, protection::EPOCH);
        world.set_order(slot, order::PROTECTION, command.protection as u16);
        world.set_order(slot, order::PROTECTION_EPOCH, epoch);
    }
}

fn refuse<S: Store>(
    world: &mut World<S>,
    command: &QuoteBatch,
    place: u8,
    quote: &Quote,
    reject: Reject,
) {
    QuoteRefused {
        place,
        account: command.account,
        instrument: quote.instrument,
        side: quote.side as u8,
        nonce: command.nonce,
        reason: reject as u8,
    }
    .encode(world.events);
}
