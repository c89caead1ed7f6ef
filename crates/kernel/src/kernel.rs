//! The state machine over a store: genesis, entries, roots, records, snapshots.

use alloc::vec::Vec;

use crate::arena::layout_of;
use crate::commands::Address;
use crate::genesis;
use crate::host::Host;
use crate::keccak::Hash;
use crate::limits::ArenaId;
use crate::native::NativeStore;
use crate::reader::Malformed;
use crate::records::global;
use crate::snapshot::{self, SnapshotError};
use crate::store::Store;
use crate::transition::{Outcome, apply_entry};
use crate::views::Record;
use crate::world::World;

/// The state machine, somewhere between genesis and the end of the journal.
#[derive(Clone)]
pub struct Kernel<S: Store> {
    store: S,
}

impl<S: Store> Kernel<S> {
    /// Go on from a store that holds a state.
    pub fn over(store: S) -> Self {
        Self { store }
    }

    /// Apply one whole entry, appending its events. Total: every entry has an outcome.
    pub fn apply(&mut self, entry: &[u8], host: &mut impl Host, events: &mut Vec<u8>) -> Outcome {
        let mut world = World { store: &mut self.store, events };
        let outcome = apply_entry(&mut world, entry, host);
        let header = world.header_record();
        let deposits_atoms = header.get(global::DEPOSITS_ATOMS);
        let withdrawals_atoms = header.get(global::WITHDRAWALS_ATOMS);
        let custody_atoms = header.get(global::CUSTODY_ATOMS);
        assert!(custody_atoms == deposits_atoms - withdrawals_atoms, "money is conserved");
        outcome
    }

    /// Return the state root.
    pub fn root(&mut self) -> Hash {
        self.store.root()
    }

    /// Return the number of the last entry applied; 0 at genesis.
    pub fn seq(&self) -> u64 {
        self.store.get(global::ARENA, 0, global::SEQ)
    }

    /// Return the word that ties signatures to one chain and contract.
    pub fn domain_separator(&self) -> Hash {
        self.store.get(global::ARENA, 0, global::DOMAIN_SEPARATOR)
    }

    /// Return the words of one record, zeros for a slot never used. The slot must lie in the arena.
    pub fn read_record(&self, arena: ArenaId, slot: u32) -> Vec<u8> {
        read_record(&self.store, arena, slot)
    }

    /// Return the store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Return the store for taking witnesses off it.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Return the store, ending the kernel.
    pub fn into_store(self) -> S {
        self.store
    }
}

/// Return the words of one record of a store, zeros for a slot never used. The slot must lie in the
/// arena.
pub fn read_record<S: Store>(store: &S, arena: ArenaId, slot: u32) -> Vec<u8> {
    let layout = layout_of(arena);
    assert!(slot < layout.capacity(), "slot {slot} of {}", layout.capacity());
    let first = layout.first_word_of(slot);
    let words = first..first + layout.words_per_record as usize;
    words.flat_map(|index| store.word(arena, index)).collect()
}

impl Kernel<NativeStore> {
    /// Return state 0. Refuses bytes that are no canonical genesis.
    pub fn from_genesis(
        genesis: &[u8],
        chain_id: u64,
        contract: &Address,
    ) -> Result<Self, Malformed> {
        let mut store = NativeStore::new();
        let mut events = Vec::new();
        let mut world = World { store: &mut store, events: &mut events };
        genesis::found(&mut world, genesis, chain_id, contract)?;
        Ok(Self { store })
    }

    /// Return the state of a snapshot. Refuses one that does not hash to the root that it names.
    pub fn restore(data: &[u8]) -> Result<Self, SnapshotError> {
        Ok(Self { store: snapshot::restore(data)? })
    }

    /// Return the arenas written out, under their root.
    pub fn snapshot(&mut self) -> Vec<u8> {
        snapshot::write(&mut self.store)
    }

    /// Return the roots of the arenas: the leaves of the top tree.
    pub fn arena_roots(&mut self) -> Vec<Hash> {
        self.store.arena_roots()
    }
}
