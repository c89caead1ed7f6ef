// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LittleEndian} from "../../src/libraries/LittleEndian.sol";

/// @notice The bytes of entries as the sequencer writes them.
library EntryBuilder {
    /// @notice Return an entry: length, window, received (just before the window's end), command.
    function entry(uint64 windowNs, bytes memory command) internal pure returns (bytes memory) {
        bytes memory body = abi.encodePacked(
            LittleEndian.encodeUint64(windowNs), LittleEndian.encodeUint64(windowNs - 1), command
        );
        return bytes.concat(prefix(body.length), body);
    }

    /// @notice Return the entry of a Tick, the shortest useful command.
    function tick(uint64 windowNs, uint32 account) internal pure returns (bytes memory) {
        return entry(windowNs, abi.encodePacked(uint8(0x60), LittleEndian.encodeUint32(account)));
    }

    /// @notice Return an entry whose command is as long as a signed Place; `salt` tells it from
    /// others.
    function place(uint64 windowNs, uint256 salt) internal pure returns (bytes memory) {
        bytes32 first = keccak256(abi.encode("first", salt));
        bytes32 second = keccak256(abi.encode("second", salt));
        bytes memory signature = abi.encodePacked(first, second);
        bytes memory fields = new bytes(61);
        return entry(windowNs, abi.encodePacked(uint8(0x10), uint8(0), signature, fields));
    }

    /// @notice Return `count` copies of an entry, made by doubling: adding one at a time would copy
    /// what is there for each.
    function repeat(bytes memory single, uint256 count)
        internal
        pure
        returns (bytes memory entries)
    {
        bytes memory doubled = single;
        for (uint256 left = count; left != 0; left >>= 1) {
            if (left & 1 == 1) entries = bytes.concat(entries, doubled);
            if (left > 1) doubled = bytes.concat(doubled, doubled);
        }
    }

    /// @notice Return the command of a Deposit.
    function depositCommand(
        uint32 account,
        address owner,
        uint32 subaccount,
        uint8 token,
        uint64 amountAtoms
    ) internal pure returns (bytes memory) {
        return abi.encodePacked(
            uint8(0x01),
            LittleEndian.encodeUint32(account),
            owner,
            LittleEndian.encodeUint32(subaccount),
            token,
            LittleEndian.encodeUint64(amountAtoms)
        );
    }

    /// @notice Return the two bytes of a length, lowest first.
    function prefix(uint256 length) internal pure returns (bytes memory) {
        bytes32 word = bytes32(length);
        return abi.encodePacked(word[31], word[30]);
    }
}
