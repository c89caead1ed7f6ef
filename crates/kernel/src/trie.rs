//! The one index structure: a radix-64 trie made of records. Its shape depends on its keys alone.
//!
//! A key has `depth` digits of six bits, the most significant first. Children are slots: of nodes,
//! or of values at the last digit. Slot 0 as root is the empty trie.

use crate::arena::{NO_SLOT, allocate, free};
use crate::records::node;
use crate::store::Store;
use crate::views::Record;

/// Digits of a price in ticks.
pub const PRICE_DEPTH: u32 = 4;
/// Digits of an instrument's slot.
pub const INSTRUMENT_DEPTH: u32 = 2;
/// Digits of a strike's key.
pub const STRIKE_DEPTH: u32 = 4;

const DIGIT_BITS: u32 = 6;
const DIGIT_MASK: u32 = 63;
const DEPTH_MAX: usize = 4;
const NODE_WORDS: usize = node::ARENA.words_per_record as usize;

/// Return the key's digit at a level, level 0 being the most significant.
#[inline(always)]
fn digit(key: u32, depth: u32, level: u32) -> u32 {
    key >> (DIGIT_BITS * (depth - 1 - level)) & DIGIT_MASK
}

/// Return a child of a node. Read of its whole record, since the place is not known ahead.
#[inline(always)]
fn child<S: Store>(state: &S, slot: u32, place: u32) -> u32 {
    let node: S::Record<'_, NODE_WORDS> = state.record(node::ARENA, slot);
    node.get(node::CHILDREN.item(place))
}

/// Return the value at a key, or 0.
#[inline]
pub fn find<S: Store>(state: &S, root: u32, key: u32, depth: u32) -> u32 {
    let mut slot = root;
    for level in 0..depth {
        if slot == NO_SLOT {
            return NO_SLOT;
        }
        slot = child(state, slot, digit(key, depth, level));
    }
    slot
}

/// Set the value at a key that has none; return the root. Makes missing nodes from the root down.
pub fn insert<S: Store>(state: &mut S, root: u32, key: u32, depth: u32, value: u32) -> u32 {
    let root = if root == NO_SLOT { allocate(state, node::ARENA) } else { root };
    let mut slot = root;
    for level in 0..depth {
        let place = digit(key, depth, level);
        let mut below = child(state, slot, place);
        if level == depth - 1 || below == NO_SLOT {
            below = if level == depth - 1 { value } else { allocate(state, node::ARENA) };
            state.set(node::ARENA, slot, node::CHILDREN.item(place), below);
            let bitmap = state.get(node::ARENA, slot, node::BITMAP);
            state.set(node::ARENA, slot, node::BITMAP, bitmap | 1 << place);
        }
        slot = below;
    }
    root
}

/// Take a key that is there away; return the root, 0 if nothing is left. Frees empty nodes from the
/// leaf up.
pub fn remove<S: Store>(state: &mut S, root: u32, key: u32, depth: u32) -> u32 {
    let mut path = [root; DEPTH_MAX];
    for level in 1..depth {
        let above = path[level as usize - 1];
        path[level as usize] = child(state, above, digit(key, depth, level - 1));
    }
    for level in (0..depth).rev() {
        let (slot, place) = (path[level as usize], digit(key, depth, level));
        state.set(node::ARENA, slot, node::CHILDREN.item(place), NO_SLOT);
        let bitmap = state.get(node::ARENA, slot, node::BITMAP) & !(1 << place);
        state.set(node::ARENA, slot, node::BITMAP, bitmap);
        if bitmap != 0 {
            return root;
        }
        free(state, node::ARENA, slot);
    }
    NO_SLOT
}

/// Return the value at the lowest key, or 0 for the empty trie.
pub fn lowest<S: Store>(state: &S, root: u32, depth: u32) -> u32 {
    extreme(state, root, depth, u64::trailing_zeros)
}

/// Return the value at the highest key, or 0 for the empty trie.
pub fn highest<S: Store>(state: &S, root: u32, depth: u32) -> u32 {
    extreme(state, root, depth, |bitmap| 63 - bitmap.leading_zeros())
}

/// Return the value at the lowest key above one that is there, or 0.
pub fn above<S: Store>(state: &S, root: u32, key: u32, depth: u32) -> u32 {
    let beyond = |bitmap: u64, place: u32| bitmap & (u64::MAX << place << 1);
    neighbour(state, root, key, depth, beyond, u64::trailing_zeros)
}

/// Return the value at the highest key below one that is there, or 0.
pub fn below<S: Store>(state: &S, root: u32, key: u32, depth: u32) -> u32 {
    let beyond = |bitmap: u64, place: u32| bitmap & ((1 << place) - 1);
    neighbour(state, root, key, depth, beyond, |bitmap| 63 - bitmap.leading_zeros())
}

/// Go back up the key's path to the first node with a child beyond it, then down to the nearest.
fn neighbour<S: Store>(
    state: &S,
    root: u32,
    key: u32,
    depth: u32,
    beyond: impl Fn(u64, u32) -> u64,
    pick: impl Fn(u64) -> u32,
) -> u32 {
    let mut path = [root; DEPTH_MAX];
    for level in 1..depth {
        let parent = path[level as usize - 1];
        path[level as usize] = child(state, parent, digit(key, depth, level - 1));
    }
    for level in (0..depth).rev() {
        let slot = path[level as usize];
        let bitmap = state.get(node::ARENA, slot, node::BITMAP);
        let bitmap = beyond(bitmap, digit(key, depth, level));
        if bitmap != 0 {
            let nearest = child(state, slot, pick(bitmap));
            return extreme(state, nearest, depth - 1 - level, pick);
        }
    }
    NO_SLOT
}

#[inline(always)]
fn extreme<S: Store>(state: &S, root: u32, depth: u32, pick: impl Fn(u64) -> u32) -> u32 {
    let mut slot = root;
    for _ in 0..depth {
        if slot == NO_SLOT {
            return NO_SLOT;
        }
        let place = pick(state.get(node::ARENA, slot, node::BITMAP));
        slot = child(state, slot, place);
    }
    slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::open;
    use crate::native::NativeStore;

    fn empty() -> NativeStore {
        let mut state = NativeStore::new();
        open(&mut state, node::ARENA);
        state
    }

    #[test]
    fn keys_are_found_in_order_and_the_last_removal_frees_all() {
        let mut state = empty();
        let before = state.root();
        let keys = [5, 1 << 23, 64, 63, 0, (1 << 24) - 1, 70_000];
        let mut root = NO_SLOT;
        for (value, key) in (100..).zip(keys) {
            root = insert(&mut state, root, key, PRICE_DEPTH, value);
        }
        for (value, key) in (100..).zip(keys) {
            assert_eq!(find(&state, root, key, PRICE_DEPTH), value, "key {key}");
        }
        assert_eq!(find(&state, root, 6, PRICE_DEPTH), NO_SLOT, "a key beside one that is there");
        assert_eq!(lowest(&state, root, PRICE_DEPTH), 104, "the lowest key is 0");
        assert_eq!(highest(&state, root, PRICE_DEPTH), 105, "the highest key is 2^24 - 1");
        for key in keys {
            root = remove(&mut state, root, key, PRICE_DEPTH);
        }
        assert_eq!(root, NO_SLOT, "nothing is left");
        assert_eq!(highest(&state, root, PRICE_DEPTH), NO_SLOT, "the empty trie has no value");
        assert_ne!(state.root(), before, "generations remember what was there");
    }
}
