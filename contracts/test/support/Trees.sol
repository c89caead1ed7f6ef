// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Trees built level by level from all their leaves, the plain way, to compare with.
library Trees {
    /// @notice Return the root of a tree of `depth` that begins with `leaves`, and the path of one.
    function open(bytes32[] memory leaves, uint256 depth, uint256 index)
        internal
        pure
        returns (bytes32 root, bytes32[] memory siblings)
    {
        siblings = new bytes32[](depth);
        bytes32[] memory nodes = leaves;
        bytes32 zero = 0;
        for (uint256 level = 0; level < depth; ++level) {
            uint256 sibling = (index >> level) ^ 1;
            siblings[level] = sibling < nodes.length ? nodes[sibling] : zero;
            nodes = _parents(nodes, zero);
            zero = keccak256(bytes.concat(zero, zero));
        }
        root = nodes.length == 0 ? zero : nodes[0];
    }

    /// @notice Return the least depth that has room for `count` leaves.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while (2 ** depth < count) ++depth;
    }

    function _parents(bytes32[] memory nodes, bytes32 zero)
        private
        pure
        returns (bytes32[] memory parents)
    {
        parents = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 index = 0; index < parents.length; ++index) {
            bytes32 right = 2 * index + 1 < nodes.length ? nodes[2 * index + 1] : zero;
            parents[index] = keccak256(bytes.concat(nodes[2 * index], right));
        }
    }
}
