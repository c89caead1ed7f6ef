//! Holdings kept from one command to the next: margin then costs what a command changes, and not
//! all that its account holds.
//!
//! The store tells what is written. A position written is taken out of its account's holdings, and
//! added anew when somebody asks for them. A write to what all positions are valued by, time beyond
//! which a mark counts otherwise, or another epoch of the account's orders: all of them are added
//! up again when somebody asks. None of this enters the state; a store without it adds up each
//! time, to the same.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::arena::NO_SLOT;
use crate::field::{Field, WORD_BYTES};
use crate::glance::ask;
use crate::holdings::{Holding, Holdings};
use crate::limits::ArenaId;
use crate::native::NativeStore;
use crate::records::{expiry, global, instrument, position, underlying};
use crate::staleness::steady_until_ns;
use crate::store::Store;
use crate::touched::Touched;
use crate::world::World;

/// Holdings of the accounts that were asked about.
#[derive(Clone, Default)]
pub struct KeptHoldings {
    accounts: Vec<Option<Box<Kept>>>,
    /// Where each position, by slot, is counted.
    places: Vec<Place>,
    written: Touched,
    market_version: u64,
}

/// Of which account's holdings a position is, and which row, or none as long as it is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    account: u32,
    row: Option<u32>,
}

/// What one account holds, and for how long that can be believed.
#[derive(Clone, Debug)]
struct Kept {
    holdings: Holdings,
    /// Beside each of its exposures: the slot of the position, and what was fixed of it.
    rows: Vec<(u32, i128)>,
    /// Positions that have been written since, and are left out.
    left_out: Vec<u32>,
    market_version: u64,
    live_epoch: u32,
    steady_until_ns: u64,
}

impl KeptHoldings {
    /// Take notice of a write.
    #[inline(always)]
    pub fn note(&mut self, arena: ArenaId, index: u32) {
        if matches!(arena, ArenaId::Positions) {
            self.written.add(index / position::ARENA.words_per_record);
        } else if moves_market(arena, index) {
            self.market_version += 1;
        }
    }

    /// Return what an account holds.
    pub fn of(&mut self, store: &NativeStore, account: u32) -> &Holdings {
        ask(store, |world| {
            self.leave_out_written(world);
            if self.accounts.len() <= account as usize {
                self.accounts.resize(account as usize + 1, None);
            }
            let is_current = |kept: &Kept| {
                kept.is_valued_as(world, self.market_version)
                    && kept.live_epoch == world.live_epoch(account)
            };
            if !self.accounts[account as usize].as_deref().is_some_and(is_current) {
                self.forget(account);
                self.begin(world, account);
            }
            self.add_left_out(world, account);
        });
        &self.accounts[account as usize].as_ref().expect("begun").holdings
    }

    /// Take what was written out of the holdings that it is in, and note whose it is now.
    fn leave_out_written<S: Store>(&mut self, world: &World<S>) {
        for slot in self.written.take().into_iter().filter(|slot| *slot != NO_SLOT) {
            let place = *self.place_mut(slot);
            if let Some(row) = place.row {
                self.take_out(world, place.account, row);
            }
            let account = world.position(slot, position::ACCOUNT);
            let is_noted = self.places[slot as usize].account == account;
            if let Some(Some(kept)) = self.accounts.get_mut(account as usize)
                && !is_noted
            {
                kept.left_out.push(slot);
                self.places[slot as usize] = Place { account, row: None };
            }
        }
    }

    fn place_mut(&mut self, slot: u32) -> &mut Place {
        if self.places.len() <= slot as usize {
            self.places.resize(slot as usize + 1, Place::default());
        }
        &mut self.places[slot as usize]
    }

    /// Take a row out of an account's holdings, or forget them if it does not count any more as it
    /// did.
    fn take_out<S: Store>(&mut self, world: &World<S>, account: u32, row: u32) {
        let kept = self.accounts[account as usize].as_mut().expect("a place in what is kept");
        if !kept.is_valued_as(world, self.market_version) {
            return self.forget(account);
        }
        let (slot, fixed_atoms) = kept.rows.swap_remove(row as usize);
        kept.holdings.take_out(world, row as usize, fixed_atoms);
        if let Some((moved, _)) = kept.rows.get(row as usize) {
            self.places[*moved as usize].row = Some(row);
        }
        self.places[slot as usize] = Place::default();
    }

    fn forget(&mut self, account: u32) {
        let Some(kept) = self.accounts[account as usize].take() else { return };
        let rows = kept.rows.iter().map(|(slot, _)| slot);
        for &slot in rows.chain(&kept.left_out) {
            let place = &mut self.places[slot as usize];
            if place.account == account {
                *place = Place::default();
            }
        }
    }

    /// Leave all positions of an account out.
    fn begin<S: Store>(&mut self, world: &World<S>, account: u32) {
        let left_out: Vec<u32> = world.positions_of(account).collect();
        for &slot in &left_out {
            *self.place_mut(slot) = Place { account, row: None };
        }
        self.accounts[account as usize] = Some(Box::new(Kept {
            holdings: Holdings::default(),
            rows: Vec::new(),
            left_out,
            market_version: self.market_version,
            live_epoch: world.live_epoch(account),
            steady_until_ns: u64::MAX,
        }));
    }

    fn add_left_out<S: Store>(&mut self, world: &World<S>, account: u32) {
        let kept = self.accounts[account as usize].as_mut().expect("begun");
        for slot in core::mem::take(&mut kept.left_out) {
            let place = &mut self.places[slot as usize];
            if *place != (Place { account, row: None }) {
                continue;
            }
            if world.position(slot, position::ACCOUNT) != account {
                *place = Place::default();
                continue;
            }
            place.row = Some(kept.rows.len() as u32);
            kept.add(world, slot);
        }
    }
}

impl Kept {
    /// Return whether every row would still be counted as it was.
    fn is_valued_as<S: Store>(&self, world: &World<S>, market_version: u64) -> bool {
        self.market_version == market_version
            && world.header(global::WINDOW_NS) <= self.steady_until_ns
    }

    fn add<S: Store>(&mut self, world: &World<S>, slot: u32) {
        let holding = Holding::whole(world, slot);
        self.holdings.add(world, &holding);
        self.rows.push((slot, holding.fixed_atoms));
        let until_ns = steady_until_ns(world, holding.instrument);
        self.steady_until_ns = self.steady_until_ns.min(until_ns);
    }
}

/// Return whether a word holds something that positions are valued by.
///
/// Terms of an instrument do not change while somebody has a position in it.
#[inline(always)]
fn moves_market(arena: ArenaId, index: u32) -> bool {
    match arena {
        ArenaId::RiskArrays | ArenaId::Parameters => true,
        ArenaId::Underlyings => {
            is_word_of(underlying::INDEX_ATOMS, index, underlying::ARENA.words_per_record)
        }
        ArenaId::Expiries => {
            is_word_of(expiry::FORWARD_ATOMS, index, expiry::ARENA.words_per_record)
        }
        ArenaId::Instruments => {
            is_word_of(instrument::SETTLED_NS, index, instrument::ARENA.words_per_record)
        }
        _ => false,
    }
}

fn is_word_of(field: impl Field, index: u32, words_per_record: u32) -> bool {
    index % words_per_record == field.offset() / WORD_BYTES
}
