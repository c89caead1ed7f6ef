//! Witnesses: the words that one entry touches, with the siblings that tie them to a root.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::arena::layout_at;
use crate::field::Word;
use crate::keccak::Hash;
use crate::limits::ArenaId;
use crate::native::{NativeStore, STATE_DEPTH};
use crate::records_by_word;
use crate::store::Store;
use crate::tree::fold;

/// Where a word lies: arena number and index.
pub type Place = (u8, u32);

/// The words that an entry touches as they were before it, and the siblings that they lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Touched words, strictly rising by place.
    pub words: Vec<(Place, Word)>,
    /// Per arena, rising, from the leaves up and left to right; then those of the tree of arena
    /// roots.
    pub siblings: Vec<Hash>,
}

/// Why a witness is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WitnessError {
    /// It holds no word.
    Empty,
    /// A word repeats, is out of order, or lies outside its arena.
    PlaceInvalid(Place),
    /// It holds more or fewer siblings than its words need.
    SiblingCount,
    /// It does not hash to the root before.
    RootMismatch(Hash),
}

/// A node that a multiproof asks for.
enum Sibling {
    InArena { arena: u8, height: u32, index: u32 },
    OfArenas { height: u32, index: u32 },
}

/// Return the state root from words, strictly rising by place, and the siblings that they lack.
fn fold_state(words: &[(Place, Word)], sibling: &mut impl FnMut(Sibling) -> Hash) -> Hash {
    let mut roots = Vec::new();
    for group in words.chunk_by(|left, right| left.0.0 == right.0.0) {
        let arena = group[0].0.0;
        let leaves = group.iter().map(|((_, index), word)| (*index, *word)).collect();
        let depth = layout_at(arena).expect("the places of words are checked").depth();
        let mut in_arena = |height, index| sibling(Sibling::InArena { arena, height, index });
        roots.push((arena as u32, fold(depth, leaves, &mut in_arena)));
    }
    fold(STATE_DEPTH, roots, &mut |height, index| sibling(Sibling::OfArenas { height, index }))
}

/// A store that notes every word read or written since the last witness, over the plain native
/// store.
pub struct RecordingStore {
    inner: NativeStore,
    touched: RefCell<BTreeMap<Place, Word>>,
}

impl RecordingStore {
    /// Start recording over a store.
    pub fn new(mut inner: NativeStore) -> Self {
        inner.update_trees();
        Self { inner, touched: RefCell::new(BTreeMap::new()) }
    }

    /// Return the store underneath.
    pub fn inner(&self) -> &NativeStore {
        &self.inner
    }

    /// Return the words touched since the last witness as they were then, tied to the root of then.
    ///
    /// Must be called before `root`, which moves the trees on. Starts the next recording.
    pub fn take_witness(&mut self) -> Witness {
        let words: Vec<_> = core::mem::take(self.touched.get_mut()).into_iter().collect();
        let mut siblings = Vec::new();
        let tops = self.arena_trees();
        fold_state(&words, &mut |place| {
            let hash = match place {
                Sibling::InArena { arena, height, index } => {
                    let layout = layout_at(arena).expect("a word was touched in it");
                    self.inner.node(layout.id, height, index)
                }
                Sibling::OfArenas { height, index } => tops[height as usize][index as usize],
            };
            siblings.push(hash);
            hash
        });
        Witness { words, siblings }
    }

    /// Return all nodes of the tree over the arena roots, by height.
    fn arena_trees(&self) -> Vec<Vec<Hash>> {
        let leaves: Vec<Hash> = (0..1 << STATE_DEPTH).map(|a| self.inner.arena_root(a)).collect();
        let mut levels = alloc::vec![leaves];
        for height in 0..STATE_DEPTH as usize {
            let pairs = levels[height].chunks(2);
            levels.push(pairs.map(|p| crate::keccak::hash_pair(&p[0], &p[1])).collect());
        }
        levels
    }
}

impl Store for RecordingStore {
    records_by_word!();

    fn word(&self, arena: ArenaId, index: usize) -> Word {
        let word = self.inner.word(arena, index);
        self.touched.borrow_mut().entry((arena as u8, index as u32)).or_insert(word);
        word
    }

    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word {
        self.word(arena, index);
        self.inner.word_mut(arena, index)
    }

    fn root(&mut self) -> Hash {
        self.inner.root()
    }
}

/// A store that holds the words of a witness and nothing else.
pub struct WitnessStore {
    words: Vec<(Place, Word)>,
    siblings: Vec<Hash>,
}

impl WitnessStore {
    /// Return a store over a witness that hashes to the root before.
    pub fn new(witness: Witness, root_before: &Hash) -> Result<Self, WitnessError> {
        check_places(&witness.words)?;
        let store = Self { words: witness.words, siblings: witness.siblings };
        let root = store.fold().ok_or(WitnessError::SiblingCount)?;
        match root == *root_before {
            true => Ok(store),
            false => Err(WitnessError::RootMismatch(root)),
        }
    }

    /// Return the root of the words as they are now; nothing if the number of siblings does not
    /// fit.
    fn fold(&self) -> Option<Hash> {
        let mut used = 0;
        let root = fold_state(&self.words, &mut |_| {
            let sibling = self.siblings.get(used).copied().unwrap_or_default();
            used += 1;
            sibling
        });
        (used == self.siblings.len()).then_some(root)
    }

    /// Return where a word is kept. A word that the witness lacks ends the program.
    fn find(&self, arena: ArenaId, index: usize) -> usize {
        let place = (arena as u8, index as u32);
        match self.words.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(found) => found,
            Err(_) => panic!("the witness lacks word {index} of arena {}", arena as u8),
        }
    }
}

fn check_places(words: &[(Place, Word)]) -> Result<(), WitnessError> {
    if words.is_empty() {
        return Err(WitnessError::Empty);
    }
    for (number, (place, _)) in words.iter().enumerate() {
        let follows = number == 0 || words[number - 1].0 < *place;
        let layout = layout_at(place.0);
        if !follows || layout.is_none_or(|layout| place.1 >> layout.depth() != 0) {
            return Err(WitnessError::PlaceInvalid(*place));
        }
    }
    Ok(())
}

impl Store for WitnessStore {
    records_by_word!();

    fn word(&self, arena: ArenaId, index: usize) -> Word {
        self.words[self.find(arena, index)].1
    }

    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word {
        let found = self.find(arena, index);
        &mut self.words[found].1
    }

    fn root(&mut self) -> Hash {
        self.fold().expect("the siblings fitted when the witness was taken in")
    }
}
