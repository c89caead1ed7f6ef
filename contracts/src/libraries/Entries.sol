// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ENTRY_BYTES_MAX, TAG_SET_SETTLEMENT, TAG_SET_TOKEN} from "../Limits.sol";
import {LittleEndian} from "./LittleEndian.sol";
import {Merkle} from "./Merkle.sol";

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
    /// @notice The requests of governance: tags from the first to the last.
    uint8 internal constant FIRST_GOVERNED_TAG = TAG_SET_TOKEN;
    uint8 internal constant LAST_GOVERNED_TAG = TAG_SET_SETTLEMENT;
    /// @notice Tags below this one come from the inbox.
    uint8 internal constant FIRST_SIGNED_TAG = 0x10;

    /// @notice The bytes end inside the entry that starts at `offset`.
    error EntryTruncated(uint256 offset, uint256 bytesLeft);

    /// @notice The length of the entry at `offset` is not one that an entry can have.
    error EntryLengthOutOfRange(uint256 offset, uint256 length, uint256 min, uint256 max);

    /// @notice Return the offset after the entry that starts at `start`.
    function endOf(bytes calldata entries, uint256 start) internal pure returns (uint256) {
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

    /// @notice Add the hashes of the entries from `start` to the tree, up to the first that needs a
    /// closer look: it comes from the inbox, or its length is out of range.
    /// @return next Offset at which it stopped. Beyond the end of the bytes if they are cut off
    /// inside the last entry: the caller refuses them.
    /// @return last Offset of the last entry that was added, `start` if there is none.
    function pushRun(Merkle.Frontier memory tree, bytes calldata entries, uint256 start)
        internal
        pure
        returns (uint256 next, uint256 last)
    {
        // A fifth of the gas of:
        //
        //   for (next = last = start; next < entries.length; next += LENGTH_BYTES + length) {
        //       uint256 length = LittleEndian.decodeUint16(bytes2(entries[next:next + 2]));
        //       bool isOutOfRange = length < LENGTH_MIN || length > LENGTH_MAX;
        //       if (isOutOfRange || isRequest(entries, next)) break;
        //       tree.push(keccak256(entries[next:next + LENGTH_BYTES + length]));
        //       last = next;
        //   }
        //
        // Offsets count from the start of the calldata inside the block.
        uint256 lengthSpan = LENGTH_MAX - LENGTH_MIN;
        assembly ("memory-safe") {
            let count := mload(tree)
            let pairs := mload(add(tree, 0x20))
            let scratch := mload(0x40)
            let limit := add(entries.offset, entries.length)
            next := add(entries.offset, start)
            last := next
            for {} lt(next, limit) {} {
                let word := calldataload(next)
                let length := or(byte(0, word), shl(8, byte(1, word)))
                let isOutOfRange := gt(sub(length, LENGTH_MIN), lengthSpan)
                if or(isOutOfRange, lt(byte(HEADER_BYTES, word), FIRST_SIGNED_TAG)) { break }
                length := add(length, LENGTH_BYTES)
                calldatacopy(scratch, next, length)
                let node := keccak256(scratch, length)
                let left := pairs
                for {} mload(left) {} {
                    mstore(add(left, 0x20), node)
                    node := keccak256(left, 0x40)
                    mstore(left, 0)
                    left := add(left, 0x40)
                }
                mstore(left, node)
                count := add(count, 1)
                last := next
                next := add(next, length)
            }
            mstore(tree, count)
            next := sub(next, entries.offset)
            last := sub(last, entries.offset)
        }
    }
}
