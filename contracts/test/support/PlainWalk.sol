// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Trees} from "./Trees.sol";

/// @notice A walk over entries as a reader would write it, to compare with the fast one.
library PlainWalk {
    /// @notice What the walk finds.
    /// @param isWellFormed Whether the bytes are whole entries of possible lengths; else nothing
    /// after the first bad one is looked at.
    struct Result {
        bool isWellFormed;
        uint256 count;
        bytes32 dataRoot;
        uint256 requests;
        uint64 lastWindowNs;
    }

    /// @notice Walk over `entries`.
    function walk(bytes memory entries) internal pure returns (Result memory result) {
        bytes32[] memory hashes = new bytes32[](entries.length / 19);
        uint256 offset = 0;
        while (offset < entries.length) {
            if (entries.length - offset < 2) return result;
            uint256 size = 2 + _integer(entries, offset, 2);
            if (size < 19 || size > 2048 || size > entries.length - offset) return result;
            hashes[result.count++] = keccak256(_slice(entries, offset, size));
            if (uint8(entries[offset + 18]) < 0x10) ++result.requests;
            result.lastWindowNs = uint64(_integer(entries, offset + 2, 8));
            offset += size;
        }
        result.isWellFormed = true;
        bytes32[] memory leaves = new bytes32[](result.count);
        for (uint256 index = 0; index < leaves.length; ++index) {
            leaves[index] = hashes[index];
        }
        (result.dataRoot,) = Trees.open(leaves, Trees.depthOf(leaves.length), 0);
    }

    function _integer(bytes memory data, uint256 offset, uint256 size)
        private
        pure
        returns (uint256 value)
    {
        for (uint256 index = 0; index < size; ++index) {
            value += uint256(uint8(data[offset + index])) << (8 * index);
        }
    }

    function _slice(bytes memory data, uint256 offset, uint256 size)
        private
        pure
        returns (bytes memory part)
    {
        part = new bytes(size);
        for (uint256 index = 0; index < size; ++index) {
            part[index] = data[offset + index];
        }
    }
}
