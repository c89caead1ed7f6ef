//! What applying an entry costs, in numbers that are the same on every machine.

use std::cell::Cell;

use proofbook_kernel::commands::Address;
use proofbook_kernel::field::Word;
use proofbook_kernel::host::Recovered;
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::kernel::Kernel;
use proofbook_kernel::limits::ArenaId;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records_by_word;
use proofbook_kernel::store::Store;
use proofbook_kernel::three_ways::WitnessKernel;
use proofbook_kernel::transition::Outcome;

/// The native store without caches, counting.
pub struct CountingStore {
    inner: NativeStore,
    reads: Cell<u64>,
    writes: u64,
}

impl CountingStore {
    fn new(inner: NativeStore) -> Self {
        Self { inner, reads: Cell::new(0), writes: 0 }
    }
}

impl Store for CountingStore {
    records_by_word!();

    fn word(&self, arena: ArenaId, index: usize) -> Word {
        self.reads.set(self.reads.get() + 1);
        self.inner.word(arena, index)
    }

    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word {
        self.writes += 1;
        self.inner.word_mut(arena, index)
    }

    fn root(&mut self) -> Hash {
        self.inner.root()
    }
}

/// What one entry did to the store, and how much of the state a proof of it has to show.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub outcome: Outcome,
    /// Accesses of words, a word read twice being two.
    pub reads: u64,
    pub writes: u64,
    /// Different words touched, and hashes that tie them to the root before.
    pub words: u64,
    pub siblings: u64,
    pub event_bytes: u64,
}

/// Return the cost of an entry after a state.
pub fn cost(state: &NativeStore, entry: &[u8], signers: &[Option<Address>]) -> Cost {
    let mut kernel = Kernel::over(CountingStore::new(state.clone()));
    let mut events = Vec::new();
    let outcome = kernel.apply(entry, &mut Recovered::new(signers), &mut events);
    let store = kernel.into_store();
    let mut witnessed = WitnessKernel::new(Kernel::over(state.clone()));
    let (_, witness) = witnessed.apply(entry, &mut Recovered::new(signers));
    Cost {
        outcome,
        reads: store.reads.get(),
        writes: store.writes,
        words: witness.words.len() as u64,
        siblings: witness.siblings.len() as u64,
        event_bytes: events.len() as u64,
    }
}

/// Return reads and writes of each entry of a stream, one after the other from a state on.
pub fn follow<'a>(
    state: NativeStore,
    entries: impl Iterator<Item = (&'a [u8], Vec<Option<Address>>)>,
) -> Vec<(Outcome, u64, u64)> {
    let mut kernel = Kernel::over(CountingStore::new(state));
    let mut costs = Vec::new();
    for (entry, signers) in entries {
        let (reads, writes) = (kernel.store().reads.get(), kernel.store().writes);
        let outcome = kernel.apply(entry, &mut Recovered::new(&signers), &mut Vec::new());
        let store = kernel.store();
        costs.push((outcome, store.reads.get() - reads, store.writes - writes));
    }
    costs
}

/// Apply an entry where a profiler can find it: callgrind counts what happens inside this function.
#[inline(never)]
pub fn measured(
    kernel: &mut Kernel<NativeStore>,
    entry: &[u8],
    signers: &[Option<Address>],
) -> Outcome {
    kernel.apply(entry, &mut Recovered::new(signers), &mut Vec::with_capacity(1 << 16))
}
