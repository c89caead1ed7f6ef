//! A state to look at: the kernel's own functions over memory that nobody may write.

use alloc::vec::Vec;

use crate::arena::ArenaLayout;
use crate::exposure::Change;
use crate::field::Word;
use crate::holdings::Holdings;
use crate::keccak::Hash;
use crate::limits::ArenaId;
use crate::records_by_word;
use crate::store::Store;
use crate::world::World;

/// A store, with what it knows beside its words, for reading.
pub struct Glance<'a, S>(&'a S);

impl<S: Store> Store for Glance<'_, S> {
    type Record<'a, const WORDS: usize>
        = S::Record<'a, WORDS>
    where
        Self: 'a;

    records_by_word!(written);

    #[inline(always)]
    fn word(&self, arena: ArenaId, index: usize) -> Word {
        self.0.word(arena, index)
    }

    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word {
        unreachable!("word {index} of arena {} is only looked at", arena as u8)
    }

    #[inline(always)]
    fn record<const WORDS: usize>(&self, arena: ArenaLayout, slot: u32) -> S::Record<'_, WORDS> {
        self.0.record(arena, slot)
    }

    fn root(&mut self) -> Hash {
        unreachable!("a state that is only looked at has its root already")
    }

    #[inline(always)]
    fn known_position(&self, account: u32, instrument: u32) -> Option<u32> {
        self.0.known_position(account, instrument)
    }

    #[inline(always)]
    fn ask_holdings<T>(&self, account: u32, question: impl FnOnce(&Holdings) -> T) -> Option<T> {
        self.0.ask_holdings(account, question)
    }

    fn known_worth(&self, account: u32) -> Option<(i128, i128)> {
        self.0.known_worth(account)
    }

    fn known_due(&self, account: u32) -> Option<i128> {
        self.0.known_due(account)
    }

    fn is_surely_covered(&self, account: u32, changes: &[Change]) -> bool {
        self.0.is_surely_covered(account, changes)
    }
}

/// Answer a question about a state.
pub fn ask<S: Store, T>(store: &S, question: impl FnOnce(&mut World<Glance<S>>) -> T) -> T {
    question(&mut World { store: &mut Glance(store), events: &mut Vec::new() })
}
