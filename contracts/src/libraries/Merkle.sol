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
    /// Bit i of `count` says that `nodes[i]` is the root of the last complete left subtree of 2^i
    /// leaves that still awaits its right sibling.
    struct Frontier {
        uint256 count;
        bytes32[16] nodes;
    }

    /// @notice Add `leaf` on the right. At most 2^16 - 1 leaves fit.
    function push(Frontier memory frontier, bytes32 leaf) internal pure {
        uint256 level = 0;
        uint256 carry = frontier.count;
        bytes32 node = leaf;
        while (carry & 1 == 1) {
            node = Hashes.efficientKeccak256(frontier.nodes[level], node);
            carry >>= 1;
            ++level;
        }
        frontier.nodes[level] = node;
        ++frontier.count;
    }

    /// @notice Return the root of the leaves padded with zero to the next power of two.
    function paddedRoot(Frontier memory frontier) internal pure returns (bytes32) {
        uint256 depth = Math.log2(frontier.count, Math.Rounding.Ceil);
        if (frontier.count == 2 ** depth) return frontier.nodes[depth];
        bytes32 node = 0;
        bytes32 zero = 0;
        for (uint256 level = 0; level < depth; ++level) {
            node = (frontier.count >> level) & 1 == 1
                ? Hashes.efficientKeccak256(frontier.nodes[level], node)
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
