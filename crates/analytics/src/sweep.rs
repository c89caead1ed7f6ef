//! The sweep: equity and maintenance margin of every account.

use core::mem;
use core::ops::Range;

use proofbook_kernel::limits::{FRACTION_ONE_PPM, MarginMode, TOKENS_MAX};
use proofbook_kernel::margin::maintenance_margin_up;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::portfolio::portfolio;
use proofbook_kernel::records::{account, parameters};
use proofbook_kernel::rounding::ceil_div;
use proofbook_kernel::scenario_margin::{Totals, UnderlyingTotals, column_loss_up};
use proofbook_kernel::store::Store;
use proofbook_kernel::world::PARAMETERS_SLOT;

use crate::holdings::Holdings;
use crate::lanes::Lanes;
use crate::sums::{Sums, add_up};
use proofbook_kernel::glance::ask;

const ONE_PPM: u128 = FRACTION_ONE_PPM as u128;

/// What an account has and what it must keep, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// With every mark as it stands.
    pub equity_atoms: i128,
    /// How much more stale legs may be worth.
    pub stale_high_atoms: i128,
    pub maintenance_atoms: i128,
}

impl Margin {
    /// Return whether the account has less than it must keep, every stale leg at its best.
    pub fn is_below(&self) -> bool {
        self.equity_atoms + self.stale_high_atoms < self.maintenance_atoms
    }

    /// Return what there is of what must be kept, as a share. Who has less is worse off.
    pub fn coverage(&self) -> f64 {
        (self.equity_atoms + self.stale_high_atoms) as f64 / self.maintenance_atoms.max(1) as f64
    }
}

/// All accounts, with what is kept from one sweep to the next.
#[derive(Debug, Default)]
pub struct Sweep {
    holdings: Holdings,
    lanes: Lanes,
    factors: Factors,
}

impl Sweep {
    /// Read what all margins are made of; return how many accounts there are, slot 0 among them.
    ///
    /// `touched` are the slots of all positions written since the last sweep, if these are known.
    pub fn read(&mut self, store: &NativeStore, touched: Option<&[u32]>) -> usize {
        let before = mem::replace(&mut self.lanes, Lanes::of(store));
        self.factors = Factors::of(store);
        let touched = touched.filter(|_| self.lanes.continues(&before));
        self.holdings.forget(store, touched);
        self.holdings.read(store, &self.lanes).len()
    }

    /// Return the margins of accounts by slot, as they were read; the rest of an account is taken
    /// as it is now. On the caller's thread: another one is busy with the state machine, and to
    /// wait for it costs more than its share of the work.
    pub fn margins(&self, store: &NativeStore, accounts: Range<usize>) -> Vec<Margin> {
        accounts.map(|account| self.margin(store, account as u32)).collect()
    }

    /// Return what `margin::portfolio` and `margin::maintenance_margin_up` of the kernel say.
    fn margin(&self, store: &NativeStore, account: u32) -> Margin {
        let cash_atoms = store.get(account::ARENA, account, account::CASH_ATOMS);
        if has_tokens(store, account) || is_standard(store, account) || cash_atoms < 0 {
            return asked(store, account);
        }
        let (holding, factors) = (&self.holdings.all()[account as usize], &self.factors);
        let sums = add_up(holding, &self.lanes, factors.joint > 0);
        let column_loss = match factors.joint {
            0 => sums.column_loss as u128,
            _ => joint_loss_up(store, &sums),
        };
        let scenarios = column_loss + sums.shifts as u128;
        let maintenance = ceil_div(scenarios * factors.maintenance, ONE_PPM)
            + ceil_div(sums.naked as u128 * factors.naked, ONE_PPM)
            + self.concentration_up(store, account);
        Margin {
            equity_atoms: cash_atoms + holding.fixed_atoms + sums.value,
            stale_high_atoms: self.lanes.stale_high_up(&holding.positions),
            maintenance_atoms: maintenance as i128,
        }
    }

    /// Return what an account is charged for its size, with what its owner holds beside it.
    fn concentration_up(&self, store: &NativeStore, account: u32) -> u128 {
        if !self.lanes.is_size_charged() {
            return 0;
        }
        let sizes = self.holdings.all()[account as usize].sizes.iter();
        let charges = sizes.map(|size| {
            let owned_nanos = self.holdings.owned_nanos(store, account, size.underlying);
            self.lanes.concentration_up(store, size, owned_nanos)
        });
        charges.sum()
    }
}

/// What the governor has set, in ppm.
#[derive(Debug, Default)]
struct Factors {
    maintenance: u128,
    naked: u128,
    joint: u128,
}

impl Factors {
    fn of(store: &NativeStore) -> Self {
        let get = |field| store.get(parameters::ARENA, PARAMETERS_SLOT, field) as u128;
        Self {
            maintenance: get(parameters::MAINTENANCE_FACTOR_PPM),
            naked: get(parameters::NAKED_MAINTENANCE_PPM),
            joint: get(parameters::JOINT_PPM),
        }
    }
}

fn has_tokens(store: &NativeStore, account: u32) -> bool {
    (0..TOKENS_MAX as u32)
        .any(|place| store.get(account::ARENA, account, account::BALANCES_ATOMS.item(place)) > 0)
}

fn is_standard(store: &NativeStore, account: u32) -> bool {
    store.get(account::ARENA, account, account::MARGIN_MODE) == MarginMode::Standard as u8
}

/// Ask the kernel itself: tokens move within the columns, standard margin has none, and a debt
/// costs interest.
fn asked(store: &NativeStore, account: u32) -> Margin {
    ask(store, |world| {
        let held = portfolio(world, account, &[]);
        Margin {
            equity_atoms: held.equity_atoms,
            stale_high_atoms: held.stale_high_atoms(),
            maintenance_atoms: maintenance_margin_up(world, &held),
        }
    })
}

fn joint_loss_up(store: &NativeStore, sums: &Sums<i128>) -> u128 {
    let underlyings = sums.columns.iter().map(|&(number, columns)| UnderlyingTotals {
        number,
        columns,
        expiries: Vec::new(),
        gross_nanos: 0,
        stale_legs: 0,
    });
    let totals = Totals { underlyings: underlyings.collect() };
    ask(store, |world| column_loss_up(world, &totals, ONE_PPM))
}
