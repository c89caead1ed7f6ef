//! Arenas: records of one class in slots, handed out from a free list.

use crate::field::{Field, U32, WORD_BYTES, Word};
use crate::limits::{ArenaId, STATE_ARENAS};
use crate::records;
use crate::store::Store;

/// Which arena a class of record lives in, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaLayout {
    pub id: ArenaId,
    pub words_per_record: u32,
    pub capacity_log2: u32,
}

/// The layouts of all arenas, ascending by number; some numbers are not given out yet.
pub const LAYOUTS: [ArenaLayout; 20] = [
    records::global::ARENA,
    records::account::ARENA,
    records::signer::ARENA,
    records::position::ARENA,
    records::order::ARENA,
    records::node::ARENA,
    records::level::ARENA,
    records::instrument::ARENA,
    records::risk_array::ARENA,
    records::expiry::ARENA,
    records::underlying::ARENA,
    records::publisher::ARENA,
    records::parameters::ARENA,
    records::trigger::ARENA,
    records::protection::ARENA,
    records::fee_schedule::ARENA,
    records::owner::ARENA,
    records::auction::ARENA,
    records::deleveraging::ARENA,
    records::token::ARENA,
];

const BY_NUMBER: [Option<ArenaLayout>; STATE_ARENAS as usize] = {
    let mut layouts = [None; STATE_ARENAS as usize];
    let mut place = 0;
    while place < LAYOUTS.len() {
        let layout = LAYOUTS[place];
        assert!(place == 0 || (LAYOUTS[place - 1].id as usize) < layout.id as usize);
        assert!(layout.words_per_record.is_power_of_two());
        assert!(layout.depth() < 32);
        layouts[layout.id as usize] = Some(layout);
        place += 1;
    }
    layouts
};

/// Return the layout of an arena by its number; nothing for a number not given out.
#[inline]
pub fn layout_at(number: u8) -> Option<ArenaLayout> {
    BY_NUMBER.get(number as usize).copied().flatten()
}

/// Return the layout of an arena.
#[inline]
pub fn layout_of(arena: ArenaId) -> ArenaLayout {
    layout_at(arena as u8).expect("every arena that has a name has a layout")
}

const HEADER: u32 = 0;
const HEADER_WORD: usize = 0;
const FREE_HEAD: U32 = U32(8);
const HIGH_WATER: U32 = U32(12);
const LIVE: U32 = U32(16);
const GENERATION: U32 = U32(0);
const NEXT: U32 = U32(4);

impl ArenaLayout {
    /// Return the depth of the tree over the arena's words.
    pub const fn depth(self) -> u32 {
        self.capacity_log2 + self.words_per_record.ilog2()
    }

    /// Return how many slots there are, the header included.
    pub const fn capacity(self) -> u32 {
        1 << self.capacity_log2
    }

    /// Return a bit for each word of a record.
    #[inline(always)]
    pub const fn all_words(self) -> u64 {
        u64::MAX >> (u64::BITS - self.words_per_record)
    }

    /// Return the index of the first word of a record.
    #[inline(always)]
    pub const fn first_word_of(self, slot: u32) -> usize {
        slot as usize * self.words_per_record as usize
    }

    /// Return the index of the word that holds this byte of a record.
    #[inline(always)]
    pub const fn word_of(self, slot: u32, offset: u32) -> usize {
        self.first_word_of(slot) + (offset / WORD_BYTES) as usize
    }
}

/// The slot that names no record.
pub const NO_SLOT: u32 = 0;

/// Write the header of an arena that has no record yet.
pub fn open<S: Store>(state: &mut S, arena: ArenaLayout) {
    state.set(arena, HEADER, HIGH_WATER, 1);
}

/// Return whether a slot has ever been in use.
#[inline]
pub fn contains<S: Store>(state: &S, arena: ArenaLayout, slot: u32) -> bool {
    slot != NO_SLOT && slot < state.get(arena, HEADER, HIGH_WATER)
}

/// Return the slot that the next new record takes if none was freed.
pub fn high_water<S: Store>(state: &S, arena: ArenaLayout) -> u32 {
    state.get(arena, HEADER, HIGH_WATER)
}

/// Return how many records there are.
pub fn live<S: Store>(state: &S, arena: ArenaLayout) -> u32 {
    state.get(arena, HEADER, LIVE)
}

/// Return whether so many more slots can be allocated (freed ones are a part of the capacity).
#[inline(always)]
pub fn has_room<S: Store>(state: &S, arena: ArenaLayout, slots: u32) -> bool {
    state.get(arena, HEADER, LIVE) + slots < arena.capacity()
}

/// Return a slot whose record is all zero but its generation. The caller has asked `has_room`.
#[inline(always)]
pub fn allocate<S: Store>(state: &mut S, arena: ArenaLayout) -> u32 {
    let header = state.word_mut(arena.id, HEADER_WORD);
    let live = load(header, LIVE);
    assert!(live + 1 < arena.capacity(), "arena {} is full", arena.id as u8);
    store(header, LIVE, live + 1);
    let free = load(header, FREE_HEAD);
    if free == NO_SLOT {
        let slot = load(header, HIGH_WATER);
        store(header, HIGH_WATER, slot + 1);
        return slot;
    }
    let first = state.word_mut(arena.id, arena.first_word_of(free));
    let next = load(first, NEXT);
    store(first, NEXT, NO_SLOT);
    store(state.word_mut(arena.id, HEADER_WORD), FREE_HEAD, next);
    free
}

/// Zero the record but for its generation, one higher, and put the slot on the free list.
#[inline(always)]
pub fn free<S: Store>(state: &mut S, arena: ArenaLayout, slot: u32) {
    let generation = state.get(arena, slot, GENERATION).wrapping_add(1);
    let header = state.word_mut(arena.id, HEADER_WORD);
    let (free_head, live) = (load(header, FREE_HEAD), load(header, LIVE));
    store(header, FREE_HEAD, slot);
    store(header, LIVE, live - 1);
    let mut first = [0; WORD_BYTES as usize];
    store(&mut first, GENERATION, generation);
    store(&mut first, NEXT, free_head);
    state.clear(arena, slot, first);
}

#[inline(always)]
fn load(word: &Word, field: U32) -> u32 {
    U32::load(word, field.offset() as usize)
}

#[inline(always)]
fn store(word: &mut Word, field: U32, value: u32) {
    U32::store(word, field.offset() as usize, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::NativeStore;
    use crate::records::level;

    #[test]
    fn freed_slots_return_last_in_first_out_with_a_higher_generation() {
        let mut state = NativeStore::new();
        open(&mut state, level::ARENA);
        let slots = [(); 3].map(|()| allocate(&mut state, level::ARENA));
        assert_eq!(slots, [1, 2, 3], "fresh slots count up");
        state.set(level::ARENA, 2, level::LOTS, 77);
        free(&mut state, level::ARENA, 1);
        free(&mut state, level::ARENA, 2);
        assert_eq!(state.get(level::ARENA, 2, level::LOTS), 0, "a freed record is zero");
        assert_eq!(state.get(level::ARENA, 2, level::NEXT), 1, "it points at the one freed before");
        assert_eq!(allocate(&mut state, level::ARENA), 2, "last in, first out");
        assert_eq!(state.get(level::ARENA, 2, level::NEXT), 0, "a record in use is on no list");
        assert_eq!(state.get(level::ARENA, 2, level::GENERATION), 1, "its generation grew");
        assert_eq!(allocate(&mut state, level::ARENA), 1, "then the other");
        assert_eq!(allocate(&mut state, level::ARENA), 4, "then fresh ones again");
    }
}
