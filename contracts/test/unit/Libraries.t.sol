// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entries} from "../../src/libraries/Entries.sol";
import {LittleEndian} from "../../src/libraries/LittleEndian.sol";
import {Merkle} from "../../src/libraries/Merkle.sol";
import {EntryBuilder} from "../support/EntryBuilder.sol";
import {PlainWalk} from "../support/PlainWalk.sol";
import {Test} from "../support/Test.sol";
import {Trees} from "../support/Trees.sol";

contract LibrariesTest is Test {
    using Merkle for Merkle.Frontier;

    function test_littleEndian_writes_and_reads_the_lowest_byte_first() public pure {
        vm.assertEq(
            abi.encodePacked(LittleEndian.encodeUint32(0x11223344)), hex"44332211", "four bytes"
        );
        vm.assertEq(
            abi.encodePacked(LittleEndian.encodeUint64(0x1122334455667788)),
            hex"8877665544332211",
            "eight bytes"
        );
        vm.assertEq(LittleEndian.decodeUint16(0x2211), 0x1122, "two bytes read");
        vm.assertEq(
            LittleEndian.decodeUint64(0x8877665544332211), 0x1122334455667788, "eight bytes read"
        );
    }

    function test_littleEndian_reads_what_it_writes(uint64 value) public pure {
        bytes8 encoded = LittleEndian.encodeUint64(value);
        vm.assertEq(LittleEndian.decodeUint64(encoded), value, "there and back");
    }

    function test_merkle_frontier_has_the_root_of_the_padded_tree(bytes32 salt, uint256 count)
        public
        pure
    {
        count = bound(count, 1, 70);
        bytes32[] memory leaves = _leaves(salt, count);
        Merkle.Frontier memory frontier;
        for (uint256 index = 0; index < count; ++index) {
            frontier.push(leaves[index]);
        }
        (bytes32 root,) = Trees.open(leaves, Trees.depthOf(count), 0);
        vm.assertEq(frontier.count, count, "leaves are counted");
        vm.assertEq(frontier.paddedRoot(), root, "the root is that of the padded tree");
    }

    function test_merkle_path_leads_to_the_root(bytes32 salt, uint256 count, uint256 index)
        public
        view
    {
        count = bound(count, 1, 70);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = _leaves(salt, count);
        (bytes32 root, bytes32[] memory siblings) = Trees.open(leaves, Trees.depthOf(count), index);
        vm.assertEq(this.rootOf(leaves[index], index, siblings), root, "the path is accepted");
    }

    function test_entries_walk_agrees_with_the_plain_walk(uint256 seed, uint256 pieces)
        public
        view
    {
        bytes memory entries = _hostileBytes(seed, bound(pieces, 1, 12));
        PlainWalk.Result memory plain = PlainWalk.walk(entries);
        try this.walk(entries) returns (uint256 count, bytes32 dataRoot, uint64 lastWindowNs) {
            vm.assertTrue(plain.isWellFormed, "the plain walk ends as well");
            vm.assertEq(count, plain.count, "both count the same entries");
            vm.assertEq(dataRoot, plain.dataRoot, "both build the same tree");
            vm.assertEq(lastWindowNs, plain.lastWindowNs, "both read the same last window");
        } catch {
            vm.assertFalse(plain.isWellFormed, "the plain walk refuses as well");
        }
    }

    /// @notice The walk of Chain without an inbox: a request is taken as it is.
    function walk(bytes calldata entries)
        external
        pure
        returns (uint256 count, bytes32 dataRoot, uint64 lastWindowNs)
    {
        Merkle.Frontier memory tree;
        uint256 next = 0;
        uint256 last = 0;
        while (next < entries.length) {
            (next, last) = Entries.pushRun(tree, entries, next);
            if (next >= entries.length) break;
            last = next;
            next = Entries.endOf(entries, next);
            require(Entries.isRequest(entries, last), "only a request stops the walk");
            tree.push(keccak256(entries[last:next]));
        }
        require(next == entries.length, "the last entry is whole");
        return (tree.count, tree.paddedRoot(), Entries.windowNs(entries, last));
    }

    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return Merkle.rootOf(leaf, index, siblings);
    }

    function _leaves(bytes32 salt, uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 index = 0; index < count; ++index) {
            leaves[index] = keccak256(abi.encode(salt, index));
        }
    }

    /// @notice Sound entries of all sizes, sometimes with a broken length or a cut end.
    function _hostileBytes(uint256 seed, uint256 pieces)
        private
        pure
        returns (bytes memory entries)
    {
        for (uint256 piece = 0; piece < pieces; ++piece) {
            uint256 draw = uint256(keccak256(abi.encode(seed, piece)));
            uint64 windowNs = uint64(bound(draw >> 64, 1, type(uint64).max));
            uint256 tailLength = draw % 5 == 0 ? (draw >> 8) % 2030 : (draw >> 8) % 64;
            bytes memory command =
                bytes.concat(bytes1(uint8((draw >> 16) % 0x20)), new bytes(tailLength));
            entries = bytes.concat(entries, EntryBuilder.entry(windowNs, command));
            if (draw % 37 == 0) entries = bytes.concat(entries, bytes2(bytes32(draw)));
        }
        uint256 cut = seed % 4 == 0 ? (seed >> 8) % 20 : 0;
        if (cut >= entries.length) return entries;
        uint256 length = entries.length - cut;
        // Equivalent: entries = entries[:length]
        assembly ("memory-safe") {
            mstore(entries, length)
        }
    }
}
