// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/Chain.sol";
import {Inbox} from "../../src/Inbox.sol";
import {IChain} from "../../src/interfaces/IChain.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Entries} from "../../src/libraries/Entries.sol";
import {Merkle} from "../../src/libraries/Merkle.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {State} from "../support/State.sol";
import {Test} from "../support/Test.sol";

/// @notice The contracts against the vectors that the specification wrote.
contract AppendVectorTest is Test {
    string private constant PATH = "../vectors/settlement/append.json";

    Inbox private inbox;
    Chain private chain;

    function setUp() public {
        inbox = new Inbox(address(this), address(1));
        chain = new Chain(
            IChain.Deployment({
                genesis: "genesis",
                genesisRoot: keccak256("genesis root"),
                operator: address(this),
                inbox: inbox,
                bondWei: 0,
                finalityWindowSeconds: 1,
                disputes: address(0)
            })
        );
    }

    function test_append_agrees_with_the_vector() public {
        string memory json = vm.readFile(PATH);
        bytes memory entries = vm.parseJsonBytes(json, ".entries");
        bytes32[] memory requestHashes = vm.parseJsonBytes32Array(json, ".request_hashes");
        bytes32 inboxHash = vm.parseJsonBytes32(json, ".inbox_hash");

        uint64 lastWindowNs = this.queueRequests(entries);
        vm.assertEq(inbox.count(), requestHashes.length, "as many requests as the vector has");
        for (uint64 index = 0; index < requestHashes.length; ++index) {
            vm.assertEq(
                inbox.requestAt(index).commandHash, requestHashes[index], "the same request hash"
            );
        }
        vm.assertEq(inbox.prefixHash(), inboxHash, "the same prefix hash");

        vm.warp(lastWindowNs / 1e9);
        chain.append(entries, inboxHash);
        IChain.Append memory appended = chain.appendAt(0);
        vm.assertEq(appended.dataRoot, vm.parseJsonBytes32(json, ".data_root"), "the same tree");
        vm.assertEq(appended.count, vm.parseJsonUint(json, ".count"), "the same count");
        vm.assertEq(appended.inboxPosition, requestHashes.length, "every request is consumed");
        vm.assertEq(chain.inboxHash(), inboxHash, "the prefix hash is kept");
    }

    /// @notice Queue the requests that the entries carry; return the last entry's window.
    function queueRequests(bytes calldata entries) external returns (uint64 lastWindowNs) {
        uint256 start = 0;
        while (start < entries.length) {
            uint256 end = Entries.endOf(entries, start);
            if (Entries.isRequest(entries, start)) {
                inbox.push(Entries.command(entries, start, end));
            }
            lastWindowNs = Entries.windowNs(entries, start);
            start = end;
        }
    }
}

/// @notice Withdrawals by the specification's own proofs, through claim and finality.
contract WithdrawalVectorTest is SettlementTest {
    string private constant PATH = "../vectors/settlement/withdrawal.json";

    function test_withdrawals_agree_with_the_vector() public {
        string memory json = vm.readFile(PATH);
        bytes32[] memory rootProof = vm.parseJsonBytes32Array(json, ".root_proof");
        appendAndClaim(vm.parseJsonBytes32(json, ".state_root"));
        vm.warp(chain.finalizedAt(0));
        token.mint(address(vault), type(uint128).max);
        ether_.mint(address(vault), type(uint128).max);

        uint256[2] memory paidOf;
        for (uint256 count = 0; vm.keyExistsJson(json, _key(count, "")); ++count) {
            IVault.Withdrawal memory withdrawal = _withdrawal(json, count);
            bytes32[] memory proof = vm.parseJsonBytes32Array(json, _key(count, ".proof"));
            bytes32 leaf = vm.parseJsonBytes32(json, _key(count, ".leaf"));
            vm.assertEq(State.leafOf(withdrawal), leaf, "the same leaf");

            if (withdrawal.token >= vault.tokensCount()) {
                vm.expectRevert(
                    abi.encodeWithSelector(IVault.TokenNotSupported.selector, withdrawal.token)
                );
                vault.claimWithdrawal(0, withdrawal, proof, rootProof);
                continue;
            }
            IVault.Token memory terms = vault.tokenAt(withdrawal.token);
            uint256 balanceBefore = terms.erc20.balanceOf(withdrawal.recipient);
            vault.claimWithdrawal(0, withdrawal, proof, rootProof);
            uint256 paid = terms.erc20.balanceOf(withdrawal.recipient) - balanceBefore;
            vm.assertEq(paid, uint256(withdrawal.amount) * terms.scale, "the recipient is paid");
            paidOf[withdrawal.token] += 1;
        }
        vm.assertTrue(paidOf[0] != 0 && paidOf[1] != 0, "the vector has withdrawals of two tokens");
    }

    function _withdrawal(string memory json, uint256 index)
        private
        pure
        returns (IVault.Withdrawal memory)
    {
        return IVault.Withdrawal({
            index: uint64(vm.parseJsonUint(json, _key(index, ".index"))),
            token: uint8(vm.parseJsonUint(json, _key(index, ".token"))),
            recipient: vm.parseJsonAddress(json, _key(index, ".recipient")),
            amount: uint128(vm.parseJsonUint(json, _key(index, ".amount")))
        });
    }

    function _key(uint256 index, string memory field) private pure returns (string memory) {
        return string.concat(".withdrawals[", vm.toString(index), "]", field);
    }
}

/// @notice Padded trees and their paths.
contract TreeVectorTest is Test {
    using Merkle for Merkle.Frontier;

    string private constant PATH = "../vectors/tree/merkle.json";

    function test_trees_agree_with_the_vector() public view {
        string memory json = vm.readFile(PATH);
        uint256 count = 0;
        for (; vm.keyExistsJson(json, _key(count, "")); ++count) {
            bytes32[] memory leaves = vm.parseJsonBytes32Array(json, _key(count, ".leaves"));
            bytes32 root = vm.parseJsonBytes32(json, _key(count, ".root"));
            Merkle.Frontier memory frontier;
            for (uint256 index = 0; index < leaves.length; ++index) {
                frontier.push(leaves[index]);
            }
            vm.assertEq(frontier.paddedRoot(), root, "the same root");
            _checkPaths(json, count, leaves, root);
        }
        vm.assertTrue(count != 0, "the vector has trees");
    }

    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return Merkle.rootOf(leaf, index, siblings);
    }

    function _checkPaths(string memory json, uint256 tree, bytes32[] memory leaves, bytes32 root)
        private
        view
    {
        for (uint256 index = 0; index < leaves.length; ++index) {
            string memory field = string.concat(".proofs[", vm.toString(index), "]");
            bytes32[] memory siblings = vm.parseJsonBytes32Array(json, _key(tree, field));
            vm.assertEq(this.rootOf(leaves[index], index, siblings), root, "the same path");
        }
    }

    function _key(uint256 tree, string memory field) private pure returns (string memory) {
        return string.concat(".lists[", vm.toString(tree), "]", field);
    }
}
