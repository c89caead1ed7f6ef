//! The native store with caches above it, which are rebuilt from records and never enter the root.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::arena::{self, ArenaLayout, NO_SLOT, layout_of};
use crate::exposure::Change;
use crate::field::{Field, WORD_BYTES, Word};
use crate::holdings::Holdings;
use crate::keccak::Hash;
use crate::kept::Kept;
use crate::limits::ArenaId;
use crate::native::NativeStore;
use crate::premiums::{Premiums, Walk, moves_all};
use crate::records::{global, instrument, position};
use crate::store::Store;
use crate::views::{Editor, InMemory, Record};

const SIDES: usize = 2;
const INSTRUMENTS: usize = instrument::ARENA.capacity() as usize;

/// The native store, beside which the best level of each book, the position of each pair, what
/// accounts hold, and which positions were written lately are known.
#[derive(Clone)]
pub struct CachedStore {
    inner: NativeStore,
    best_levels: Vec<[Option<u32>; SIDES]>,
    positions: PairTable,
    kept: RefCell<Kept>,
    premiums: Premiums,
}

impl CachedStore {
    /// Put caches above a store, read from its records.
    pub fn new(inner: NativeStore) -> Self {
        let mut positions = PairTable::new();
        for slot in 1..arena::high_water(&inner, position::ARENA) {
            let account = inner.get(position::ARENA, slot, position::ACCOUNT);
            if account != NO_SLOT {
                let instrument = inner.get(position::ARENA, slot, position::INSTRUMENT);
                positions.insert(pair(account, instrument), slot);
            }
        }
        let best_levels = vec![[None; SIDES]; INSTRUMENTS];
        Self {
            inner,
            best_levels,
            positions,
            kept: RefCell::default(),
            premiums: Premiums::default(),
        }
    }

    /// Return the slots of the position records written since the last call, each once.
    pub fn take_touched_positions(&mut self) -> Vec<u32> {
        self.kept.get_mut().take_touched(&self.inner)
    }

    /// Return the store underneath.
    pub fn inner(&self) -> &NativeStore {
        &self.inner
    }
}

impl Default for CachedStore {
    fn default() -> Self {
        Self::new(NativeStore::new())
    }
}

impl Store for CachedStore {
    type Record<'a, const WORDS: usize> = &'a [Word; WORDS];
    type Editor<'a, const WORDS: usize> = Noting<'a, WORDS>;

    #[inline(always)]
    fn word(&self, arena: ArenaId, index: usize) -> Word {
        self.inner.word(arena, index)
    }

    #[inline(always)]
    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word {
        let words_per_record = layout_of(arena).words_per_record;
        let (slot, word) = (index as u32 / words_per_record, index as u32 % words_per_record);
        let moves_all = moves_all(arena, |field| field / WORD_BYTES == word);
        self.kept.get_mut().note_words(arena, slot, 1 << word);
        self.premiums.note_words(arena, slot, 1 << word, moves_all);
        self.inner.word_mut(arena, index)
    }

    #[inline(always)]
    fn record<const WORDS: usize>(&self, arena: ArenaLayout, slot: u32) -> &[Word; WORDS] {
        self.inner.record(arena, slot)
    }

    #[inline(always)]
    fn edit<const WORDS: usize>(
        &mut self,
        arena: ArenaLayout,
        slot: u32,
        change: impl FnOnce(&mut Noting<'_, WORDS>),
    ) {
        let record = InMemory { words: self.inner.record_mut(arena, slot), written: 0 };
        let mut noting = Noting { record, arena: arena.id, moves_all: false };
        change(&mut noting);
        let Noting { record: InMemory { written, .. }, moves_all, .. } = noting;
        self.inner.mark(arena, slot, written);
        self.kept.get_mut().note_words(arena.id, slot, written);
        self.premiums.note_words(arena.id, slot, written, moves_all);
    }

    #[inline(always)]
    fn set<F: Field>(&mut self, arena: ArenaLayout, slot: u32, field: F, value: F::Value) {
        let index = arena.word_of(slot, field.offset());
        let written = 1 << (field.offset() / WORD_BYTES);
        let moves_all = moves_all(arena.id, |other| other == field.offset());
        self.kept.get_mut().note_words(arena.id, slot, written);
        self.premiums.note_words(arena.id, slot, written, moves_all);
        let word = self.inner.word_mut(arena.id, index);
        F::store(word, (field.offset() % WORD_BYTES) as usize, value);
    }

    #[inline(always)]
    fn clear(&mut self, arena: ArenaLayout, slot: u32, first: Word) {
        self.kept.get_mut().note_words(arena.id, slot, arena.all_words());
        self.premiums.note_words(arena.id, slot, arena.all_words(), moves_all(arena.id, |_| true));
        self.inner.clear(arena, slot, first);
    }

    fn root(&mut self) -> Hash {
        self.inner.root()
    }

    #[inline(always)]
    fn known_best_level(&self, instrument: u32, side: u8) -> Option<u32> {
        self.best_levels[instrument as usize][side as usize]
    }

    #[inline(always)]
    fn remember_best_level(&mut self, instrument: u32, side: u8, level: Option<u32>) {
        self.best_levels[instrument as usize][side as usize] = level;
    }

    #[inline]
    fn known_excess(&self, instrument: u32, side: u8, index_value: i64) -> Option<i128> {
        let now_ns = self.get(global::ARENA, 0, global::WINDOW_NS);
        self.premiums.find(instrument, side, index_value, now_ns)
    }

    fn remember_excess(
        &mut self,
        instrument: u32,
        side: u8,
        index_value: i64,
        excess_ppm: i128,
        walk: &Walk,
    ) {
        self.premiums.remember(instrument, side, index_value, excess_ppm, walk);
    }

    fn note_level(&mut self, instrument: u32, side: u8, price_ticks: u32) {
        self.premiums.note_level(instrument, side, price_ticks);
    }

    #[inline]
    fn known_position(&self, account: u32, instrument: u32) -> Option<u32> {
        Some(self.positions.find(pair(account, instrument)))
    }

    fn remember_position(&mut self, account: u32, instrument: u32, position: u32) {
        match position {
            NO_SLOT => self.positions.remove(pair(account, instrument)),
            slot => self.positions.insert(pair(account, instrument), slot),
        }
    }

    fn ask_holdings<T>(&self, account: u32, question: impl FnOnce(&Holdings) -> T) -> Option<T> {
        Some(question(self.kept.borrow_mut().holdings(&self.inner, account)))
    }

    fn known_worth(&self, account: u32) -> Option<(i128, i128)> {
        Some(self.kept.borrow_mut().worth(&self.inner, account))
    }

    fn known_due(&self, account: u32) -> Option<i128> {
        Some(self.kept.borrow_mut().due(&self.inner, account))
    }

    fn is_surely_covered(&self, account: u32, changes: &[Change]) -> bool {
        self.kept.borrow_mut().is_surely_covered(&self.inner, account, changes)
    }
}

/// A record in memory, and whether what is written of it moves the premiums of all books.
pub struct Noting<'a, const WORDS: usize> {
    record: InMemory<'a, WORDS>,
    arena: ArenaId,
    moves_all: bool,
}

