// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Inbox} from "../../src/Inbox.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {Test} from "../support/Test.sol";

contract InboxTest is Test {
    /// @notice Bytes of the longest command: an entry of 2,048 less its header of 18.
    uint256 private constant MAX = 2030;

    Inbox private inbox;

    function setUp() public {
        inbox = new Inbox(address(this));
    }

    function test_constructor_rejects_vault_zero() public {
        vm.expectRevert(abi.encodeWithSelector(IInbox.VaultMustNotBeZero.selector));
        new Inbox(address(0));
    }

    function test_push_rejects_caller_other_than_vault(address caller, bytes calldata command)
        public
    {
        vm.assume(caller != address(this));
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.CallerIsNotVault.selector, caller, address(this))
        );
        vm.prank(caller);
        inbox.push(command);
    }

    function test_push_rejects_empty_command() public {
        vm.expectRevert(abi.encodeWithSelector(IInbox.CommandLengthOutOfRange.selector, 0, 1, MAX));
        inbox.push("");
    }

    function test_push_rejects_command_longer_than_an_entry_can_carry(uint256 length) public {
        length = bound(length, 2031, 5000);
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.CommandLengthOutOfRange.selector, length, 1, MAX)
        );
        inbox.push(new bytes(length));
    }

    function test_push_rejects_tag_that_needs_no_inbox(uint8 tag) public {
        tag = uint8(bound(tag, 0x10, 0xff));
        vm.expectRevert(abi.encodeWithSelector(IInbox.CommandTagOutOfRange.selector, tag, 0x0f));
        inbox.push(abi.encodePacked(tag));
    }

    function test_push_queues_requests_in_order(bytes[8] calldata tails, uint32 pause) public {
        bytes32 prefixHash = 0;
        for (uint64 index = 0; index < tails.length; ++index) {
            vm.warp(vm.getBlockTimestamp() + pause);
            bytes memory command = bytes.concat(hex"01", tails[index]);
            vm.assume(command.length <= 2030);
            prefixHash = keccak256(bytes.concat(prefixHash, keccak256(command)));

            vm.expectEmit(address(inbox));
            emit IInbox.RequestQueued(index, command, prefixHash);
            vm.assertEq(inbox.push(command), index, "indices count from 0");

            IInbox.Request memory request = inbox.requestAt(index);
            vm.assertEq(request.commandHash, keccak256(command), "the hash is that of the command");
            vm.assertEq(request.timestamp, vm.getBlockTimestamp(), "the time is that of the block");
            vm.assertEq(inbox.prefixHash(), prefixHash, "the prefix hash covers the request");
            vm.assertEq(inbox.count(), index + 1, "the count grows by one");
        }
    }

    function test_requestAt_rejects_index_beyond_queue(uint64 index) public {
        inbox.push(hex"01");
        index = uint64(bound(index, 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IInbox.RequestNotFound.selector, index, 1));
        inbox.requestAt(index);
    }
}
