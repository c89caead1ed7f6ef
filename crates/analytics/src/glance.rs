//! A state to look at: the kernel's own functions over memory that nobody may write.

use proofbook_kernel::field::Word;
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::limits::ArenaId;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::World;

/// The words of a native store, for reading.
pub struct Glance<'a>(&'a NativeStore);

impl Store for Glance<'_> {
    #[inline(always)]
    fn word(&self, arena: ArenaId, index: u32) -> Word {
        self.0.word(arena, index)
    }

    fn word_mut(&mut self, arena: ArenaId, index: u32) -> &mut Word {
        unreachable!("word {index} of arena {} is only looked at", arena as u8)
    }

    fn root(&mut self) -> Hash {
        unreachable!("a state that is only looked at has its root already")
    }
}

/// Answer a question about a state.
pub fn ask<T>(store: &NativeStore, question: impl FnOnce(&World<Glance>) -> T) -> T {
    question(&World { store: &mut Glance(store), events: &mut Vec::new() })
}
