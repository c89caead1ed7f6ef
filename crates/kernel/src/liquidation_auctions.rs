//! Auctions of accounts below maintenance margin that slices do not bring back.
//!
//! A Dutch auction: bidders take legs at their marks, and the premium that they get for it rises
//! with time. While the account has equity, the premium comes from it, up to all of it for all the
//! risk. Once it has none, the premium comes from the fund, up to the maintenance margin of what is
//! taken, as far as one insolvency may cost the fund and what the account owes is paid first.

use alloc::vec::Vec;

use crate::accounts::add_cash;
use crate::arena::NO_SLOT;
use crate::events::PositionTransferred;
use crate::exposure::{Change, Exposure};
use crate::identifiers::instrument_slot;
use crate::limits::{FIRST_USER_ACCOUNT, FRACTION_ONE_PPM, FUND_ACCOUNT, NS_PER_SECOND, Reject};
use crate::liquidation_commands::{AuctionBid, BidLeg, StartAuction};
use crate::liquidation_events::{LiquidationAuctionStarted, LiquidationAuctionTaken};
use crate::margin_modes::instruments_max;
use crate::portfolio::{Portfolio, positions_alone};
use crate::position_limits::is_taking_beyond_reach;
use crate::positions::{find_position, mark_atoms, open_position, release_position, trade};
use crate::prices::is_marked;
use crate::records::{account, auction, global, node, parameters, position};
use crate::relief::Relief;
use crate::rules::Rules;
use crate::staleness::{is_stale, is_superseded};
use crate::store::Store;
use crate::trie::INSTRUMENT_DEPTH;
use crate::wide::{event_atoms, is_product_at_least, mul_div_down};
use crate::world::{PARAMETERS_SLOT, World};
use crate::{fund_share, insurance, liquidation, margin, states};

/// A phase takes bids for so many times as long as its premium rises: then it is old.
const LAPSE_FOLD: u64 = 2;

/// What a bidder gets for legs now: changes to his exposures, a premium, and their cost.
///
/// Their cost is what the legs are worth at their marks, less the premium.
#[derive(Clone, Debug)]
struct Offer {
    changes: Vec<Change>,
    premium_atoms: i128,
    cost_atoms: i128,
}

/// Auction an account, let its auction go on to its next phase, or end it.
///
/// Of an account that owes and holds nothing, the debt is covered at once.
///
/// Rejects ACCOUNT_NOT_FOUND; NOT_LIQUIDATABLE (the fund, the account of fees, or one above
/// maintenance margin); LIQUIDATION_AUCTION_RUNNING; LIQUIDATION_NOT_EXHAUSTED while there are
/// orders or slices are to be tried first, or nothing but tokens; ARENA_FULL.
pub fn start_auction<S: Store>(world: &mut World<S>, command: &StartAuction) -> Result<(), Reject> {
    let StartAuction { account } = *command;
    if !world.account_exists(account) {
        return Err(Reject::AccountNotFound);
    }
    if (account as u64) < FIRST_USER_ACCOUNT {
        return Err(Reject::NotLiquidatable);
    }
    let held = positions_alone(world, account);
    let slot = world.account(account, account::AUCTION);
    if slot != NO_SLOT {
        return go_on(world, slot, &held);
    }
    if !margin::is_below_maintenance(world, &held) {
        return Err(Reject::NotLiquidatable);
    }
    if liquidation::has_live_orders(world, account) || !is_exhausted(world, &held) {
        return Err(Reject::LiquidationNotExhausted);
    }
    if insurance::holds_nothing(world, &held) {
        insurance::cover(world, account);
        return Ok(());
    }
    if !insurance::holds_lots(&held) {
        return Err(Reject::LiquidationNotExhausted);
    }
    if !world.has_room(auction::ARENA, 1) {
        return Err(Reject::ArenaFull);
    }
    let slot = world.allocate(auction::ARENA);
    world.set_auction(slot, auction::ACCOUNT, account);
    world.set_account(account, account::AUCTION, slot);
    begin(world, slot, &held);
    Ok(())
}

fn seconds_ns<S: Store>(world: &World<S>, field: crate::field::U32) -> u64 {
    world.parameters(PARAMETERS_SLOT, field) as u64 * NS_PER_SECOND
}

