//! Accounts: their nonces and their cash, with the interest that it costs below zero.

use crate::collateral_events::InterestPaid;
use crate::limits::{
    AMOUNT_ATOMS_MAX, FRACTION_ONE_PPM, FUND_ACCOUNT, NONCE_WINDOW, NS_PER_YEAR, Reject,
};
use crate::records::{account, global, parameters, signer};
use crate::rounding::ceil_div;
use crate::store::Store;
use crate::views::{Editor, Record};
use crate::world::{PARAMETERS_SLOT, World};

/// Accounts note the index of interest in 2^22 ppm · ns: 42 ns at 10 % a year. A year of 365 days
/// at one ppm is a whole number of such units.
const INDEX_UNIT_BITS: u32 = 22;

const UNITS_PER_YEAR: u128 = (FRACTION_ONE_PPM as u128 * NS_PER_YEAR as u128) >> INDEX_UNIT_BITS;

/// Return whether a nonce can be used. Nonces may come in any order within a window of 256.
pub fn check_nonce<S: Store>(world: &World<S>, signer: u32, nonce: u64) -> Result<(), Reject> {
    let signer = world.signer_record(signer);
    let below = signer.get(signer::NONCE_HIGHEST).checked_sub(nonce);
    if nonce == 0 || below.is_some_and(|distance| distance >= NONCE_WINDOW) {
        return Err(Reject::NonceTooOld);
    }
    let is_used =
        below.is_some_and(|distance| is_bit_set(&signer.get(signer::NONCE_BITMAP), distance));
    if is_used { Err(Reject::NonceUsed) } else { Ok(()) }
}

/// Mark a nonce that `check_nonce` let pass as used.
///
/// Bit i of the bitmap stands for nonce_highest − i.
pub fn consume_nonce<S: Store>(world: &mut World<S>, signer: u32, nonce: u64) {
    world.edit_signer(signer, |signer| {
        let highest = signer.get(signer::NONCE_HIGHEST);
        let mut bitmap = signer.get(signer::NONCE_BITMAP);
        if nonce > highest {
            bitmap = shift_up(&bitmap, nonce - highest);
            bitmap[0] |= 1;
            signer.set(signer::NONCE_HIGHEST, nonce);
        } else {
            let distance = (highest - nonce) as usize;
            bitmap[distance / 8] |= 1 << (distance % 8);
        }
        signer.set(signer::NONCE_BITMAP, bitmap);
    });
}

fn is_bit_set(bitmap: &[u8; 32], distance: u64) -> bool {
    let distance = distance as usize;
    bitmap[distance / 8] >> (distance % 8) & 1 == 1
}

/// Return the 256-bit little-endian number shifted towards its high end.
fn shift_up(bitmap: &[u8; 32], rise: u64) -> [u8; 32] {
    const HALF_BITS: u64 = u128::BITS as u64;
    let (low, high) = bitmap.split_at(size_of::<u128>());
    let number = |half: &[u8]| u128::from_le_bytes(half.try_into().expect("half of a word"));
    let (low, high) = (number(low), number(high));
    let (low, high) = match rise {
        0 => (low, high),
        1 => (low << 1, high << 1 | low >> (HALF_BITS - 1)),
        2..HALF_BITS => (low << rise, high << rise | low >> (HALF_BITS - rise)),
        HALF_BITS..NONCE_WINDOW => (0, low << (rise - HALF_BITS)),
        _ => (0, 0),
    };
    let mut shifted = [0; 32];
    shifted[..size_of::<u128>()].copy_from_slice(&low.to_le_bytes());
    shifted[size_of::<u128>()..].copy_from_slice(&high.to_le_bytes());
    shifted
}

/// Add atoms, which may be negative, to an account's cash: the one way in which it changes.
///
/// A debt pays its interest first, to the fund.
pub fn add_cash<S: Store>(world: &mut World<S>, account: u32, atoms: i128) {
    let amount_atoms = pending_interest_up(world, account);
    if amount_atoms > 0 {
        change_cash(world, account, -(amount_atoms as i128));
        change_cash(world, FUND_ACCOUNT as u32, amount_atoms as i128);
        InterestPaid { account, amount_atoms }.encode(world.events);
    }
    change_cash(world, account, atoms);
}

/// Return the cash of an account, less the interest that it owes.
#[inline]
pub fn cash_atoms<S: Store>(world: &World<S>, account: u32) -> i128 {
    let cash_atoms = world.account(account, account::CASH_ATOMS);
    if cash_atoms >= 0 {
        cash_atoms
    } else {
        cash_atoms - pending_interest_up(world, account) as i128
    }
}

/// Return what is owed with so much cash.
pub fn debt_of(cash_atoms: i128) -> i128 {
    (-cash_atoms).max(0)
}

/// Return what a debt has cost since its interest was last paid; the fund owes itself nothing.
///
/// Simple interest: what is not paid costs nothing itself until cash changes. A debt beyond all the
/// money that may be in custody costs no more than that much, nor does one time cost more.
///
/// Debt in atoms · ppm a year · ns. Rounds up: against the account.
pub fn pending_interest_up<S: Store>(world: &World<S>, account: u32) -> u64 {
    let debt_atoms = debt_of(world.account(account, account::CASH_ATOMS)) as u128;
    if debt_atoms == 0 || account as u64 == FUND_ACCOUNT {
        return 0;
    }
    let noted = world.account(account, account::INTEREST_INDEX);
    let units = index_units(world) - noted;
    // 2^60 · 2^62 at most.
    let due_atoms = ceil_div(debt_atoms.min(MOST) * units as u128, UNITS_PER_YEAR);
    due_atoms.min(MOST) as u64
}

/// The largest amount, as a factor.
const MOST: u128 = AMOUNT_ATOMS_MAX as u128;

/// Return what one atom of debt has cost since genesis, in ppm a year · ns.
///
/// At most 10^6 · 2^64, for that is the highest rate and the longest time.
pub fn interest_index<S: Store>(world: &World<S>) -> i128 {
    let rate_ppm = world.parameters(PARAMETERS_SLOT, parameters::DEBT_INTEREST_PPM);
    let elapsed_ns = world.header(global::WINDOW_NS) - world.header(global::INTEREST_NS);
    world.header(global::INTEREST_INDEX) + rate_ppm as i128 * elapsed_ns as i128
}

/// Return the index in the units of accounts.
fn index_units<S: Store>(world: &World<S>) -> u64 {
    (interest_index(world) >> INDEX_UNIT_BITS) as u64
}

/// Write the index down: what follows is at another rate.
pub fn pin_interest<S: Store>(world: &mut World<S>) {
    let index = interest_index(world);
    let now_ns = world.header(global::WINDOW_NS);
    world.set_header(global::INTEREST_INDEX, index);
    world.set_header(global::INTEREST_NS, now_ns);
}

/// Change cash and the sum of all debts, and note from when on a debt costs interest.
fn change_cash<S: Store>(world: &mut World<S>, account: u32, atoms: i128) {
    let before = world.account(account, account::CASH_ATOMS);
    let after = before + atoms;
    world.set_account(account, account::CASH_ATOMS, after);
    if before >= 0 && after >= 0 {
        return;
    }
    let debts_atoms = world.header(global::DEBT_ATOMS) + debt_of(after) - debt_of(before);
    world.set_header(global::DEBT_ATOMS, debts_atoms);
    let index = if after < 0 { index_units(world) } else { 0 };
    world.set_account(account, account::INTEREST_INDEX, index);
}
