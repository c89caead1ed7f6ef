//! How the state machine reaches words: one interface, monomorphised over the stores.

use crate::arena::ArenaLayout;
use crate::exposure::Change;
use crate::field::{Array, Field, I64, WORD_BYTES, Word};
use crate::holdings::Holdings;
use crate::keccak::Hash;
use crate::limits::ArenaId;
use crate::premiums::Walk;
use crate::views::{Editor, Record};

/// Holds the words of all arenas. Words never written are zero.
///
/// The methods about caches let a native store answer without walking records. A cache is never
/// part of the state: a store without any answers `None`, and the caller walks.
pub trait Store {
    /// A record of so many words to read.
    type Record<'a, const WORDS: usize>: Record + Copy
    where
        Self: 'a;

    /// A record of so many words to write.
    type Editor<'a, const WORDS: usize>: Editor
    where
        Self: 'a;

    /// Return a word of an arena.
    fn word(&self, arena: ArenaId, index: usize) -> Word;

    /// Return a word of an arena for writing.
    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word;

    /// Return a record, zeros for a slot never used. It has as many words as those of the arena.
    fn record<const WORDS: usize>(&self, arena: ArenaLayout, slot: u32) -> Self::Record<'_, WORDS>;

    /// Change a record. It has as many words as those of the arena.
    fn edit<const WORDS: usize>(
        &mut self,
        arena: ArenaLayout,
        slot: u32,
        change: impl FnOnce(&mut Self::Editor<'_, WORDS>),
    );

    /// Zero what is not zero of a record but for its first word, which becomes this one.
    fn clear(&mut self, arena: ArenaLayout, slot: u32, first: Word) {
        let start = arena.first_word_of(slot);
        for index in start + 1..start + arena.words_per_record as usize {
            if self.word(arena.id, index) != [0; WORD_BYTES as usize] {
                *self.word_mut(arena.id, index) = [0; WORD_BYTES as usize];
            }
        }
        *self.word_mut(arena.id, start) = first;
    }

    /// Return the state root.
    fn root(&mut self) -> Hash;

    /// Return a field of a record.
    #[inline(always)]
    fn get<F: Field>(&self, arena: ArenaLayout, slot: u32, field: F) -> F::Value {
        let word = self.word(arena.id, arena.word_of(slot, field.offset()));
        F::load(&word, (field.offset() % WORD_BYTES) as usize)
    }

    /// Return all items of an array of a record, each of its words read once.
    #[inline(always)]
    fn get_all<const N: usize>(
        &self,
        arena: ArenaLayout,
        slot: u32,
        array: Array<I64>,
    ) -> [i64; N] {
        const ITEMS: usize = (WORD_BYTES / I64::BYTES) as usize;
        let first = array.item(0).offset();
        let (mut items, mut place) = ([0; N], (first % WORD_BYTES / I64::BYTES) as usize);
        let (mut filled, mut index) = (0, arena.word_of(slot, first));
        while filled < N {
            let word = self.word(arena.id, index);
            for item in items[filled..].iter_mut().take(ITEMS - place) {
                *item = I64::load(&word, place * I64::BYTES as usize);
                (place, filled) = (place + 1, filled + 1);
            }
            (place, index) = (0, index + 1);
        }
        items
    }

    /// Write a field of a record.
    #[inline(always)]
    fn set<F: Field>(&mut self, arena: ArenaLayout, slot: u32, field: F, value: F::Value) {
        let word = self.word_mut(arena.id, arena.word_of(slot, field.offset()));
        F::store(word, (field.offset() % WORD_BYTES) as usize, value);
    }

    /// Return the level with the best price of a book if it is known: 0 when the book is empty.
    #[inline(always)]
    fn known_best_level(&self, _instrument: u32, _side: u8) -> Option<u32> {
        None
    }

    /// Remember the level with the best price of a book, or forget it.
    #[inline(always)]
    fn remember_best_level(&mut self, _instrument: u32, _side: u8, _level: Option<u32>) {}

    /// Return by how much a side of a perpetual's book lies beyond an index value, in ppm of it, if
    /// that is known.
    #[inline(always)]
    fn known_excess(&self, _instrument: u32, _side: u8, _index_value: i64) -> Option<i128> {
        None
    }

    /// Remember that, and what was seen on the way.
    #[inline(always)]
    fn remember_excess(
        &mut self,
        _instrument: u32,
        _side: u8,
        _index_value: i64,
        _excess_ppm: i128,
        _walk: &Walk,
    ) {
    }

    /// Take notice of a level of a book that was not there before.
    #[inline(always)]
    fn note_level(&mut self, _instrument: u32, _side: u8, _price_ticks: u32) {}

    /// Return the position of an account in an instrument if it is known: 0 when there is none.
    #[inline(always)]
    fn known_position(&self, _account: u32, _instrument: u32) -> Option<u32> {
        None
    }

    /// Remember the position of an account in an instrument: 0 when it is gone.
    #[inline(always)]
    fn remember_position(&mut self, _account: u32, _instrument: u32, _position: u32) {}

    /// Answer a question about what an account holds, orders with it, if that is known.
    #[inline(always)]
    fn ask_holdings<T>(&self, _account: u32, _question: impl FnOnce(&Holdings) -> T) -> Option<T> {
        None
    }

    /// Return what an account's positions are worth at their marks, and how far below that, in
    /// 1e-6 atoms, they may be, if that is known.
    #[inline(always)]
    fn known_worth(&self, _account: u32) -> Option<(i128, i128)> {
        None
    }

    /// Return what settling positions and their funding would add to an account's cash, if that is
    /// known.
    #[inline(always)]
    fn known_due(&self, _account: u32) -> Option<i128> {
        None
    }

    /// Return whether it is known that an account's margin covers changes to its orders; if not,
    /// nothing is said.
    #[inline(always)]
    fn is_surely_covered(&self, _account: u32, _changes: &[Change]) -> bool {
        false
    }
}