/// Return whether slices are no longer to be waited for.
///
/// Too little equity is left, or the last slice was not filled lately, or none would relieve.
pub fn is_exhausted<S: Store>(world: &World<S>, held: &Portfolio) -> bool {
    let best_atoms = (held.equity_atoms + held.stale_high_atoms()).max(0) as u128;
    let relief = Relief::new(world, held);
    let required_atoms = relief.required_atoms as u128;
    let share_ppm = world.parameters(PARAMETERS_SLOT, parameters::AUCTION_MARGIN_PPM) as u128;
    let one_ppm = FRACTION_ONE_PPM as u128;
    if !is_product_at_least(best_atoms, one_ppm, required_atoms, share_ppm) {
        return true;
    }
    let remembered_ns = world.account(held.account, account::LIQUIDATED_NS)
        + seconds_ns(world, parameters::AUCTION_SECONDS);
    let is_missed = world.account(held.account, account::SLICE_MISSED) != 0;
    if is_missed && world.header(global::WINDOW_NS) < remembered_ns {
        return true;
    }
    let mut slices = liquidation::slices(world, held.account, relief);
    !slices.any(|each| each.relief_atoms > 0)
}

/// Start the phase that the account's equity is for.
///
/// What one insolvency may cost the fund is settled once: phases that alternate bring no more.
fn begin<S: Store>(world: &mut World<S>, slot: u32, held: &Portfolio) {
    let now_ns = world.header(global::WINDOW_NS);
    let is_insolvent = held.is_insolvent();
    world.set_auction(slot, auction::STARTED_NS, now_ns);
    world.set_auction(slot, auction::INSOLVENT_NS, if is_insolvent { now_ns } else { 0 });
    if is_insolvent && world.auction(slot, auction::IS_FUND_BOUND) == 0 {
        world.set_auction(slot, auction::FUND_ATOMS, fund_share::share_down(world));
        world.set_auction(slot, auction::IS_FUND_BOUND, 1);
    }
    LiquidationAuctionStarted {
        account: held.account,
        is_insolvent: is_insolvent as u8,
        fund_atoms: if is_insolvent {
            event_atoms(world.auction(slot, auction::FUND_ATOMS))
        } else {
            0
        },
    }
    .encode(world.events);
}

/// End the auction of an account that is covered; begin a phase anew if it is due.
fn go_on<S: Store>(world: &mut World<S>, slot: u32, held: &Portfolio) -> Result<(), Reject> {
    if !margin::is_below_maintenance(world, held) {
        insurance::end_auction(world, held.account);
        return Ok(());
    }
    if is_current(world, slot, held) {
        return Err(Reject::LiquidationAuctionRunning);
    }
    begin(world, slot, held);
    Ok(())
}

/// Return whether the auction is in the phase that the equity is for, and not too old.
pub fn is_current<S: Store>(world: &World<S>, slot: u32, held: &Portfolio) -> bool {
    let is_against_fund = world.auction(slot, auction::INSOLVENT_NS) != 0;
    if held.is_insolvent() != is_against_fund {
        return false;
    }
    let old_ns = world.auction(slot, auction::STARTED_NS) + LAPSE_FOLD * full_ns(world, slot);
    world.header(global::WINDOW_NS) < old_ns
}

/// Return how long the premium of the auction's phase rises.
pub fn full_ns<S: Store>(world: &World<S>, slot: u32) -> u64 {
    let is_solvent = world.auction(slot, auction::INSOLVENT_NS) == 0;
    let solvent_ns = seconds_ns(world, parameters::AUCTION_SECONDS);
    let insolvent_ns = seconds_ns(world, parameters::INSOLVENCY_SECONDS);
    (if is_solvent { solvent_ns } else { insolvent_ns }).max(1)
}

