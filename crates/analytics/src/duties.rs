//! What there is to do about accounts below their margin, as the kernel would have it done.

use core::cmp::Ordering;

use proofbook_kernel::arena::NO_SLOT;
use proofbook_kernel::identifiers::instrument_id;
use proofbook_kernel::insurance::{holds_lots, holds_nothing};
use proofbook_kernel::limits::{FIRST_USER_ACCOUNT, NS_PER_MS};
use proofbook_kernel::liquidation::{Slice, has_live_orders, is_backed, slices};
use proofbook_kernel::liquidation_auctions::{is_current, is_exhausted};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::portfolio::positions_alone;
use proofbook_kernel::records::{account, auction, global, instrument, parameters};
use proofbook_kernel::relief::Relief;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::{PARAMETERS_SLOT, World};
use rayon::prelude::*;

use crate::glance::ask;
use crate::sweep::Margin;

/// What may be done about an account below maintenance margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// A Liquidate that would be applied now: the leg to name, 0 for the orders alone.
    Liquidate { account: u32, instrument: u32 },
    /// A StartAuction that would be applied now: slices are exhausted, or a phase is over.
    StartAuction { account: u32 },
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
    let below = below.par_iter();
    below.filter_map(|&(account, _)| ask(store, |world| duty(world, account, now_ns))).collect()
}

/// Return those of the accounts whose orders initial margin no longer backs.
pub fn unbacked(store: &NativeStore, accounts: core::ops::Range<u32>) -> Vec<u32> {
    let is_unbacked = |account: &u32| {
        ask(store, |world| has_live_orders(world, *account) && !is_backed(world, *account))
    };
    accounts.into_par_iter().filter(is_unbacked).collect()
}

fn duty<S: Store>(world: &World<S>, account: u32, now_ns: u64) -> Option<Duty> {
    if has_live_orders(world, account) && !is_backed(world, account) {
        return Some(Duty::Liquidate { account, instrument: 0 });
    }
    let running = world.account(account, account::AUCTION);
    let is_against_fund = running != NO_SLOT && world.auction(running, auction::INSOLVENT_NS) != 0;
    let until_ns = cools_until_ns(world, account);
    let is_cooling = now_ns.max(world.header(global::WINDOW_NS)) < until_ns;
    if !is_cooling
        && !is_against_fund
        && let Some(instrument) = best_leg(world, account)
    {
        return Some(Duty::Liquidate { account, instrument });
    }
    if is_auction_due(world, account, running) {
        return Some(Duty::StartAuction { account });
    }
    is_cooling.then_some(Duty::Wait { until_ns })
}

/// Return whether an auction is to begin, or to go on to its next phase.
fn is_auction_due<S: Store>(world: &World<S>, account: u32, running: u32) -> bool {
    if has_live_orders(world, account) {
        return false;
    }
    let held = positions_alone(world, account);
    match running {
        NO_SLOT => is_exhausted(world, &held) && (holds_lots(&held) || holds_nothing(world, &held)),
        slot => !is_current(world, slot, &held),
    }
}

/// Return from when on `liquidation::is_cooling` will say no.
fn cools_until_ns<S: Store>(world: &World<S>, account: u32) -> u64 {
    let cooldown_ms = world.parameters(PARAMETERS_SLOT, parameters::LIQUIDATION_COOLDOWN_MS);
    world.account(account, account::LIQUIDATED_NS) + cooldown_ms as u64 * NS_PER_MS
}

/// Return the instrument whose slice relieves most per cost.
fn best_leg<S: Store>(world: &World<S>, account: u32) -> Option<u32> {
    let held = positions_alone(world, account);
    let useful = slices(world, account, Relief::new(world, &held));
    let best = useful.filter(|slice| slice.relief_atoms > 0).max_by(by_relief_per_cost)?;
    let generation = world.instrument(best.instrument, instrument::GENERATION);
    Some(instrument_id(best.instrument, generation))
}

/// Compare in floating point: the kernel asks for nine tenths of the best, not for the best.
fn by_relief_per_cost(a: &Slice, b: &Slice) -> Ordering {
    let ratio = |slice: &Slice| slice.relief_atoms as f64 / slice.cost_ppm_atoms as f64;
    ratio(a).total_cmp(&ratio(b))
}
