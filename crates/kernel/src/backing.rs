//! Backing: whether the account of a resting order can pay for its next fill.
//!
//! Margin is asked for when an order is placed, and marks move while it rests: its fill may leave
//! an account owing. A fill at the mark or better costs nothing and is never in question. After any
//! other the account must still have equity. To see that its positions are added up; a command adds
//! up so many of them and no more.

use crate::accounts::cash_atoms;
use crate::arena::NO_SLOT;
use crate::collateral;
use crate::funding::pending_atoms;
use crate::limits::{BACKING_LEGS_MAX, FRACTION_ONE_PPM, Side};
use crate::margin;
use crate::positions::{find_position, mark_atoms};
use crate::prices::{Part, Parts, legs_of};
use crate::records::{account, order, position};
use crate::staleness::interval_ppm;
use crate::store::Store;
use crate::world::World;

/// How many positions of makers a command has looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    legs: u64,
}

impl Effort {
    pub fn is_spent(&self) -> bool {
        self.legs >= BACKING_LEGS_MAX
    }
}

/// What fills in a book are to an account: signed lots, and what equity at marks loses by them.
///
/// The cost is the price against the mark, plus the fee; negative where the account gains.
#[derive(Clone, Copy, Debug, Default)]
pub struct Burden {
    pub lots: i64,
    pub cost_atoms: i128,
}

impl core::ops::Add for Burden {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { lots: self.lots + other.lots, cost_atoms: self.cost_atoms + other.cost_atoms }
    }
}

/// Return what a fill of an order at a price would be to its account.
pub fn burden_of<S: Store>(
    world: &World<S>,
    slot: u32,
    lots: u64,
    price_ticks: u32,
    fee_atoms: u64,
) -> Burden {
    let instrument = world.order(slot, order::INSTRUMENT);
    let (side, signed_lots) = match world.order(slot, order::SIDE) == Side::Buy as u8 {
        true => (Side::Buy, lots as i64),
        false => (Side::Sell, -(lots as i64)),
    };
    let adverse_atoms = margin::adverse_per_lot(world, instrument, side, price_ticks);
    let cost_atoms = lots as i128 * adverse_atoms + fee_atoms as i128;
    Burden { lots: signed_lots, cost_atoms }
}

/// Return whether a fill costs its account nothing: price, fee, and what the mark may be off by.
pub fn is_free<S: Store>(world: &World<S>, slot: u32, fill: Burden) -> bool {
    let instrument = world.order(slot, order::INSTRUMENT);
    let least_ppm = least_profit_ppm(world, &lots_of(world, instrument, fill.lots));
    fill.cost_atoms * FRACTION_ONE_PPM as i128 <= least_ppm
}

/// Return whether an order's account can pay for a fill, after those that came earlier on paper.
///
/// It can if that leaves equity, every stale leg at its worst, that is not below zero.
pub fn can_bear<S: Store>(
    world: &World<S>,
    slot: u32,
    fill: Burden,
    effort: &mut Effort,
    earlier: Burden,
) -> bool {
    let account = world.order(slot, order::ACCOUNT);
    effort.legs += world.account(account, account::POSITIONS_COUNT) as u64;
    let both = earlier + fill;
    let changes = lots_of(world, world.order(slot, order::INSTRUMENT), both.lots);
    secured_after(world, account, changes) >= both.cost_atoms
}

/// Return what lots bought at the mark are worth at least, in 1e-6 atoms: at most 0.
fn least_profit_ppm<S: Store>(world: &World<S>, bought: &Parts) -> i128 {
    bought.iter().map(|part| low_ppm(world, part.instrument, part.ratio)).sum()
}

/// Return how far below its mark a position may be worth, in 1e-6 atoms.
#[inline]
fn low_ppm<S: Store>(world: &World<S>, instrument: u32, lots: i64) -> i128 {
    if lots == 0 {
        return 0;
    }
    let (low, high) = interval_ppm(world, instrument);
    lots as i128 * if lots > 0 { low } else { high }
}

/// Return what lots of an instrument are: themselves, or the legs of a combo.
fn lots_of<S: Store>(world: &World<S>, instrument: u32, lots: i64) -> Parts {
    let mut parts = Parts::default();
    for leg in legs_of(world, instrument).iter() {
        parts.push(Part { instrument: leg.instrument, ratio: leg.ratio * lots });
    }
    if parts.is_empty() {
        parts.push(Part { instrument, ratio: lots });
    }
    parts
}

/// Return equity with every stale leg at its worst, with lots traded at their marks.
fn secured_after<S: Store>(world: &World<S>, account: u32, traded: Parts) -> i128 {
    let balances = collateral::balances_of(world, account, &[]);
    let cash_atoms = cash_atoms(world, account) + collateral::value_atoms(world, &balances);
    let (tokens_below_ppm, _) = collateral::stale_interval_ppm(world, &balances);
    let (value_atoms, below_ppm) = worth(world, account);
    let below_ppm = tokens_below_ppm + below_ppm + moved_below_ppm(world, account, &traded);
    cash_atoms + value_atoms + below_ppm.div_euclid(FRACTION_ONE_PPM as i128)
}

/// Return what an account's positions are worth, and how far below that, in 1e-6 atoms, they may
/// be.
fn worth<S: Store>(world: &World<S>, account: u32) -> (i128, i128) {
    if let Some(worth) = world.store.known_worth(account) {
        return worth;
    }
    let (mut value_atoms, mut below_ppm) = (0, 0);
    for slot in world.positions_of(account) {
        let instrument = world.position(slot, position::INSTRUMENT);
        let lots = world.position(slot, position::LOTS);
        if lots != 0 {
            value_atoms += lots as i128 * mark_atoms(world, instrument) as i128;
            value_atoms += world.position(slot, position::ENTRY_ATOMS);
            value_atoms -= pending_atoms(world, slot);
            below_ppm += low_ppm(world, instrument, lots);
        }
    }
    (value_atoms, below_ppm)
}

/// Return by how much positions may be worth less, in 1e-6 atoms, with lots traded than without.
fn moved_below_ppm<S: Store>(world: &World<S>, account: u32, traded: &Parts) -> i128 {
    let moved_of = |part: Part| {
        let lots = match find_position(world, account, part.instrument) {
            NO_SLOT => 0,
            held => world.position(held, position::LOTS),
        };
        let after_ppm = low_ppm(world, part.instrument, lots + part.ratio);
        after_ppm - low_ppm(world, part.instrument, lots)
    };
    traded.iter().map(moved_of).sum()
}
