//! Dense binary keccak trees: cached inner nodes, and folding of some leaves with siblings.

use alloc::vec::Vec;

use crate::keccak::{Hash, hash_pair};

/// The deepest tree of the protocol.
pub const DEPTH_MAX: usize = 32;

/// Roots of empty trees by depth: Z₀ = 0³², Zₙ₊₁ = keccak(Zₙ ‖ Zₙ).
pub const ZERO_SUBTREES: [Hash; DEPTH_MAX + 1] = zero_subtrees();

const fn zero_subtrees() -> [Hash; DEPTH_MAX + 1] {
    let mut roots = [[0; 32]; DEPTH_MAX + 1];
    let mut depth = 0;
    while depth < DEPTH_MAX {
        roots[depth + 1] = hash_pair(&roots[depth], &roots[depth]);
        depth += 1;
    }
    roots
}

/// The inner nodes over a growing list of leaves, kept so that a change costs one path.
#[derive(Clone, Debug)]
pub struct Tree {
    /// `levels[k]` holds the nodes of height k + 1 that cover a leaf; what lies beyond is a zero
    /// subtree.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Return the empty tree of a depth.
    pub fn new(depth: u32) -> Self {
        Self { levels: (0..depth).map(|_| Vec::new()).collect() }
    }

    /// Hash again everything above the leaves that changed.
    ///
    /// `changed` may hold an index several times, in any order; it is left empty.
    pub fn update(&mut self, leaves: &[Hash], changed: &mut Vec<u32>) {
        changed.sort_unstable();
        for height in 0..self.levels.len() {
            parents_of(changed);
            let (below, above) = self.levels.split_at_mut(height);
            let children = below.last().map_or(leaves, Vec::as_slice);
            let nodes = &mut above[0];
            let length = children.len().div_ceil(2);
            nodes.resize(length, ZERO_SUBTREES[height + 1]);
            let zero = &ZERO_SUBTREES[height];
            for &index in changed.iter() {
                let left = 2 * index as usize;
                let right = children.get(left + 1).unwrap_or(zero);
                nodes[index as usize] = hash_pair(&children[left], right);
            }
        }
        changed.clear();
    }

    /// Return how many nodes an update would hash; `changed` as there, and left as it is.
    pub fn nodes_above(&self, changed: &[u32]) -> u64 {
        let (mut indices, mut nodes) = (changed.to_vec(), 0);
        indices.sort_unstable();
        for _ in 0..self.levels.len() {
            parents_of(&mut indices);
            nodes += indices.len() as u64;
        }
        nodes
    }

    /// Return the root as of the last update.
    pub fn root(&self, leaves: &[Hash]) -> Hash {
        self.node(leaves, self.levels.len() as u32, 0)
    }

    /// Return the node of a height (0: a leaf) as of the last update.
    pub fn node(&self, leaves: &[Hash], height: u32, index: u32) -> Hash {
        let nodes = match height {
            0 => leaves,
            _ => &self.levels[height as usize - 1],
        };
        nodes.get(index as usize).copied().unwrap_or(ZERO_SUBTREES[height as usize])
    }
}

/// Replace sorted indices by those of their parents, each once.
fn parents_of(indices: &mut Vec<u32>) {
    for index in indices.iter_mut() {
        *index >>= 1;
    }
    indices.dedup();
}

/// Return the root of a tree from some of its leaves, strictly rising by index, and the siblings
/// they lack.
///
/// `sibling(height, index)` is asked from the leaves up, at each height from left to right.
pub fn fold(
    depth: u32,
    mut nodes: Vec<(u32, Hash)>,
    sibling: &mut impl FnMut(u32, u32) -> Hash,
) -> Hash {
    assert!(!nodes.is_empty(), "a fold starts from at least one leaf");
    for height in 0..depth {
        let (mut read, mut written) = (0, 0);
        while read < nodes.len() {
            let (index, hash) = nodes[read];
            let parent = match nodes.get(read + 1) {
                Some((next, right)) if index % 2 == 0 && *next == index + 1 => {
                    read += 1;
                    hash_pair(&hash, right)
                }
                _ if index % 2 == 0 => hash_pair(&hash, &sibling(height, index + 1)),
                _ => hash_pair(&sibling(height, index - 1), &hash),
            };
            nodes[written] = (index / 2, parent);
            read += 1;
            written += 1;
        }
        nodes.truncate(written);
    }
    nodes[0].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keccak::keccak256;
    use alloc::vec;

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|index| keccak256(&index.to_le_bytes())).collect()
    }

    fn naive_root(depth: u32, leaves: &[Hash]) -> Hash {
        let mut nodes = leaves.to_vec();
        nodes.resize(1 << depth, [0; 32]);
        while nodes.len() > 1 {
            nodes = nodes.chunks(2).map(|pair| hash_pair(&pair[0], &pair[1])).collect();
        }
        nodes[0]
    }

    #[test]
    fn updates_agree_with_hashing_everything() {
        let mut leaves = leaves(5);
        let mut tree = Tree::new(5);
        assert_eq!(tree.root(&[]), ZERO_SUBTREES[5], "the empty tree");
        tree.update(&leaves, &mut vec![4, 0, 1, 2, 3]);
        assert_eq!(tree.root(&leaves), naive_root(5, &leaves), "after the first leaves");
        leaves[3] = [7; 32];
        leaves.extend([[1; 32], [2; 32]]);
        assert_eq!(tree.nodes_above(&[6, 3, 5, 3]), 3 + 2 + 1 + 1 + 1, "shared parents count once");
        tree.update(&leaves, &mut vec![6, 3, 5, 3]);
        assert_eq!(tree.root(&leaves), naive_root(5, &leaves), "after a change and growth");
    }

    #[test]
    fn a_fold_of_some_leaves_gives_the_root() {
        let leaves = leaves(11);
        let mut tree = Tree::new(5);
        tree.update(&leaves, &mut (0..11).collect());
        for chosen in [vec![0], vec![1, 2], vec![0, 1, 6, 7, 10], vec![3, 20, 31]] {
            let nodes = chosen.iter().map(|&index| (index, tree.node(&leaves, 0, index))).collect();
            let root = fold(5, nodes, &mut |height, index| tree.node(&leaves, height, index));
            assert_eq!(root, tree.root(&leaves), "leaves {chosen:?}");
        }
    }
}