/// Take legs out of an auction at their marks, for its premium.
///
/// Rejects ACCOUNT_NOT_FOUND (the one that is auctioned); OWN_LIQUIDATION;
/// LIQUIDATION_AUCTION_NOT_FOUND (none that takes bids now); NOT_LIQUIDATABLE (the account covers
/// maintenance margin again); LEG_INVALID; BID_NOT_HELPFUL unless the legs lower maintenance
/// margin; BID_COST_ABOVE_MAX; INSTRUMENT_LIMIT, POSITION_LIMIT, ARENA_FULL; ACCOUNT_INSOLVENT if
/// the bidder is; INSUFFICIENT_MARGIN unless he is covered after it, or no worse for it.
pub fn auction_bid<S: Store>(world: &mut World<S>, command: &AuctionBid) -> Result<(), Reject> {
    let AuctionBid { account, target, .. } = *command;
    if !world.account_exists(target) {
        return Err(Reject::AccountNotFound);
    }
    if world.account(target, account::OWNER) == world.account(account, account::OWNER) {
        return Err(Reject::OwnLiquidation);
    }
    let held = positions_alone(world, target);
    let slot = world.account(target, account::AUCTION);
    if slot == NO_SLOT || !takes_bids(world, slot, &held) {
        return Err(Reject::LiquidationAuctionNotFound);
    }
    if !margin::is_below_maintenance(world, &held) {
        return Err(Reject::NotLiquidatable);
    }
    if !command.legs().all(|leg| is_leg_offered(world, target, &leg)) {
        return Err(Reject::LegInvalid);
    }
    let offer = offer_of(world, command, &held).ok_or(Reject::BidNotHelpful)?;
    if offer.cost_atoms > command.max_cost_atoms as i128 {
        return Err(Reject::BidCostAboveMax);
    }
    check_room(world, command)?;
    margin::check_trade(world, account, &offer.changes, -offer.premium_atoms)?;
    take(world, command, &offer);
    Ok(())
}

/// Return whether the auction is in the right phase; and against the fund, whether that pays the
/// debt.
///
/// If it does not, holders on the other side close the legs.
fn takes_bids<S: Store>(world: &World<S>, slot: u32, held: &Portfolio) -> bool {
    is_current(world, slot, held)
        && (world.auction(slot, auction::INSOLVENT_NS) == 0
            || insurance::is_paid_by_fund(world, slot, held))
}

/// Return whether the account holds what a leg names, and that `is_leg_live`.
///
/// At a stale mark bidders would take what is worth more, and leave what is worth less.
fn is_leg_offered<S: Store>(world: &World<S>, target: u32, leg: &BidLeg) -> bool {
    let slot = states::find_instrument(world, leg.instrument);
    let held = if slot == NO_SLOT { NO_SLOT } else { find_position(world, target, slot) };
    let held_lots = if held == NO_SLOT { 0 } else { world.position(held, position::LOTS) };
    let is_part =
        if leg.lots > 0 { leg.lots <= held_lots } else { leg.lots < 0 && held_lots <= leg.lots };
    is_part && is_leg_live(world, slot)
}

/// Return whether an instrument is freshly marked, and its book one in which trades may happen.
pub fn is_leg_live<S: Store>(world: &World<S>, slot: u32) -> bool {
    is_marked(world, slot)
        && !is_stale(world, slot)
        && !is_superseded(world, slot)
        && Rules::of(world, slot).trades
        && !states::is_expired(world, slot)
}

/// Return what the auction offers for the legs now, or None if that would relieve nothing.
fn offer_of<S: Store>(world: &World<S>, command: &AuctionBid, held: &Portfolio) -> Option<Offer> {
    let change_of = |leg: BidLeg, sign: i64| Change {
        instrument: instrument_slot(leg.instrument),
        exposure: Exposure::of_lots(sign * leg.lots),
    };
    let given: Vec<Change> = command.legs().map(|leg| change_of(leg, -1)).collect();
    let mut relief = Relief::new(world, held);
    let relief_atoms = relief.of(world, &given);
    if relief_atoms <= 0 {
        return None;
    }
    let slot = world.account(held.account, account::AUCTION);
    let required_atoms = relief.required_atoms as u128;
    let premium_atoms = premium_down(world, slot, held, required_atoms, relief_atoms as u128);
    let changes: Vec<Change> = command.legs().map(|leg| change_of(leg, 1)).collect();
    let value_of = |change: &Change| {
        change.exposure.lots as i128 * mark_atoms(world, change.instrument) as i128
    };
    let value_atoms: i128 = changes.iter().map(value_of).sum();
    Some(Offer { changes, premium_atoms, cost_atoms: value_atoms - premium_atoms })
}

