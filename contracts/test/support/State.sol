// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../src/interfaces/IVault.sol";
import {Trees} from "./Trees.sol";

/// @notice States of the venue in which only the withdrawal tree means something.
library State {
    uint256 internal constant WITHDRAWAL_TREE_DEPTH = 32;
    uint256 internal constant WITHDRAWAL_ROOT_WORD = 4;

    /// @notice Return the leaf of a withdrawal.
    function leafOf(IVault.Withdrawal memory withdrawal) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                bytes8(withdrawal.index),
                bytes1(withdrawal.token),
                bytes20(withdrawal.recipient),
                bytes16(withdrawal.amount)
            )
        );
    }

    /// @notice Return the root of the withdrawal tree over `withdrawals`, and the path of one.
    function openWithdrawal(IVault.Withdrawal[] memory withdrawals, uint256 index)
        internal
        pure
        returns (bytes32 withdrawalRoot, bytes32[] memory leafProof)
    {
        bytes32[] memory leaves = new bytes32[](withdrawals.length);
        for (uint256 position = 0; position < leaves.length; ++position) {
            leaves[position] = leafOf(withdrawals[position]);
        }
        return Trees.open(leaves, WITHDRAWAL_TREE_DEPTH, index);
    }

    /// @notice Return the root of a state that holds `withdrawalRoot`, and the path of that word.
    /// @param salt Chooses all other words.
    function openWithdrawalRoot(bytes32 withdrawalRoot, uint256 salt)
        internal
        pure
        returns (bytes32 stateRoot, bytes32[] memory rootProof)
    {
        bytes32[] memory words = _words(64, salt);
        words[WITHDRAWAL_ROOT_WORD] = withdrawalRoot;
        bytes32[] memory arenaRoots = _words(32, ~salt);
        bytes32[] memory wordPath;
        bytes32[] memory arenaPath;
        (arenaRoots[0], wordPath) = Trees.open(words, 6, WITHDRAWAL_ROOT_WORD);
        (stateRoot, arenaPath) = Trees.open(arenaRoots, 5, 0);
        rootProof = new bytes32[](11);
        for (uint256 level = 0; level < 11; ++level) {
            rootProof[level] = level < 6 ? wordPath[level] : arenaPath[level - 6];
        }
    }

    function _words(uint256 count, uint256 salt) private pure returns (bytes32[] memory words) {
        words = new bytes32[](count);
        for (uint256 index = 0; index < count; ++index) {
            words[index] = keccak256(abi.encode(salt, index));
        }
    }
}
