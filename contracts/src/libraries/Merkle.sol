// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Merkle
/// @notice Dense binary keccak trees: an inner node is keccak(left ‖ right), a leaf is used as it
/// is.
library Merkle {
    /// @notice A tree that grows by its leaves and holds one node per level.
    ///
    /// `pairs[2 * i]` is the root of the last complete left subtree of 2^i leaves if that still
    /// awaits its right sibling (bit i of `count` says so), else zero; `pairs[2 * i + 1]` is room
    /// for the sibling, so that a hash finds both halves side by side. No transaction has the gas
    /// for the 2^32 leaves that would not fit.
    struct Frontier {
        uint256 count;
        bytes32[64] pairs;
    }

    /// @notice Add `leaf`, a hash and therefore not zero, on the right.
    function push(Frontier memory frontier, bytes32 leaf) internal pure {
        bytes32 node = leaf;
        uint256 left = 0;
        for (; frontier.pairs[left] != 0; left += 2) {
            node = Hashes.efficientKeccak256(frontier.pairs[left], node);
            frontier.pairs[left] = 0;
        }
        frontier.pairs[left] = node;
        ++frontier.count;
    }

    /// @notice Return the root of the leaves padded with zero to the next power of two.
    function paddedRoot(Frontier memory frontier) internal pure returns (bytes32) {
        uint256 depth = Math.log2(frontier.count, Math.Rounding.Ceil);
        if (frontier.count == 2 ** depth) return frontier.pairs[2 * depth];
        bytes32 node = 0;
        bytes32 zero = 0;
        for (uint256 level = 0; level < depth; ++level) {
            node = (frontier.count >> level) & 1 == 1
                ? Hashes.efficientKeccak256(frontier.pairs[2 * level], node)
                : Hashes.efficientKeccak256(node, zero);
            zero = Hashes.efficientKeccak256(zero, zero);
        }
        return node;
    }

    /// @notice Return the root of the tree that has `leaf` at `index` beside `siblings`, lowest
    /// first.
    ///
    /// Bits of `index` above the number of siblings are not looked at: the caller bounds it.
    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32 node)
    {
        node = leaf;
        for (uint256 level = 0; level < siblings.length; ++level) {
            node = (index >> level) & 1 == 1
                ? Hashes.efficientKeccak256(siblings[level], node)
                : Hashes.efficientKeccak256(node, siblings[level]);
        }
    }
}
