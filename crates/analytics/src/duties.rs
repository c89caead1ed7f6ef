//! What there is to do about accounts below their margin, as the kernel would have it done.

use core::cmp::Ordering;

use proofbook_kernel::identifiers::instrument_id;
use proofbook_kernel::limits::FIRST_USER_ACCOUNT;
use proofbook_kernel::liquidation::{Slice, has_live_orders, is_backed, is_cooling, slices};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::portfolio::positions_alone;
use proofbook_kernel::records::instrument;
use proofbook_kernel::relief::Relief;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::World;
use rayon::prelude::*;

use crate::glance::ask;
use crate::sweep::Margin;

/// A Liquidate that would be applied now: the account, and the leg to name; 0 for its orders alone.
pub type Duty = (u32, u32);

/// Return what to do about accounts below maintenance margin, given all margins by account.
pub fn liquidations(store: &NativeStore, margins: &[Margin]) -> Vec<Duty> {
    let below = margins.par_iter().enumerate().skip(FIRST_USER_ACCOUNT as usize);
    let below = below.filter(|(_, margin)| margin.is_below());
    below.filter_map(|(account, _)| duty(store, account as u32)).collect()
}

/// Return the accounts whose orders initial margin no longer backs.
pub fn unbacked(store: &NativeStore, accounts: u32) -> Vec<Duty> {
    let users = (FIRST_USER_ACCOUNT as u32..accounts).into_par_iter();
    let unbacked = users.filter(|&account| {
        ask(store, |world| has_live_orders(world, account) && !is_backed(world, account))
    });
    unbacked.map(|account| (account, 0)).collect()
}

/// Return what to do about an account below maintenance margin: nothing while it cools down, or as
/// long as none of its positions can be closed.
fn duty(store: &NativeStore, account: u32) -> Option<Duty> {
    ask(store, |world| {
        if has_live_orders(world, account) && !is_backed(world, account) {
            return Some((account, 0));
        }
        if is_cooling(world, account) {
            return None;
        }
        Some((account, best_leg(world, account)?))
    })
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
