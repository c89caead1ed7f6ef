// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Inbox} from "../../src/Inbox.sol";
import {ENTRY_BYTES_MAX} from "../../src/Limits.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Entries} from "../../src/libraries/Entries.sol";
import {Merkle} from "../../src/libraries/Merkle.sol";
import {State} from "../support/State.sol";
import {Test} from "../support/Test.sol";
import {Trees} from "../support/Trees.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice Every command's bytes as the contracts walk, hash and store them.
contract EncodingVectorTest is Test {
    using Merkle for Merkle.Frontier;

    string private constant PATH = "../vectors/encoding/entries.json";
    uint64 private constant WINDOW_NS = 2 ** 60;
    address private constant GOVERNOR = address(0x0777);

    function test_every_entry_is_walked_and_hashed_as_the_vector_says() public view {
        string memory json = vm.readFile(PATH);
        for (uint256 index = 0; index < _count(json); ++index) {
            bytes memory entry = vm.parseJsonBytes(json, _key(index, ".entry"));
            bytes32 expected = vm.parseJsonBytes32(json, _key(index, ".hash"));
            vm.assertEq(keccak256(entry), expected, "the same hash");
            vm.assertEq(this.endOf(entry), entry.length, "the walk ends with the entry");
            vm.assertEq(this.windowNs(entry), WINDOW_NS, "the same window");
            vm.assertLe(entry.length, ENTRY_BYTES_MAX, "within the limit");
        }
    }

    function test_a_walk_over_all_entries_stops_at_requests_alone() public view {
        string memory json = vm.readFile(PATH);
        uint256 signed = 0;
        for (uint256 index = 0; index < _count(json); ++index) {
            bytes memory entry = vm.parseJsonBytes(json, _key(index, ".entry"));
            (uint256 next, uint256 pushed, bytes32 root) = this.pushRun(entry);
            if (this.isRequest(entry)) {
                vm.assertEq(next, 0, "a request is looked at closely");
                continue;
            }
            ++signed;
            vm.assertEq(next, entry.length, "anything else is passed over");
            vm.assertEq(pushed, 1, "as one leaf");
            vm.assertEq(root, vm.parseJsonBytes32(json, _key(index, ".hash")), "its hash");
        }
        vm.assertTrue(signed != 0, "the vector has entries that are not requests");
    }

    function test_one_run_over_everything_signed_gives_the_tree_of_the_hashes() public view {
        string memory json = vm.readFile(PATH);
        bytes memory entries;
        bytes32[] memory leaves = new bytes32[](_count(json));
        uint256 signed = 0;
        for (uint256 index = 0; index < leaves.length; ++index) {
            bytes memory entry = vm.parseJsonBytes(json, _key(index, ".entry"));
            if (this.isRequest(entry)) continue;
            entries = bytes.concat(entries, entry);
            leaves[signed++] = vm.parseJsonBytes32(json, _key(index, ".hash"));
        }
        (uint256 next, uint256 pushed, bytes32 root) = this.pushRun(entries);
        (bytes32 expected,) = Trees.open(leaves, Trees.depthOf(signed), 0);
        vm.assertEq(next, entries.length, "the run takes all");
        vm.assertEq(pushed, signed, "a leaf each");
        vm.assertEq(root, expected, "the same tree");
    }

    function test_requests_are_stored_by_the_hash_of_their_command() public {
        string memory json = vm.readFile(PATH);
        Inbox inbox = new Inbox(address(this), GOVERNOR);
        bytes32 prefixHash = 0;
        for (uint256 index = 0; index < _count(json); ++index) {
            bytes memory entry = vm.parseJsonBytes(json, _key(index, ".entry"));
            if (!this.isRequest(entry)) continue;
            bytes memory request = this.command(entry);
            bool isGoverned = uint8(request[0]) >= Entries.FIRST_GOVERNED_TAG;
            if (isGoverned) vm.prank(GOVERNOR);
            uint64 place = inbox.push(request);
            prefixHash = keccak256(bytes.concat(prefixHash, keccak256(request)));
            vm.assertEq(inbox.requestAt(place).commandHash, keccak256(request), "its hash");
            vm.assertEq(inbox.prefixHash(), prefixHash, "the prefix hash");
        }
        vm.assertTrue(prefixHash != 0, "the vector has requests");
    }

    function test_a_wallet_that_knows_the_types_signs_the_same_digests() public view {
        string memory json = vm.readFile(PATH);
        bytes32 separator = _separator(json);
        vm.assertEq(separator, vm.parseJsonBytes32(json, ".domain_separator"), "the same domain");
        bytes32 cancelAll = keccak256(
            abi.encode(
                keccak256("CancelAll(uint32 account,uint64 nonce,uint64 expiresNs)"), 3, 10, 2 ** 60
            )
        );
        bytes32 withdraw = keccak256(
            abi.encode(
                keccak256(
                    "Withdraw(uint32 account,uint64 nonce,uint64 expiresNs,uint8 token,"
                    "address recipient,uint64 amountAtoms)"
                ),
                3,
                11,
                2 ** 60,
                0,
                address(0x2222222222222222222222222222222222222222),
                5_000_000
            )
        );
        _assertDigest(json, "CancelAll", separator, cancelAll);
        _assertDigest(json, "Withdraw", separator, withdraw);
    }

    function endOf(bytes calldata entries) external pure returns (uint256) {
        return Entries.endOf(entries, 0);
    }

    function windowNs(bytes calldata entries) external pure returns (uint64) {
        return Entries.windowNs(entries, 0);
    }

    function isRequest(bytes calldata entries) external pure returns (bool) {
        return Entries.isRequest(entries, 0);
    }

    function command(bytes calldata entries) external pure returns (bytes memory) {
        return Entries.command(entries, 0, entries.length);
    }

    function pushRun(bytes calldata entries)
        external
        pure
        returns (uint256 next, uint256 pushed, bytes32 root)
    {
        Merkle.Frontier memory tree;
        (next,) = Entries.pushRun(tree, entries, 0);
        pushed = tree.count;
        if (pushed != 0) root = tree.paddedRoot();
    }

    function _assertDigest(
        string memory json,
        string memory name,
        bytes32 separator,
        bytes32 structHash
    ) private view {
        for (uint256 index = 0; index < _count(json); ++index) {
            string memory found = vm.parseJsonString(json, _key(index, ".command"));
            if (keccak256(bytes(found)) != keccak256(bytes(name))) continue;
            vm.assertEq(
                MessageHashUtils.toTypedDataHash(separator, structHash),
                vm.parseJsonBytes32(json, _key(index, ".digests[0]")),
                name
            );
            return;
        }
        vm.assertTrue(false, name);
    }

    function _separator(string memory json) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,"
                    "address verifyingContract)"
                ),
                keccak256("Proofbook"),
                keccak256("1"),
                vm.parseJsonUint(json, ".chain_id"),
                vm.parseJsonAddress(json, ".contract")
            )
        );
    }

    function _count(string memory json) private view returns (uint256 count) {
        while (vm.keyExistsJson(json, _key(count, ""))) ++count;
        vm.assertTrue(count != 0, "the vector has entries");
    }

    function _key(uint256 index, string memory field) private pure returns (string memory) {
        return string.concat(".entries[", vm.toString(index), "]", field);
    }
}

