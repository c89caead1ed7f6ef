//! Sums over the positions of an account, kept from one command to the next: margin then costs what
//! a command changes, and not all that its account holds.
//!
//! The store tells what is written. Of a position written its account's sums are behind, and they
//! are brought up to it when somebody asks for them. A write to what all positions are valued by,
//! time beyond which a mark counts otherwise, or another epoch of the account's orders: all of them
//! are added up again when somebody asks. None of this enters the state; a store without it adds up
//! each time, to the same.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::arena::NO_SLOT;
use crate::cushion::Cushion;
use crate::exposure::Change;
use crate::field::{Field, WORD_BYTES};
use crate::glance::ask;
use crate::holdings::{Holding, Holdings};
use crate::limits::ArenaId;
use crate::native::NativeStore;
use crate::records::{expiry, global, instrument, position, underlying};
use crate::store::Store;
use crate::touched::Touched;
use crate::world::World;

/// Numbers that positions are added to, each by itself, so that one can be taken out again.
pub trait Sums: Clone + Default {
    /// What is known of instruments for as long as all positions are valued as they are.
    type Known: Known;

    /// Add a position, the last one; return until when it counts so if nobody says anything.
    fn add<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut Self::Known,
        holding: &Holding,
    ) -> u64;

    /// Take the position at a place out again; the last one takes its place.
    fn take_out<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut Self::Known,
        place: usize,
        holding: &Holding,
    );

    /// Count the position at a place otherwise; return as `add`.
    fn replace<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut Self::Known,
        place: usize,
        before: &Holding,
        after: &Holding,
    ) -> u64;
}

/// What is known of instruments as they are valued in one version of the market.
pub trait Known: Clone + Default {
    /// Go on with a version: of another one nothing is known.
    fn renew(&mut self, _market_version: u64) {}
}

impl Known for () {}

/// What is kept of the accounts that were asked about.
#[derive(Clone, Default)]
pub struct Kept {
    written: Touched,
    /// Written, and nobody outside has been told.
    untold: Touched,
    market_version: u64,
    /// In a box: seldom asked.
    holdings: Box<KeptSums<Holdings>>,
    cushions: KeptSums<Cushion>,
}

impl Kept {
    /// Take notice of writes to words of a record, one bit each.
    #[inline(always)]
    pub fn note_words(&mut self, arena: ArenaId, slot: u32, written: u64) {
        if matches!(arena, ArenaId::Positions) {
            self.written.add(slot);
        } else if written & market_words(arena) != 0 {
            self.market_version += 1;
        }
    }

    /// Return the slots of the positions written since the last call, each once.
    pub fn take_touched(&mut self, store: &NativeStore) -> Vec<u32> {
        ask(store, |world| self.pass_on(world));
        self.untold.take()
    }

    /// Return what an account holds.
    pub fn holdings(&mut self, store: &NativeStore, account: u32) -> &Holdings {
        ask(store, |world| {
            self.pass_on(world);
            self.holdings.bring_up(world, account);
        });
        self.holdings.of(account)
    }

    /// Return whether bounds alone tell that initial margin is covered with changes to orders.
    pub fn is_surely_covered(
        &mut self,
        store: &NativeStore,
        account: u32,
        changes: &[Change],
    ) -> bool {
        ask(store, |world| {
            self.pass_on(world);
            self.cushions.bring_up(world, account);
            let (cushion, weights) = self.cushions.of_mut(account);
            cushion.surely_covers(world, weights, account, changes)
        })
    }

    /// Return what positions are worth at their marks, and how far below, in 1e-6 atoms, they may
    /// be.
    pub fn worth(&mut self, store: &NativeStore, account: u32) -> (i128, i128) {
        ask(store, |world| {
            self.pass_on(world);
            self.cushions.bring_up(world, account);
            self.cushions.of(account).worth(world)
        })
    }

    /// Return what settling positions and their funding would add to an account's cash.
    pub fn due(&mut self, store: &NativeStore, account: u32) -> i128 {
        ask(store, |world| {
            self.pass_on(world);
            self.cushions.bring_up(world, account);
            self.cushions.of(account).due(world)
        })
    }

    /// Tell everybody what was written.
    fn pass_on<S: Store>(&mut self, world: &World<S>) {
        self.holdings.renew(self.market_version);
        self.cushions.renew(self.market_version);
        while let Some(slot) = self.written.pop() {
            self.untold.add(slot);
            if slot != NO_SLOT {
                let account = world.position(slot, position::ACCOUNT);
                self.holdings.leave_behind(world, slot, account);
                self.cushions.leave_behind(world, slot, account);
            }
        }
    }
}

/// Sums of one kind, by account.
#[derive(Clone, Default)]
struct KeptSums<N: Sums> {
    accounts: Vec<Option<Box<Row<N>>>>,
    /// Where each position, by slot, is counted.
    places: Vec<Place>,
    known: N::Known,
    market_version: u64,
}

/// Of which account's sums a position is, its place there, if it is counted, and whether it has
/// been written since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    account: u32,
    counted: Option<u32>,
    is_behind: bool,
}

/// The sums of one account, and for how long they can be believed.
#[derive(Clone, Debug)]
struct Row<N> {
    sums: N,
    /// What is counted, and of which position.
    counted: Vec<(u32, Holding)>,
    /// Positions that have been written since; of some more than once, and of others' now.
    behind: Vec<u32>,
    market_version: u64,
    live_epoch: u32,
    steady_until_ns: u64,
}

impl<N: Sums> KeptSums<N> {
    fn of(&self, account: u32) -> &N {
        &self.accounts[account as usize].as_ref().expect("brought up").sums
    }

