//! The native store: flat memory, with the trees over it hashed only where words changed.

use alloc::vec::Vec;

use crate::arena::{ArenaLayout, layout_at};
use crate::field::Word;
use crate::keccak::Hash;
use crate::limits::{ArenaId, STATE_ARENAS};
use crate::records::global;
use crate::store::Store;
use crate::tree::{Tree, fold};
use crate::views::InMemory;

const ZERO_WORD: Word = [0; 32];

/// Words whose changes are noted in one number: no record lies in two of such blocks.
const BLOCK_WORDS: usize = u64::BITS as usize;
const _: () = assert!(global::ARENA.words_per_record as usize <= BLOCK_WORDS, "the largest record");

/// The depth of the tree over the arena roots.
pub const STATE_DEPTH: u32 = (STATE_ARENAS as u32).ilog2();

/// The words of one arena, growing as they are written, and the tree over them.
#[derive(Clone, Debug)]
struct Memory {
    words: Vec<Word>,
    words_max: usize,
    words_per_record: usize,
    /// Which words changed since the last root, a number for each block.
    changed: Vec<u64>,
    /// The blocks in which one did, each once.
    changed_blocks: Vec<u32>,
    tree: Tree,
}

impl Memory {
    fn new(layout: Option<ArenaLayout>) -> Self {
        let depth = layout.map_or(0, ArenaLayout::depth);
        Self {
            words: Vec::new(),
            words_max: 1 << depth,
            words_per_record: layout.map_or(1, |layout| layout.words_per_record as usize),
            changed: Vec::new(),
            changed_blocks: Vec::new(),
            tree: Tree::new(depth),
        }
    }

    #[inline(always)]
    fn word_mut(&mut self, index: usize) -> &mut Word {
        if index >= self.words.len() {
            self.grow(index);
        }
        self.mark(index, 1);
        &mut self.words[index]
    }

    #[inline(always)]
    fn record_mut<const WORDS: usize>(&mut self, slot: usize) -> &mut [Word; WORDS] {
        if slot >= self.words.as_chunks::<WORDS>().0.len() {
            self.grow(slot * WORDS);
        }
        &mut self.words.as_chunks_mut().0[slot]
    }

    /// Zero what is not zero of a record but for its first word.
    #[inline(always)]
    fn clear(&mut self, start: usize, count: usize, first: Word) {
        if start >= self.words.len() {
            self.grow(start);
        }
        let words = &mut self.words[start..start + count];
        let mut written = 1;
        words[0] = first;
        for (place, word) in (1..count).zip(&mut words[1..]) {
            written |= ((*word != ZERO_WORD) as u64) << place;
            *word = ZERO_WORD;
        }
        self.mark(start, written);
    }

    /// Note which words from a place on are written, one bit each; they lie in one block.
    #[inline(always)]
    fn mark(&mut self, start: usize, written: u64) {
        let block = start / BLOCK_WORDS;
        let changed = &mut self.changed[block];
        if *changed == 0 && written != 0 {
            self.changed_blocks.push(block as u32);
        }
        *changed |= written << (start % BLOCK_WORDS);
    }

    /// Let the record of a word be there as a whole.
    #[cold]
    fn grow(&mut self, index: usize) {
        assert!(index < self.words_max, "word {index} of an arena of {}", self.words_max);
        let length = (index + 1).next_multiple_of(self.words_per_record);
        self.words.resize(length, ZERO_WORD);
        self.changed.resize(length.div_ceil(BLOCK_WORDS), 0);
    }

    /// Return the places of the words that changed since the last root, rising.
    fn changed_words(&self) -> Vec<u32> {
        let mut blocks = self.changed_blocks.clone();
        blocks.sort_unstable();
        let words_of = |block: u32| {
            let (first, changed) = (block * u64::BITS, self.changed[block as usize]);
            (0..u64::BITS).filter(move |bit| changed >> bit & 1 == 1).map(move |bit| first + bit)
        };
        blocks.into_iter().flat_map(words_of).collect()
    }

    fn update(&mut self) {
        let mut changed = self.changed_words();
        for block in self.changed_blocks.drain(..) {
            self.changed[block as usize] = 0;
        }
        self.tree.update(&self.words, &mut changed);
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
        Self { memories: core::array::from_fn(|arena| Memory::new(layout_at(arena as u8))) }
    }

    /// Return the words of an arena up to the last one ever written.
    pub fn words(&self, arena: ArenaId) -> &[Word] {
        &self.memories[arena as usize].words
    }

    /// Return a record to write to; `mark` is to be told which of its words are written.
    #[inline(always)]
    pub fn record_mut<const WORDS: usize>(
        &mut self,
        arena: ArenaLayout,
        slot: u32,
    ) -> &mut [Word; WORDS] {
        self.memories[arena.id as usize].record_mut(slot as usize)
    }

    /// Note which words of a record are written, one bit each.
    #[inline(always)]
    pub fn mark(&mut self, arena: ArenaLayout, slot: u32, written: u64) {
        self.memories[arena.id as usize].mark(arena.first_word_of(slot), written);
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
        let (mut words, mut nodes) = (0, 0);
        for memory in &self.memories {
            let changed = memory.changed_words();
            words += changed.len() as u64;
            nodes += memory.tree.nodes_above(&changed);
        }
        (words, nodes)
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
    type Record<'a, const WORDS: usize> = &'a [Word; WORDS];
    type Editor<'a, const WORDS: usize> = InMemory<'a, WORDS>;

    #[inline(always)]
    fn word(&self, arena: ArenaId, index: usize) -> Word {
        let words = &self.memories[arena as usize].words;
        words.get(index).copied().unwrap_or(ZERO_WORD)
    }

    #[inline(always)]
    fn word_mut(&mut self, arena: ArenaId, index: usize) -> &mut Word {
        self.memories[arena as usize].word_mut(index)
    }

    #[inline(always)]
    fn record<const WORDS: usize>(&self, arena: ArenaLayout, slot: u32) -> &[Word; WORDS] {
        let (records, _) = self.memories[arena.id as usize].words.as_chunks();
        records.get(slot as usize).unwrap_or(const { &[ZERO_WORD; WORDS] })
    }

    #[inline(always)]
    fn edit<const WORDS: usize>(
        &mut self,
        arena: ArenaLayout,
        slot: u32,
        change: impl FnOnce(&mut InMemory<'_, WORDS>),
    ) {
        let mut record = InMemory { words: self.record_mut(arena, slot), written: 0 };
        change(&mut record);
        let written = record.written;
        self.mark(arena, slot, written);
    }

    #[inline(always)]
    fn clear(&mut self, arena: ArenaLayout, slot: u32, first: Word) {
        let count = arena.words_per_record as usize;
        self.memories[arena.id as usize].clear(arena.first_word_of(slot), count, first);
    }

    fn root(&mut self) -> Hash {
        let roots = (0..).zip(self.arena_roots()).collect();
        fold(STATE_DEPTH, roots, &mut |_, _| unreachable!("every arena root is given"))
    }
}