/// Return the premium for so much relief now.
///
/// Of equity, its share of the relief, so that equity / maintenance does not fall; of the fund, the
/// relief itself, but what the account owes is left. Either is multiplied by the part of its time
/// that has passed.
///
/// Rounds down: against the bidder.
fn premium_down<S: Store>(
    world: &World<S>,
    slot: u32,
    held: &Portfolio,
    required_atoms: u128,
    relief_atoms: u128,
) -> i128 {
    let full_ns = full_ns(world, slot);
    let running_ns = world.header(global::WINDOW_NS) - world.auction(slot, auction::STARTED_NS);
    let (elapsed_ns, full_ns) = (running_ns.min(full_ns) as u128, full_ns as u128);
    if world.auction(slot, auction::INSOLVENT_NS) != 0 {
        let left_atoms = fund_share::left_atoms(world, slot) + held.equity_atoms;
        return (mul_div_down(relief_atoms, elapsed_ns, full_ns) as i128).min(left_atoms);
    }
    let equity_atoms = held.equity_atoms.max(0) as u128;
    let share_atoms = mul_div_down(equity_atoms, relief_atoms, required_atoms);
    mul_div_down(share_atoms, elapsed_ns, full_ns) as i128
}

/// Ask limits of the bidder and of the arenas: INSTRUMENT_LIMIT, POSITION_LIMIT, ARENA_FULL.
fn check_room<S: Store>(world: &World<S>, command: &AuctionBid) -> Result<(), Reject> {
    let owner = command.account;
    let rows = || command.legs().map(|leg| (instrument_slot(leg.instrument), leg.lots));
    let is_missing = |slot: u32| find_position(world, owner, slot) == NO_SLOT;
    let missing = rows().filter(|&(slot, _)| is_missing(slot)).count() as u32;
    let held_count = world.account(owner, account::POSITIONS_COUNT);
    if (held_count + missing) as u64 > instruments_max(world, owner) {
        return Err(Reject::InstrumentLimit);
    }
    if rows().any(|(slot, lots)| is_taking_beyond_reach(world, owner, slot, lots)) {
        return Err(Reject::PositionLimit);
    }
    let has_room = world.has_room(position::ARENA, missing)
        && world.has_room(node::ARENA, missing * INSTRUMENT_DEPTH);
    if has_room { Ok(()) } else { Err(Reject::ArenaFull) }
}

/// Move the legs at their marks, pay the premium, and settle what is left.
fn take<S: Store>(world: &mut World<S>, command: &AuctionBid, offer: &Offer) {
    let AuctionBid { account, target, .. } = *command;
    for leg in command.legs() {
        move_leg(world, command, &leg);
    }
    let slot = world.account(target, account::AUCTION);
    let is_from_fund = world.auction(slot, auction::INSOLVENT_NS) != 0;
    if is_from_fund {
        let fund_atoms = world.auction(slot, auction::FUND_ATOMS) - offer.premium_atoms;
        world.set_auction(slot, auction::FUND_ATOMS, fund_atoms);
    }
    let payer = if is_from_fund { FUND_ACCOUNT as u32 } else { target };
    add_cash(world, payer, -offer.premium_atoms);
    add_cash(world, account, offer.premium_atoms);
    LiquidationAuctionTaken {
        account: target,
        bidder: account,
        premium_atoms: event_atoms(offer.premium_atoms),
        is_from_fund: is_from_fund as u8,
    }
    .encode(world.events);
    insurance::settle(world, target);
}

fn move_leg<S: Store>(world: &mut World<S>, command: &AuctionBid, leg: &BidLeg) {
    let AuctionBid { account, target, .. } = *command;
    let slot = instrument_slot(leg.instrument);
    let mark_atoms = mark_atoms(world, slot);
    let source = find_position(world, target, slot);
    let taken = match find_position(world, account, slot) {
        NO_SLOT => open_position(world, account, slot),
        taken => taken,
    };
    let value_atoms = leg.lots as i128 * mark_atoms as i128;
    trade(world, source, -leg.lots, -value_atoms);
    trade(world, taken, leg.lots, value_atoms);
    PositionTransferred {
        account: target,
        recipient: account,
        instrument: leg.instrument,
        lots: leg.lots,
        mark_atoms,
    }
    .encode(world.events);
    release_position(world, source);
    release_position(world, taken);
}
