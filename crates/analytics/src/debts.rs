//! What there is to do about accounts that owe, as the kernel would have it done.

use core::ops::Range;

use proofbook_kernel::accounts::cash_atoms;
use proofbook_kernel::conversion::{is_due, is_running};
use proofbook_kernel::margin::settled_cash;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::portfolio::positions_alone;
use proofbook_kernel::records::account;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::World;

use proofbook_kernel::glance::ask;

/// What may be done about an account that owes, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debt {
    /// A StartConversion that would be applied now: it begins a sale, or ends one.
    StartConversion { account: u32 },
    /// A SettleVariation that would make a debt, or a larger one.
    SettleVariation { account: u32 },
}

/// Return what to do about those of the accounts that owe.
pub fn debts(store: &NativeStore, accounts: Range<u32>) -> Vec<Debt> {
    accounts.filter_map(|account| ask(store, |world| debt(world, account))).collect()
}

fn debt<S: Store>(world: &World<S>, account: u32) -> Option<Debt> {
    let settled_atoms = settled_cash(world, account);
    let is_begun = world.account(account, account::CONVERSION_NS) != 0;
    if settled_atoms >= 0 && !is_begun {
        return None;
    }
    if is_due(world, &positions_alone(world, account)) != is_begun
        || is_begun && !is_running(world, account)
    {
        return Some(Debt::StartConversion { account });
    }
    let is_unsettled = settled_atoms < cash_atoms(world, account).min(0);
    is_unsettled.then_some(Debt::SettleVariation { account })
}
