//! What there is to do about accounts below their margin, as the kernel would have it done.

use core::cmp::Ordering;

use proofbook_kernel::arena::{NO_SLOT, high_water};
use proofbook_kernel::deleveraging::is_due;
use proofbook_kernel::identifiers::instrument_id;
use proofbook_kernel::insurance::{holds_lots, holds_nothing};
use proofbook_kernel::limits::{AuctionPhase, FIRST_USER_ACCOUNT, NS_PER_MS};
use proofbook_kernel::liquidation::{Slice, has_live_orders, is_backed, is_near_best, slices};
use proofbook_kernel::liquidation_auctions::{is_current, is_exhausted, is_leg_live};
use proofbook_kernel::margin::is_below_maintenance;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::portfolio::{Portfolio, positions_alone};
use proofbook_kernel::records::{
    account, auction, deleveraging, global, instrument, parameters, position,
};
use proofbook_kernel::relief::Relief;
use proofbook_kernel::staleness::is_superseded;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::{PARAMETERS_SLOT, World};

use crate::sweep::Margin;
use proofbook_kernel::glance::ask;

/// What may be done about an account below maintenance margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// A Liquidate that would be applied now: the leg to name, 0 for the orders alone.
    Liquidate { account: u32, instrument: u32 },
    /// A StartAuction that would be applied now: slices are exhausted, or a phase is over; or the
    /// account is covered, and its auction ends.
    StartAuction { account: u32 },
    /// A Deleverage that would be applied now: what the account owes, nobody else takes on; or one
    /// that has begun, and halts a book until it is over.
    Deleverage { account: u32, instrument: u32 },
    /// Nothing before a time: the account cools down.
    Wait { until_ns: u64 },
}

/// Return the accounts below maintenance margin with their margins, the worst covered first.
pub fn below(margins: &[Margin]) -> Vec<(u32, Margin)> {
    let users = (0..).zip(margins).skip(FIRST_USER_ACCOUNT as usize);
    let mut below: Vec<_> =
        users.filter(|(_, each)| each.is_below()).map(|(account, each)| (account, *each)).collect();
    below.sort_by(|(_, a), (_, b)| a.coverage().total_cmp(&b.coverage()));
    below
}

/// Return what to do about accounts below maintenance margin, at a time that no window is before.
///
/// There is nothing to do about one none of whose positions can be closed.
pub fn duties(store: &NativeStore, below: &[(u32, Margin)], now_ns: u64) -> Vec<Duty> {
    let duty_of = |&(account, _): &(u32, Margin)| ask(store, |world| duty(world, account, now_ns));
    below.iter().filter_map(duty_of).collect()
}

/// Return those of the accounts whose orders initial margin no longer backs.
pub fn unbacked(store: &NativeStore, accounts: core::ops::Range<u32>) -> Vec<u32> {
    let is_unbacked = |account: &u32| {
        ask(store, |world| has_live_orders(world, *account) && !is_backed(world, *account))
    };
    accounts.filter(is_unbacked).collect()
}

/// Return a Deleverage for each that has begun, whoever is concerned.
pub fn unfinished(store: &NativeStore) -> Vec<Duty> {
    let slots = 1..high_water(store, instrument::ARENA);
    let running = |slot| store.get(instrument::ARENA, slot, instrument::DELEVERAGING);
    slots
        .filter(|&slot| running(slot) != NO_SLOT)
        .map(|slot| Duty::Deleverage {
            account: store.get(deleveraging::ARENA, running(slot), deleveraging::ACCOUNT),
            instrument: ask(store, |world| id_of(world, slot)),
        })
        .collect()
}

/// Return a StartAuction for each auction whose account is covered again, and ends it.
///
/// Its premium would rise all the while, and whoever bid first after another fall would get it all.
pub fn recovered(store: &NativeStore) -> Vec<Duty> {
    let slots = 1..high_water(store, auction::ARENA);
    let accounts = slots.map(|slot| store.get(auction::ARENA, slot, auction::ACCOUNT));
    let is_covered = |account: &u32| {
        ask(store, |world| !is_below_maintenance(world, &positions_alone(world, *account)))
    };
    accounts
        .filter(|&account| account != NO_SLOT)
        .filter(is_covered)
        .map(|account| Duty::StartAuction { account })
        .collect()
}

