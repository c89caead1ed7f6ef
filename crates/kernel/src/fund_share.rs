//! The fund's share: what one insolvency may cost it beyond what an account that owes still has.

use crate::arena::NO_SLOT;
use crate::limits::{FRACTION_ONE_PPM, FUND_ACCOUNT};
use crate::records::{account, auction, parameters};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Return the cash of the fund, 0 if it owes.
pub fn fund_atoms<S: Store>(world: &World<S>) -> i128 {
    world.account(FUND_ACCOUNT as u32, account::CASH_ATOMS).max(0)
}

/// Return what an insolvency that begins now may cost the fund. Rounds down.
pub fn share_down<S: Store>(world: &World<S>) -> i128 {
    let share_ppm = world.parameters(PARAMETERS_SLOT, parameters::FUND_SHARE_PPM) as i128;
    fund_atoms(world) * share_ppm / FRACTION_ONE_PPM as i128
}

/// Return what the fund may still pay for an account that is auctioned.
pub fn left_atoms<S: Store>(world: &World<S>, slot: u32) -> i128 {
    world.auction(slot, auction::FUND_ATOMS).min(fund_atoms(world))
}

/// Return what it may still pay for an account: once that is settled, what is left of it.
pub fn left_for<S: Store>(world: &World<S>, owing: u32) -> i128 {
    let slot = world.account(owing, account::AUCTION);
    match slot != NO_SLOT && world.auction(slot, auction::IS_FUND_BOUND) != 0 {
        true => left_atoms(world, slot),
        false => share_down(world),
    }
}
