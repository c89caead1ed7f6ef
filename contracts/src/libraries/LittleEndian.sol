// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title LittleEndian
/// @notice Integers as the protocol writes them, lowest byte first.
library LittleEndian {
    /// @notice Return the four bytes of `value`, lowest first.
    function encodeUint32(uint32 value) internal pure returns (bytes4) {
        return bytes4(_swap4(value));
    }

    /// @notice Return the eight bytes of `value`, lowest first.
    function encodeUint64(uint64 value) internal pure returns (bytes8) {
        return bytes8(_swap8(value));
    }

    /// @notice Return the integer whose two bytes, lowest first, are `encoded`.
    function decodeUint16(bytes2 encoded) internal pure returns (uint16) {
        uint16 value = uint16(encoded);
        return (value >> 8) | (value << 8);
    }

    /// @notice Return the integer whose eight bytes, lowest first, are `encoded`.
    function decodeUint64(bytes8 encoded) internal pure returns (uint64) {
        return _swap8(uint64(encoded));
    }

    function _swap4(uint32 value) private pure returns (uint32) {
        value = ((value & 0xFF00FF00) >> 8) | ((value & 0x00FF00FF) << 8);
        return (value >> 16) | (value << 16);
    }

    function _swap8(uint64 value) private pure returns (uint64) {
        value = ((value & 0xFF00FF00FF00FF00) >> 8) | ((value & 0x00FF00FF00FF00FF) << 8);
        value = ((value & 0xFFFF0000FFFF0000) >> 16) | ((value & 0x0000FFFF0000FFFF) << 16);
        return (value >> 32) | (value << 32);
    }
}