    fn of_mut(&mut self, account: u32) -> (&mut N, &mut N::Known) {
        let row = self.accounts[account as usize].as_mut().expect("brought up");
        (&mut row.sums, &mut self.known)
    }

    fn renew(&mut self, market_version: u64) {
        self.market_version = market_version;
        self.known.renew(market_version);
    }

    /// Note that a position of an account was written, and take it from whose it is no longer.
    #[inline]
    fn leave_behind<S: Store>(&mut self, world: &World<S>, slot: u32, account: u32) {
        if self.accounts.is_empty() {
            return;
        }
        let place = *self.place_mut(slot);
        if place.account == account && (place.is_behind || account == NO_SLOT) {
            return;
        }
        if place.account != account && place.counted.is_some() {
            self.take_away(world, slot);
        }
        let counted = self.places[slot as usize].counted;
        self.places[slot as usize] = match self.accounts.get_mut(account as usize) {
            Some(Some(row)) => {
                row.behind.push(slot);
                Place { account, counted, is_behind: true }
            }
            _ => Place::default(),
        };
    }

    fn place_mut(&mut self, slot: u32) -> &mut Place {
        if self.places.len() <= slot as usize {
            self.places.resize(slot as usize + 1, Place::default());
        }
        &mut self.places[slot as usize]
    }

    /// Take a position out of the sums that it is counted in, or forget them if they count no more
    /// as they did.
    #[cold]
    fn take_away<S: Store>(&mut self, world: &World<S>, slot: u32) {
        let Place { account, counted, .. } = self.places[slot as usize];
        let row = self.accounts[account as usize].as_mut().expect("a place in what is kept");
        if !row.is_valued_as(world, self.market_version) {
            return self.forget(account);
        }
        let place = counted.expect("it is counted") as usize;
        let (_, holding) = row.counted.swap_remove(place);
        row.sums.take_out(world, &mut self.known, place, &holding);
        if let Some((moved, _)) = row.counted.get(place) {
            self.places[*moved as usize].counted = counted;
        }
        self.places[slot as usize] = Place::default();
    }

    fn forget(&mut self, account: u32) {
        let Some(row) = self.accounts[account as usize].take() else { return };
        let counted = row.counted.iter().map(|(slot, _)| slot);
        for &slot in counted.chain(&row.behind) {
            let place = &mut self.places[slot as usize];
            if place.account == account {
                *place = Place::default();
            }
        }
    }

    /// Let the sums of an account be those of now.
    fn bring_up<S: Store>(&mut self, world: &World<S>, account: u32) {
        let is_current = |row: &Row<N>| {
            row.is_valued_as(world, self.market_version)
                && row.live_epoch == world.live_epoch(account)
        };
        let kept = self.accounts.get(account as usize).and_then(Option::as_deref);
        if !kept.is_some_and(is_current) {
            self.begin(world, account);
        }
        let row = self.accounts[account as usize].as_mut().expect("begun");
        while let Some(slot) = row.behind.pop() {
            let place = &mut self.places[slot as usize];
            if place.account == account && place.is_behind {
                row.catch_up(world, &mut self.known, slot, place);
            }
        }
    }

    /// Begin, perhaps again, with all positions of an account behind.
    #[cold]
    fn begin<S: Store>(&mut self, world: &World<S>, account: u32) {
        if self.accounts.len() <= account as usize {
            self.accounts.resize(account as usize + 1, None);
        }
        self.forget(account);
        let behind: Vec<u32> = world.positions_of(account).collect();
        for &slot in &behind {
            *self.place_mut(slot) = Place { account, counted: None, is_behind: true };
        }
        self.accounts[account as usize] = Some(Box::new(Row {
            sums: N::default(),
            counted: Vec::new(),
            behind,
            market_version: self.market_version,
            live_epoch: world.live_epoch(account),
            steady_until_ns: u64::MAX,
        }));
    }
}

impl<N: Sums> Row<N> {
    /// Return whether every position would still be counted as it was.
    fn is_valued_as<S: Store>(&self, world: &World<S>, market_version: u64) -> bool {
        self.market_version == market_version
            && world.header(global::WINDOW_NS) <= self.steady_until_ns
    }

    /// Count a position as it is now.
    fn catch_up<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut N::Known,
        slot: u32,
        place: &mut Place,
    ) {
        place.is_behind = false;
        let holding = Holding::whole(world, slot);
        let until_ns = match place.counted {
            Some(counted) => {
                let (_, before) = &mut self.counted[counted as usize];
                let until_ns = self.sums.replace(world, known, counted as usize, before, &holding);
                *before = holding;
                until_ns
            }
            None => {
                place.counted = Some(self.counted.len() as u32);
                self.counted.push((slot, holding));
                self.sums.add(world, known, &holding)
            }
        };
        self.steady_until_ns = self.steady_until_ns.min(until_ns);
    }
}

/// Return the words of a record that hold something that positions are valued by, one bit each.
///
/// Terms of an instrument do not change as long as it is listed, and who is listed in the place of
/// another gets a risk array of his own.
#[inline(always)]
fn market_words(arena: ArenaId) -> u64 {
    match arena {
        ArenaId::RiskArrays | ArenaId::Parameters => u64::MAX,
        ArenaId::Underlyings => word_of(underlying::INDEX_ATOMS),
        ArenaId::Expiries => word_of(expiry::FORWARD_ATOMS),
        ArenaId::Instruments => word_of(instrument::SETTLED_NS),
        _ => 0,
    }
}

/// Return the bit of the word that a field lies in.
#[inline(always)]
fn word_of(field: impl Field) -> u64 {
    1 << (field.offset() / WORD_BYTES)
}
