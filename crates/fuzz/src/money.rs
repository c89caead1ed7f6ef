//! The money of a state, counted anew.

use proofbook_kernel::arena::high_water;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{account, global, instrument, position};
use proofbook_kernel::store::Store;

/// Stop if the cash of all accounts, the entries of all positions and the funding that they have not
/// paid are not what is in custody.
pub fn assert_conserved(state: &NativeStore) {
    let accounts = 1..high_water(state, account::ARENA);
    let positions = 1..high_water(state, position::ARENA);
    let cash: i128 =
        accounts.map(|slot| state.get(account::ARENA, slot, account::CASH_ATOMS)).sum();
    let entries: i128 =
        positions.map(|slot| state.get(position::ARENA, slot, position::ENTRY_ATOMS)).sum();
    let positions = 1..high_water(state, position::ARENA);
    let pending: i128 = positions.map(|slot| pending_atoms(state, slot)).sum();
    let custody = state.get(global::ARENA, 0, global::CUSTODY_ATOMS);
    assert_eq!(cash + entries - pending, custody, "cash and entries are what is in custody");
}

/// Return the funding that a position owes and has not paid.
fn pending_atoms(state: &NativeStore, slot: u32) -> i128 {
    let lots = state.get(position::ARENA, slot, position::LOTS) as i128;
    let listed = state.get(position::ARENA, slot, position::INSTRUMENT);
    let after = state.get(instrument::ARENA, listed, instrument::FUNDING_INDEX) as i128;
    lots * (after - state.get(position::ARENA, slot, position::FUNDING_INDEX) as i128)
}
