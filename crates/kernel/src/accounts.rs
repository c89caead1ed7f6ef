//! Accounts: their nonces and their cash.

use crate::limits::{NONCE_WINDOW, Reject};
use crate::records::{account, signer};
use crate::store::Store;
use crate::world::World;

/// Return whether a nonce can be used. Nonces may come in any order within a window of 256.
pub fn check_nonce<S: Store>(world: &World<S>, signer: u32, nonce: u64) -> Result<(), Reject> {
    let highest = world.signer(signer, signer::NONCE_HIGHEST);
    let below = highest.checked_sub(nonce);
    if nonce == 0 || below.is_some_and(|distance| distance >= NONCE_WINDOW) {
        return Err(Reject::NonceTooOld);
    }
    let bitmap = world.signer(signer, signer::NONCE_BITMAP);
    let is_used = below.is_some_and(|distance| is_bit_set(&bitmap, distance));
    if is_used { Err(Reject::NonceUsed) } else { Ok(()) }
}

/// Mark a nonce that `check_nonce` let pass as used.
///
/// Bit i of the bitmap stands for nonce_highest − i.
pub fn consume_nonce<S: Store>(world: &mut World<S>, signer: u32, nonce: u64) {
    let highest = world.signer(signer, signer::NONCE_HIGHEST);
    let mut bitmap = world.signer(signer, signer::NONCE_BITMAP);
    if nonce > highest {
        bitmap = shift_up(&bitmap, nonce - highest);
        bitmap[0] |= 1;
        world.set_signer(signer, signer::NONCE_HIGHEST, nonce);
    } else {
        let distance = (highest - nonce) as usize;
        bitmap[distance / 8] |= 1 << (distance % 8);
    }
    world.set_signer(signer, signer::NONCE_BITMAP, bitmap);
}

fn is_bit_set(bitmap: &[u8; 32], distance: u64) -> bool {
    let distance = distance as usize;
    bitmap[distance / 8] >> (distance % 8) & 1 == 1
}

/// Return the 256-bit little-endian number shifted towards its high end.
fn shift_up(bitmap: &[u8; 32], rise: u64) -> [u8; 32] {
    let mut shifted = [0; 32];
    if rise >= NONCE_WINDOW {
        return shifted;
    }
    let (bytes, bits) = (rise as usize / 8, rise % 8);
    for to in bytes..32 {
        let carried = if to > bytes { bitmap[to - bytes - 1] } else { 0 };
        let pair = (bitmap[to - bytes] as u16) << 8 | carried as u16;
        shifted[to] = (pair << bits >> 8) as u8;
    }
    shifted
}

/// Add atoms, which may be negative, to an account's cash: the one way in which it changes.
pub fn add_cash<S: Store>(world: &mut World<S>, account: u32, atoms: i128) {
    let cash_atoms = world.account(account, account::CASH_ATOMS);
    world.set_account(account, account::CASH_ATOMS, cash_atoms + atoms);
}