impl<const WORDS: usize> Record for Noting<'_, WORDS> {
    #[inline(always)]
    fn get<F: Field>(&self, field: F) -> F::Value {
        self.record.get(field)
    }
}

impl<const WORDS: usize> Editor for Noting<'_, WORDS> {
    #[inline(always)]
    fn set<F: Field>(&mut self, field: F, value: F::Value) {
        self.moves_all |= moves_all(self.arena, |other| other == field.offset());
        self.record.set(field, value);
    }
}

fn pair(account: u32, instrument: u32) -> u64 {
    (account as u64) << 32 | instrument as u64
}

/// A hash table from pairs to slots: open addressing, linear probing, at most half full.
#[derive(Clone)]
struct PairTable {
    rows: Vec<(u64, u32)>,
    used: usize,
    /// What was found last: a command asks for one pair several times.
    last: Cell<(u64, u32)>,
}

const ROWS_MIN: usize = 1024;

impl PairTable {
    fn new() -> Self {
        Self { rows: vec![(0, NO_SLOT); ROWS_MIN], used: 0, last: Cell::default() }
    }

    /// Return where a key belongs before probing. The constants are those of a 64-bit finalizer.
    fn home(&self, key: u64) -> usize {
        let mixed = (key ^ key >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (mixed ^ mixed >> 33) as usize & (self.rows.len() - 1)
    }

    /// Return the row that holds a key, or the free one where it would go.
    fn row_of(&self, key: u64) -> usize {
        let mut row = self.home(key);
        while self.rows[row].1 != NO_SLOT && self.rows[row].0 != key {
            row = (row + 1) & (self.rows.len() - 1);
        }
        row
    }

    #[inline]
    fn find(&self, key: u64) -> u32 {
        let (last, slot) = self.last.get();
        if last == key { slot } else { self.look_up(key) }
    }

    #[inline(never)]
    fn look_up(&self, key: u64) -> u32 {
        let slot = self.rows[self.row_of(key)].1;
        self.last.set((key, slot));
        slot
    }

    fn insert(&mut self, key: u64, slot: u32) {
        self.last.set((key, slot));
        if 2 * (self.used + 1) > self.rows.len() {
            self.grow();
        }
        let row = self.row_of(key);
        self.used += (self.rows[row].1 == NO_SLOT) as usize;
        self.rows[row] = (key, slot);
    }

    fn grow(&mut self) {
        let doubled = vec![(0, NO_SLOT); 2 * self.rows.len()];
        for (key, slot) in core::mem::replace(&mut self.rows, doubled) {
            if slot != NO_SLOT {
                let row = self.row_of(key);
                self.rows[row] = (key, slot);
            }
        }
    }

    /// Take a key away and close the gap, so that later keys are still found.
    fn remove(&mut self, key: u64) {
        self.last.set((key, NO_SLOT));
        let mask = self.rows.len() - 1;
        let mut gap = self.row_of(key);
        if self.rows[gap].1 == NO_SLOT {
            return;
        }
        self.used -= 1;
        self.rows[gap].1 = NO_SLOT;
        let mut row = (gap + 1) & mask;
        while self.rows[row].1 != NO_SLOT {
            let distance_home = row.wrapping_sub(self.home(self.rows[row].0)) & mask;
            let distance_gap = row.wrapping_sub(gap) & mask;
            if distance_home >= distance_gap {
                self.rows[gap] = self.rows[row];
                self.rows[row].1 = NO_SLOT;
                gap = row;
            }
            row = (row + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    #[test]
    fn the_table_agrees_with_a_sorted_map() {
        let (mut table, mut map) = (PairTable::new(), BTreeMap::new());
        let mut random = 1u64;
        for step in 1..50_000u32 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let key = pair((random >> 40) as u32 % 60, (random >> 20) as u32 % 60);
            if random >> 60 < 7 {
                table.remove(key);
                map.remove(&key);
            } else {
                table.insert(key, step);
                map.insert(key, step);
            }
            assert_eq!(table.find(key), map.get(&key).copied().unwrap_or(NO_SLOT), "step {step}");
        }
        assert_eq!(table.used, map.len(), "as many rows as keys");
        for (key, slot) in map {
            assert_eq!(table.find(key), slot, "key {key}");
        }
    }
}
