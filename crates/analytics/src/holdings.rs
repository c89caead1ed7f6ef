//! What the accounts hold, as read from their lists of positions.

use proofbook_kernel::arena::{NO_SLOT, high_water};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{account, position};
use proofbook_kernel::store::Store;
use rayon::prelude::*;

use crate::lanes::Lanes;

/// So many lots of an instrument.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub instrument: u32,
    pub lots: i64,
}

/// The positions of an account, those of one expiry side by side.
#[derive(Clone, Debug)]
pub struct Holding {
    pub positions: Vec<Held>,
    /// What does not move with marks and funding: entries, and the funding index at which each
    /// position was settled last, times its lots.
    pub fixed_atoms: i128,
    /// Lots without their signs, all together.
    pub gross_lots: u128,
    slots: Vec<u32>,
    is_current: bool,
}

impl Holding {
    /// Nothing is known of an account yet.
    const UNREAD: Self = Self {
        positions: Vec::new(),
        fixed_atoms: 0,
        gross_lots: 0,
        slots: Vec::new(),
        is_current: false,
    };
}

/// The holdings of all accounts, by slot. They are kept from one reading of the state to the next:
/// only those are read again of which a position was written.
#[derive(Debug, Default)]
pub struct Holdings {
    holdings: Vec<Holding>,
    /// Whose position a slot was when it was read last.
    owners: Vec<u32>,
}

impl Holdings {
    /// Forget whatever is no longer as it was: with `touched`, slots of positions, only what
    /// concerns these; without, everything.
    pub fn forget(&mut self, store: &NativeStore, touched: Option<&[u32]>) {
        self.holdings.resize(high_water(store, account::ARENA) as usize, Holding::UNREAD);
        self.owners.resize(high_water(store, position::ARENA) as usize, 0);
        let Some(touched) = touched else {
            return self.holdings.iter_mut().for_each(|holding| holding.is_current = false);
        };
        for &slot in touched.iter().filter(|&&slot| slot != NO_SLOT) {
            let owner = store.get(position::ARENA, slot, position::ACCOUNT);
            for account in [owner, self.owners[slot as usize]] {
                self.holdings[account as usize].is_current = false;
            }
        }
    }

    /// Read what was forgotten, and return all holdings by account.
    pub fn read(&mut self, store: &NativeStore, lanes: &Lanes) -> &[Holding] {
        let stale = self.holdings.par_iter_mut().enumerate().filter(|(_, held)| !held.is_current);
        let read = stale.map(|(account, holding)| {
            holding.read(store, account as u32, lanes);
            (account as u32, holding.slots.clone())
        });
        for (account, slots) in read.collect::<Vec<_>>() {
            for slot in slots {
                self.owners[slot as usize] = account;
            }
        }
        &self.holdings
    }

    /// Return all holdings by account, as they were read last.
    pub fn all(&self) -> &[Holding] {
        &self.holdings
    }
}

impl Holding {
    fn read(&mut self, store: &NativeStore, account: u32, lanes: &Lanes) {
        self.positions.clear();
        self.slots.clear();
        self.fixed_atoms = 0;
        let mut slot = store.get(account::ARENA, account, account::POSITIONS_HEAD);
        while slot != NO_SLOT {
            self.slots.push(slot);
            let instrument = store.get(position::ARENA, slot, position::INSTRUMENT);
            let lots = store.get(position::ARENA, slot, position::LOTS);
            let settled = store.get(position::ARENA, slot, position::FUNDING_INDEX);
            self.positions.push(Held { instrument, lots });
            self.fixed_atoms += store.get(position::ARENA, slot, position::ENTRY_ATOMS);
            self.fixed_atoms += lots as i128 * settled as i128;
            slot = store.get(position::ARENA, slot, position::NEXT_IN_ACCOUNT);
        }
        self.gross_lots = gross_lots(&self.positions);
        self.positions.sort_unstable_by_key(|held| lanes.order(held.instrument));
        self.is_current = true;
    }
}

fn gross_lots(held: &[Held]) -> u128 {
    held.iter().map(|position| position.lots.unsigned_abs() as u128).sum()
}

#[cfg(test)]
impl Holding {
    /// Return the holding of positions that lie side by side already.
    pub fn of(positions: Vec<Held>) -> Self {
        Self { gross_lots: gross_lots(&positions), positions, ..Self::UNREAD }
    }
}