/// @notice The withdrawal tree as it grows, leaf by leaf.
contract AccumulatorVectorTest is Test {
    string private constant PATH = "../vectors/tree/merkle.json";

    function test_the_tree_of_withdrawals_grows_to_the_same_roots() public view {
        bytes32[] memory roots = vm.parseJsonBytes32Array(vm.readFile(PATH), ".withdrawal_roots");
        for (uint256 count = 0; count < roots.length; ++count) {
            IVault.Withdrawal[] memory withdrawals = new IVault.Withdrawal[](count);
            for (uint8 index = 0; index < count; ++index) {
                withdrawals[index] = _withdrawal(index);
            }
            uint256 last = count == 0 ? 0 : count - 1;
            (bytes32 root, bytes32[] memory path) = State.openWithdrawal(withdrawals, last);
            vm.assertEq(root, roots[count], "the same root");
            if (count == 0) continue;
            bytes32 leaf = State.leafOf(withdrawals[last]);
            vm.assertEq(this.rootOf(leaf, last, path), root, "the last leaf's path");
        }
        vm.assertTrue(roots.length > 1, "the vector has withdrawals");
    }

    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return Merkle.rootOf(leaf, index, siblings);
    }

    function _withdrawal(uint8 index) private pure returns (IVault.Withdrawal memory) {
        uint160 recipient = index * uint160(0x0101010101010101010101010101010101010101);
        return IVault.Withdrawal({
            index: index, token: 0, recipient: address(recipient), amount: uint128(10) ** index
        });
    }
}
