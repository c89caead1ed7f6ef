//! The native store: flat memory, with the trees over it hashed only where words changed.

use alloc::vec::Vec;

use crate::arena::layout_at;
use crate::field::Word;
use crate::keccak::Hash;
use crate::limits::{ArenaId, STATE_ARENAS};
use crate::store::Store;
use crate::tree::{Tree, fold};

const ZERO_WORD: Word = [0; 32];

/// The depth of the tree over the arena roots.
pub const STATE_DEPTH: u32 = (STATE_ARENAS as u32).ilog2();

/// The words of one arena, growing as they are written, and the tree over them.
#[derive(Clone, Debug)]
struct Memory {
    words: Vec<Word>,
    words_max: u32,
    changed: Vec<u32>,
    is_changed: Vec<u64>,
    tree: Tree,
}

impl Memory {
    fn new(depth: u32) -> Self {
        Self {
            words: Vec::new(),
            words_max: 1 << depth,
            changed: Vec::new(),
            is_changed: Vec::new(),
            tree: Tree::new(depth),
        }
    }

    #[inline(always)]
    fn word_mut(&mut self, index: u32) -> &mut Word {
        if index as usize >= self.words.len() {
            self.grow(index);
        }
        let (block, bit) = (index as usize / 64, 1 << (index % 64));
        if self.is_changed[block] & bit == 0 {
            self.is_changed[block] |= bit;
            self.changed.push(index);
        }
        &mut self.words[index as usize]
    }

    #[cold]
    fn grow(&mut self, index: u32) {
        assert!(index < self.words_max, "word {index} of an arena of {}", self.words_max);
        let length = index as usize + 1;
        self.words.resize(length, ZERO_WORD);
        self.is_changed.resize(length.div_ceil(64), 0);
    }

    fn update(&mut self) {
        for &index in &self.changed {
            self.is_changed[index as usize / 64] = 0;
        }
        self.tree.update(&self.words, &mut self.changed);
    }
}

/// All arenas in flat memory.
#[derive(Clone, Debug)]
pub struct NativeStore {
    memories: [Memory; STATE_ARENAS as usize],
}

impl NativeStore {
    /// Return the store in which every word is zero.
    pub fn new() -> Self {
        let depth = |arena: usize| layout_at(arena as u8).map_or(0, |layout| layout.depth());
        Self { memories: core::array::from_fn(|arena| Memory::new(depth(arena))) }
    }

    /// Return the words of an arena up to the last one ever written.
    pub fn words(&self, arena: ArenaId) -> &[Word] {
        &self.memories[arena as usize].words
    }

    /// Return a node of an arena's tree as of the last root; height 0 is the words themselves.
    pub fn node(&self, arena: ArenaId, height: u32, index: u32) -> Hash {
        let memory = &self.memories[arena as usize];
        memory.tree.node(&memory.words, height, index)
    }

    /// Return the root of an arena, by its number, as of the last state root; absent arenas are
    /// zero.
    pub fn arena_root(&self, arena: usize) -> Hash {
        let memory = &self.memories[arena];
        memory.tree.root(&memory.words)
    }

    /// Return the roots of the arenas by number, after hashing everything that changed.
    pub fn arena_roots(&mut self) -> Vec<Hash> {
        self.update_trees();
        (0..STATE_ARENAS as usize).map(|arena| self.arena_root(arena)).collect()
    }

    /// Return how many words changed since the last root, and how many nodes it takes to hash them.
    pub fn unhashed(&self) -> (u64, u64) {
        let words = self.memories.iter().map(|memory| memory.changed.len() as u64).sum();
        let nodes = self.memories.iter().map(|memory| memory.tree.nodes_above(&memory.changed));
        (words, nodes.sum())
    }

    /// Hash everything that changed since the last root.
    pub fn update_trees(&mut self) {
        for memory in &mut self.memories {
            memory.update();
        }
    }
}

impl Default for NativeStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for NativeStore {
    #[inline(always)]
    fn word(&self, arena: ArenaId, index: u32) -> Word {
        let words = &self.memories[arena as usize].words;
        words.get(index as usize).copied().unwrap_or(ZERO_WORD)
    }

    #[inline(always)]
    fn word_mut(&mut self, arena: ArenaId, index: u32) -> &mut Word {
        self.memories[arena as usize].word_mut(index)
    }

    fn root(&mut self) -> Hash {
        let roots = (0..).zip(self.arena_roots()).collect();
        fold(STATE_DEPTH, roots, &mut |_, _| unreachable!("every arena root is given"))
    }
}
