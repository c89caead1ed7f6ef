//! The money of a state, counted anew.

use proofbook_kernel::arena::{contains, high_water};
use proofbook_kernel::limits::TOKENS_MAX;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{account, global, instrument, position, risk_array, token};
use proofbook_kernel::store::Store;

/// Stop if what all accounts and positions hold of a token, with the funding that they have not
/// paid and what final marks still pay them, is not what is in custody of it.
pub fn assert_conserved(state: &NativeStore) {
    let accounts = 1..high_water(state, account::ARENA);
    let positions = 1..high_water(state, position::ARENA);
    let cash: i128 =
        accounts.clone().map(|slot| state.get(account::ARENA, slot, account::CASH_ATOMS)).sum();
    let entries: i128 =
        positions.map(|slot| state.get(position::ARENA, slot, position::ENTRY_ATOMS)).sum();
    let positions = 1..high_water(state, position::ARENA);
    let due: i128 =
        positions.map(|slot| final_atoms(state, slot) - pending_atoms(state, slot)).sum();
    let custody = state.get(global::ARENA, 0, global::CUSTODY_ATOMS);
    assert_eq!(cash + entries + due, custody, "cash and entries are what is in custody");
    let debts: i128 = accounts
        .clone()
        .map(|slot| (-state.get(account::ARENA, slot, account::CASH_ATOMS)).max(0))
        .sum();
    let counted = state.get(global::ARENA, 0, global::DEBT_ATOMS);
    assert_eq!(debts, counted, "debts are the cash below zero");
    for place in 0..TOKENS_MAX as u32 {
        let field = account::BALANCES_ATOMS.item(place);
        let held: i128 =
            accounts.clone().map(|slot| state.get(account::ARENA, slot, field) as i128).sum();
        let is_token = contains(state, token::ARENA, place + 1);
        let custody =
            if is_token { state.get(token::ARENA, place + 1, token::CUSTODY_ATOMS) } else { 0 };
        assert_eq!(held, custody, "balances of token {} are what is in custody", place + 1);
    }
}

/// Return the funding that a position owes and has not paid.
fn pending_atoms(state: &NativeStore, slot: u32) -> i128 {
    let lots = state.get(position::ARENA, slot, position::LOTS) as i128;
    let listed = state.get(position::ARENA, slot, position::INSTRUMENT);
    let after = state.get(instrument::ARENA, listed, instrument::FUNDING_INDEX) as i128;
    lots * (after - state.get(position::ARENA, slot, position::FUNDING_INDEX) as i128)
}

/// Return what a position is still paid for a final mark, 0 before there is one.
fn final_atoms(state: &NativeStore, slot: u32) -> i128 {
    let listed = state.get(position::ARENA, slot, position::INSTRUMENT);
    if state.get(instrument::ARENA, listed, instrument::SETTLED_NS) == 0 {
        return 0;
    }
    let mark_atoms = state.get(risk_array::ARENA, listed, risk_array::MARK_ATOMS) as i128;
    state.get(position::ARENA, slot, position::LOTS) as i128 * mark_atoms
}