fn duty<S: Store>(world: &World<S>, account: u32, now_ns: u64) -> Option<Duty> {
    let held = positions_alone(world, account);
    let until_ns = cools_until_ns(world, account);
    let is_cooling = now_ns.max(world.header(global::WINDOW_NS)) < until_ns;
    let has_slices = !is_cooling && !held.is_insolvent();
    let leg = if has_slices { best_leg(world, &held) } else { None };
    if has_live_orders(world, account) {
        let instrument = leg.unwrap_or(0);
        return (!is_backed(world, account)).then_some(Duty::Liquidate { account, instrument });
    }
    if let Some(instrument) = leg {
        return Some(Duty::Liquidate { account, instrument });
    }
    if is_due(world, &held)
        && let Some(instrument) = closable_leg(world, account)
    {
        return Some(Duty::Deleverage { account, instrument });
    }
    if is_auction_due(world, &held) {
        return Some(Duty::StartAuction { account });
    }
    is_cooling.then_some(Duty::Wait { until_ns })
}

/// Return whether an auction is to begin, or to go on to its next phase.
fn is_auction_due<S: Store>(world: &World<S>, held: &Portfolio) -> bool {
    match world.account(held.account, account::AUCTION) {
        NO_SLOT => is_exhausted(world, held) && (holds_lots(held) || holds_nothing(world, held)),
        slot => !is_current(world, slot, held),
    }
}

/// Return from when on `liquidation::is_cooling` will say no.
fn cools_until_ns<S: Store>(world: &World<S>, account: u32) -> u64 {
    let cooldown_ms = world.parameters(PARAMETERS_SLOT, parameters::LIQUIDATION_COOLDOWN_MS);
    world.account(account, account::LIQUIDATED_NS) + cooldown_ms as u64 * NS_PER_MS
}

/// Return the instrument whose slice relieves most per cost, of those with a mark of now.
///
/// None if another one, which waits for a Remark, relieves so much more that it must go first.
fn best_leg<S: Store>(world: &World<S>, held: &Portfolio) -> Option<u32> {
    let useful: Vec<Slice> = slices(world, held.account, Relief::new(world, held))
        .filter(|slice| slice.relief_atoms > 0)
        .collect();
    let marked = useful.iter().filter(|slice| !is_superseded(world, slice.instrument));
    let best = marked.max_by(|a, b| by_relief_per_cost(a, b))?;
    is_near_best(world, best, useful.iter().copied()).then(|| id_of(world, best.instrument))
}

/// Return the first leg that holders on the other side may close now.
fn closable_leg<S: Store>(world: &World<S>, account: u32) -> Option<u32> {
    let is_closable = |slot: u32| {
        let phase = world.instrument(slot, instrument::AUCTION_PHASE);
        let is_running = world.instrument(slot, instrument::DELEVERAGING) != NO_SLOT;
        !is_running && phase == AuctionPhase::None as u8 && is_leg_live(world, slot)
    };
    let held =
        world.positions_of(account).filter(|&held| world.position(held, position::LOTS) != 0);
    let mut legs = held.map(|held| world.position(held, position::INSTRUMENT));
    legs.find(|&slot| is_closable(slot)).map(|slot| id_of(world, slot))
}

fn id_of<S: Store>(world: &World<S>, slot: u32) -> u32 {
    instrument_id(slot, world.instrument(slot, instrument::GENERATION))
}

/// Compare in floating point: the kernel asks for nine tenths of the best, not for the best.
fn by_relief_per_cost(a: &Slice, b: &Slice) -> Ordering {
    let ratio = |slice: &Slice| slice.relief_atoms as f64 / slice.cost_ppm_atoms as f64;
    ratio(a).total_cmp(&ratio(b))
}
