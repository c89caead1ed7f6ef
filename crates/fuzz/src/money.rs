//! The money of a state, counted anew.

use proofbook_kernel::arena::high_water;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{account, global, position};
use proofbook_kernel::store::Store;

/// Stop if the cash of all accounts and the entries of all positions are not what is in custody.
pub fn assert_conserved(state: &NativeStore) {
    let accounts = 1..high_water(state, account::ARENA);
    let positions = 1..high_water(state, position::ARENA);
    let cash: i128 =
        accounts.map(|slot| state.get(account::ARENA, slot, account::CASH_ATOMS)).sum();
    let entries: i128 =
        positions.map(|slot| state.get(position::ARENA, slot, position::ENTRY_ATOMS)).sum();
    let custody = state.get(global::ARENA, 0, global::CUSTODY_ATOMS);
    assert_eq!(cash + entries, custody, "cash and entries are what is in custody");
}
