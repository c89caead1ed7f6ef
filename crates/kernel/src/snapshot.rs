//! Snapshots: the arenas written out; any copy that hashes to a known root is good.
//!
//! ```text
//! "PBKSNAP1" | root 32 | for each arena: { words u32, words × 32 bytes }
//! ```
//!
//! Trailing zero words of an arena are left out.

use alloc::vec::Vec;

use crate::arena::LAYOUTS;
use crate::keccak::Hash;
use crate::native::NativeStore;
use crate::reader::{Malformed, Reader};
use crate::store::Store;

const MAGIC: &[u8; 8] = b"PBKSNAP1";

/// Why a snapshot is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// The bytes are cut off, go on after the end, or are of something else.
    Malformed,
    /// The words hash to another root than the snapshot names.
    RootMismatch { named: Hash, computed: Hash },
}

impl From<Malformed> for SnapshotError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Return a store's words as a snapshot.
pub fn write(store: &mut NativeStore) -> Vec<u8> {
    let mut data = MAGIC.to_vec();
    data.extend_from_slice(&store.root());
    for layout in LAYOUTS {
        let words = store.words(layout.id);
        let end = words.iter().rposition(|word| *word != [0; 32]).map_or(0, |last| last + 1);
        data.extend_from_slice(&(end as u32).to_le_bytes());
        data.extend_from_slice(words[..end].as_flattened());
    }
    data
}

/// Return the store that a snapshot holds.
pub fn restore(data: &[u8]) -> Result<NativeStore, SnapshotError> {
    let mut reader = Reader::new(data);
    if reader.bytes()? != MAGIC {
        return Err(SnapshotError::Malformed);
    }
    let named: Hash = *reader.bytes()?;
    let mut store = NativeStore::new();
    for layout in LAYOUTS {
        let count = reader.u32()?;
        if count > 1 << layout.depth() {
            return Err(SnapshotError::Malformed);
        }
        for (index, word) in (0..).zip(reader.take(count as usize * 32)?.chunks_exact(32)) {
            store.word_mut(layout.id, index).copy_from_slice(word);
        }
    }
    reader.end()?;
    let computed = store.root();
    match computed == named {
        true => Ok(store),
        false => Err(SnapshotError::RootMismatch { named, computed }),
    }
}
