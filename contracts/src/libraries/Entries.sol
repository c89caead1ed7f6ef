// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ENTRY_BYTES_MAX} from "../Limits.sol";
import {LittleEndian} from "./LittleEndian.sol";

/// @title Entries
/// @notice Walk over concatenated entries in calldata.
///
/// entry = length u16 | window_ns u64 | received_ns u64 | command; length counts what follows it.
library Entries {
    /// @notice Bytes of the length prefix.
    uint256 internal constant LENGTH_BYTES = 2;
    /// @notice Bytes before the command: length, window, received.
    uint256 internal constant HEADER_BYTES = 18;
    /// @notice The least that may follow the length: window, received and a command's tag.
    uint256 internal constant LENGTH_MIN = 17;
    /// @notice The most that may follow the length.
    uint256 internal constant LENGTH_MAX = ENTRY_BYTES_MAX - LENGTH_BYTES;
    /// @notice Tags below this one come from the inbox.
    uint8 internal constant FIRST_SIGNED_TAG = 0x10;

    /// @notice The bytes end inside the entry that starts at `offset`.
    error EntryTruncated(uint256 offset, uint256 bytesLeft);

    /// @notice The length of the entry at `offset` is not one that an entry can have.
    error EntryLengthOutOfRange(uint256 offset, uint256 length, uint256 min, uint256 max);

    /// @notice Return the offset after the entry that starts at `start`.
    function endOf(bytes calldata entries, uint256 start) internal pure returns (uint256 end) {
        uint256 bytesLeft = entries.length - start;
        require(bytesLeft >= LENGTH_BYTES, EntryTruncated(start, bytesLeft));
        bytes2 prefix = bytes2(entries[start:start + LENGTH_BYTES]);
        uint256 length = LittleEndian.decodeUint16(prefix);
        require(
            length >= LENGTH_MIN && length <= LENGTH_MAX,
            EntryLengthOutOfRange(start, length, LENGTH_MIN, LENGTH_MAX)
        );
        require(bytesLeft >= LENGTH_BYTES + length, EntryTruncated(start, bytesLeft));
        return start + LENGTH_BYTES + length;
    }

    /// @notice Return whether the entry at `start` carries a request of the inbox.
    function isRequest(bytes calldata entries, uint256 start) internal pure returns (bool) {
        return uint8(entries[start + HEADER_BYTES]) < FIRST_SIGNED_TAG;
    }

    /// @notice Return the command of the entry from `start` to `end`.
    function command(bytes calldata entries, uint256 start, uint256 end)
        internal
        pure
        returns (bytes calldata)
    {
        return entries[start + HEADER_BYTES:end];
    }

    /// @notice Return the closing time of the window of the entry at `start`, ns.
    function windowNs(bytes calldata entries, uint256 start) internal pure returns (uint64) {
        return LittleEndian.decodeUint64(bytes8(entries[start + LENGTH_BYTES:]));
    }
}
