//! The append-only tree of withdrawals, from which the Vault pays by proof.
//!
//! The state keeps its root and a frontier: at each height the last subtree that is full.

use crate::commands::Address;
use crate::keccak::{Hash, Keccak, hash_pair};
use crate::limits::WITHDRAWAL_TREE_DEPTH;
use crate::records::global;
use crate::store::Store;
use crate::tree::ZERO_SUBTREES;

/// The root of the tree without leaves.
pub const EMPTY_ROOT: Hash = ZERO_SUBTREES[WITHDRAWAL_TREE_DEPTH as usize];

/// Return the leaf that the Vault recomputes from index, token, recipient and amount: 45 bytes.
pub fn withdrawal_leaf(index: u64, token: u8, recipient: &Address, amount_atoms: u64) -> Hash {
    let mut state = Keccak::new();
    state.update(&index.to_be_bytes());
    state.update(&[token]);
    state.update(recipient);
    state.update(&(amount_atoms as u128).to_be_bytes());
    state.finish()
}

/// Put leaf number `count` into the tree, changing the frontier; return the new root.
pub fn append<S: Store>(state: &mut S, count: u64, leaf: Hash) -> Hash {
    let (mut node, mut is_carrying) = (leaf, true);
    for height in 0..WITHDRAWAL_TREE_DEPTH as u32 {
        let place = global::WITHDRAWAL_FRONTIER.item(height);
        if count >> height & 1 == 1 {
            node = hash_pair(&state.get(global::ARENA, 0, place), &node);
            continue;
        }
        if is_carrying {
            state.set(global::ARENA, 0, place, node);
            is_carrying = false;
        }
        node = hash_pair(&node, &ZERO_SUBTREES[height as usize]);
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::NativeStore;
    use crate::tree::fold;

    #[test]
    fn the_frontier_gives_the_root_over_all_leaves() {
        let mut state = NativeStore::new();
        let leaves: alloc::vec::Vec<Hash> =
            (0..9).map(|index| withdrawal_leaf(index, 0, &[7; 20], 1000 + index)).collect();
        for (count, leaf) in leaves.iter().enumerate() {
            let root = append(&mut state, count as u64, *leaf);
            let nodes = (0..=count).map(|index| (index as u32, leaves[index])).collect();
            let zero = |height: u32, _| ZERO_SUBTREES[height as usize];
            assert_eq!(root, fold(32, nodes, &mut { zero }), "after leaf {count}");
        }
    }
}
