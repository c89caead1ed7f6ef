//! Views of records: where several fields of one are read or written, it is looked up once.

use crate::arena::ArenaLayout;
use crate::field::{Field, WORD_BYTES, Word};
use crate::store::Store;

/// A record to read.
pub trait Record {
    /// Return a field of the record.
    fn get<F: Field>(&self, field: F) -> F::Value;
}

/// A record to write.
pub trait Editor: Record {
    /// Write a field of the record.
    fn set<F: Field>(&mut self, field: F, value: F::Value);
}

#[inline(always)]
fn word_of(field: impl Field) -> usize {
    (field.offset() / WORD_BYTES) as usize
}

#[inline(always)]
fn within(field: impl Field) -> usize {
    (field.offset() % WORD_BYTES) as usize
}

/// A record where it lies in memory.
impl<const WORDS: usize> Record for &[Word; WORDS] {
    #[inline(always)]
    fn get<F: Field>(&self, field: F) -> F::Value {
        F::load(&self[word_of(field)], within(field))
    }
}

/// A record where it lies in memory, and which of its words were written, one bit each.
pub struct InMemory<'a, const WORDS: usize> {
    pub words: &'a mut [Word; WORDS],
    pub written: u64,
}

impl<const WORDS: usize> Record for InMemory<'_, WORDS> {
    #[inline(always)]
    fn get<F: Field>(&self, field: F) -> F::Value {
        F::load(&self.words[word_of(field)], within(field))
    }
}

impl<const WORDS: usize> Editor for InMemory<'_, WORDS> {
    #[inline(always)]
    fn set<F: Field>(&mut self, field: F, value: F::Value) {
        let index = word_of(field);
        F::store(&mut self.words[index], within(field), value);
        self.written |= 1 << index;
    }
}

/// A record read word by word, so that the store sees which ones.
pub struct ByWord<'a, S> {
    pub store: &'a S,
    pub arena: ArenaLayout,
    pub slot: u32,
}

impl<S> Clone for ByWord<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for ByWord<'_, S> {}

impl<S: Store> Record for ByWord<'_, S> {
    #[inline(always)]
    fn get<F: Field>(&self, field: F) -> F::Value {
        self.store.get(self.arena, self.slot, field)
    }
}

/// A record written word by word, so that the store sees which ones.
pub struct ByWordMut<'a, S> {
    pub store: &'a mut S,
    pub arena: ArenaLayout,
    pub slot: u32,
}

impl<S: Store> Record for ByWordMut<'_, S> {
    #[inline(always)]
    fn get<F: Field>(&self, field: F) -> F::Value {
        self.store.get(self.arena, self.slot, field)
    }
}

impl<S: Store> Editor for ByWordMut<'_, S> {
    #[inline(always)]
    fn set<F: Field>(&mut self, field: F, value: F::Value) {
        self.store.set(self.arena, self.slot, field, value);
    }
}

/// Within an `impl Store`: its records are read, or written, word by word, so that it sees which.
#[macro_export]
macro_rules! records_by_word {
    () => {
        $crate::records_by_word!(read);
        $crate::records_by_word!(written);
    };
    (read) => {
        type Record<'a, const WORDS: usize>
            = $crate::views::ByWord<'a, Self>
        where
            Self: 'a;

        fn record<const WORDS: usize>(
            &self,
            arena: $crate::arena::ArenaLayout,
            slot: u32,
        ) -> $crate::views::ByWord<'_, Self> {
            $crate::views::ByWord { store: self, arena, slot }
        }
    };
    (written) => {
        type Editor<'a, const WORDS: usize>
            = $crate::views::ByWordMut<'a, Self>
        where
            Self: 'a;

        fn edit<const WORDS: usize>(
            &mut self,
            arena: $crate::arena::ArenaLayout,
            slot: u32,
            change: impl FnOnce(&mut $crate::views::ByWordMut<'_, Self>),
        ) {
            change(&mut $crate::views::ByWordMut { store: self, arena, slot });
        }
    };
}
