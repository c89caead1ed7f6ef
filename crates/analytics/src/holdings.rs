//! What the accounts hold, as read from their lists of positions.

use proofbook_kernel::arena::{NO_SLOT, high_water};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{account, owner, position, underlying};
use proofbook_kernel::store::Store;
use rayon::prelude::*;

use crate::lanes::Lanes;

/// Accounts that are read anew by one thread.
const READ_ALONE_MAX: usize = 512;

/// So many lots of an instrument.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub instrument: u32,
    pub lots: i64,
}

/// Positions of one expiry, side by side: where they end, of which underlying they are, and whether
/// that one ends with them.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub end: usize,
    pub underlying: u32,
    pub is_last: bool,
}

/// What an account holds in an underlying, in 1e-9 units, both directions added.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub underlying: u32,
    pub nanos: u128,
}

/// The positions of an account, those of one expiry side by side.
#[derive(Clone, Debug)]
pub struct Holding {
    pub positions: Vec<Held>,
    pub runs: Vec<Run>,
    pub sizes: Vec<Size>,
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
        runs: Vec::new(),
        sizes: Vec::new(),
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
    owned: Owned,
}

impl Holdings {
    /// Forget whatever is no longer as it was: with `touched`, slots of positions, only what
    /// concerns these; without, everything.
    pub fn forget(&mut self, store: &NativeStore, touched: Option<&[u32]>) {
        self.holdings.resize(high_water(store, account::ARENA) as usize, Holding::UNREAD);
        self.owners.resize(high_water(store, position::ARENA) as usize, 0);
        let is_wider = self.owned.resize(store);
        let Some(touched) = touched else {
            self.holdings.iter_mut().for_each(|holding| holding.is_current = false);
            return self.owned.read_all(store);
        };
        if is_wider {
            self.owned.read_all(store);
        }
        for &slot in touched.iter().filter(|&&slot| slot != NO_SLOT) {
            let owner = store.get(position::ARENA, slot, position::ACCOUNT);
            for account in [owner, self.owners[slot as usize]] {
                self.holdings[account as usize].is_current = false;
                self.owned.read(store, store.get(account::ARENA, account, account::OWNER_RECORD));
            }
        }
    }

    /// Read what was forgotten, and return all holdings by account.
    ///
    /// A few on the caller's thread: to wake another and to wait for it costs more.
    pub fn read(&mut self, store: &NativeStore, lanes: &Lanes) -> &[Holding] {
        let read = |(account, holding): (usize, &mut Holding)| {
            holding.read(store, account as u32, lanes);
            (account as u32, holding.slots.clone())
        };
        let is_stale = |(_, holding): &(usize, &mut Holding)| !holding.is_current;
        let few = self.holdings.iter().filter(|held| !held.is_current).count() <= READ_ALONE_MAX;
        let slots: Vec<_> = match few {
            true => self.holdings.iter_mut().enumerate().filter(is_stale).map(read).collect(),
            false => self.holdings.par_iter_mut().enumerate().filter(is_stale).map(read).collect(),
        };
        for (account, slots) in slots {
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

    /// Return what the owner of an account holds in an underlying, as it was read last.
    pub fn owned_nanos(&self, store: &NativeStore, account: u32, underlying: u32) -> u128 {
        let owner = store.get(account::ARENA, account, account::OWNER_RECORD);
        self.owned.nanos[owner as usize * self.owned.underlyings + underlying as usize]
    }
}

/// What owners hold by underlying, in 1e-9 units; those without a record, slot 0, nothing.
#[derive(Debug, Default)]
struct Owned {
    nanos: Vec<u128>,
    /// Slots of underlyings, that of nobody among them.
    underlyings: usize,
}

impl Owned {
    /// Make room; return whether everything has to be read anew.
    fn resize(&mut self, store: &NativeStore) -> bool {
        let before = self.underlyings;
        self.underlyings = high_water(store, underlying::ARENA) as usize;
        self.nanos.resize(high_water(store, owner::ARENA) as usize * self.underlyings, 0);
        self.underlyings != before
    }

    fn read_all(&mut self, store: &NativeStore) {
        for owner in 1..high_water(store, owner::ARENA) {
            self.read(store, owner);
        }
    }

    fn read(&mut self, store: &NativeStore, owner: u32) {
        if owner == NO_SLOT {
            return;
        }
        let row = &mut self.nanos[owner as usize * self.underlyings..][..self.underlyings];
        for (place, nanos) in (0..).zip(&mut row[1..]) {
            *nanos = store.get(owner::ARENA, owner, owner::GROSS_NANOS.item(place)) as u128;
        }
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
        self.lay_out(lanes);
        self.is_current = true;
    }

    /// Note where expiries and underlyings end, and how much is held of each of these.
    fn lay_out(&mut self, lanes: &Lanes) {
        let place_of = |held: &Held| lanes.places[held.instrument as usize];
        self.runs.clear();
        self.sizes.clear();
        let mut end = 0;
        for of_underlying in
            self.positions.chunk_by(|a, b| place_of(a).underlying == place_of(b).underlying)
        {
            let underlying = place_of(&of_underlying[0]).underlying;
            for run in of_underlying.chunk_by(|a, b| place_of(a) == place_of(b)) {
                end += run.len();
                self.runs.push(Run { end, underlying, is_last: false });
            }
            self.runs.last_mut().expect("a position at least").is_last = true;
            let size = |held: &Held| {
                held.lots.unsigned_abs() as u128 * lanes.lot_nanos[held.instrument as usize] as u128
            };
            let nanos = of_underlying.iter().map(size).sum();
            self.sizes.push(Size { underlying, nanos });
        }
    }
}

fn gross_lots(held: &[Held]) -> u128 {
    held.iter().map(|position| position.lots.unsigned_abs() as u128).sum()
}

#[cfg(test)]
impl Holding {
    /// Return the holding of positions that lie side by side already.
    pub fn of(positions: Vec<Held>, lanes: &Lanes) -> Self {
        let mut holding = Self { gross_lots: gross_lots(&positions), positions, ..Self::UNREAD };
        holding.lay_out(lanes);
        holding
    }
}
