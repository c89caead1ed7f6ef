// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Inbox} from "../../src/Inbox.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {Test} from "../support/Test.sol";

contract InboxTest is Test {
    /// @notice Bytes of the longest command: an entry of 2,048 less its header of 18.
    uint256 private constant MAX = 2030;

    address private constant GOVERNOR = address(0x0777);

    Inbox private inbox;

    function setUp() public {
        inbox = new Inbox(address(this), GOVERNOR);
    }

    function test_constructor_rejects_vault_zero() public {
        vm.expectRevert(abi.encodeWithSelector(IInbox.VaultMustNotBeZero.selector));
        new Inbox(address(0), GOVERNOR);
    }

    function test_constructor_rejects_governor_zero() public {
        vm.expectRevert(abi.encodeWithSelector(IInbox.GovernorMustNotBeZero.selector));
        new Inbox(address(this), address(0));
    }

    function test_constructor_rejects_governor_that_is_the_vault() public {
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.GovernorMustNotBeVault.selector, address(this))
        );
        new Inbox(address(this), address(this));
    }

    function test_push_rejects_caller_other_than_vault_and_governor(
        address caller,
        bytes calldata command
    ) public {
        vm.assume(caller != address(this) && caller != GOVERNOR);
        vm.expectRevert(
            abi.encodeWithSelector(
                IInbox.CallerMayNotPush.selector, caller, address(this), GOVERNOR
            )
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

    function test_push_takes_from_the_vault_no_tag_but_those_of_users(uint8 tag) public {
        if (tag >= 0x01 && tag <= 0x06) {
            inbox.push(abi.encodePacked(tag));
            vm.assertEq(inbox.count(), 1, "a request of users is queued");
            return;
        }
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.CommandTagOutOfRange.selector, tag, 0x01, 0x06)
        );
        inbox.push(abi.encodePacked(tag));
    }

    function test_push_takes_from_the_governor_no_tag_but_those_of_governance(
        uint8 tag,
        bytes calldata tail
    ) public {
        vm.assume(tail.length < MAX);
        if (tag < 0x07 || tag > 0x0f) {
            vm.expectRevert(
                abi.encodeWithSelector(IInbox.CommandTagOutOfRange.selector, tag, 0x07, 0x0f)
            );
        }
        vm.prank(GOVERNOR);
        inbox.push(abi.encodePacked(tag, tail));
        vm.assertEq(inbox.count(), tag < 0x07 || tag > 0x0f ? 0 : 1, "queued if of governance");
    }

    function test_push_of_either_tag_boundary() public {
        inbox.push(hex"06");
        vm.startPrank(GOVERNOR);
        inbox.push(hex"07");
        inbox.push(hex"0e");
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.CommandTagOutOfRange.selector, 0x06, 0x07, 0x0f)
        );
        inbox.push(hex"06");
        vm.expectRevert(abi.encodeWithSelector(IInbox.CommandLengthOutOfRange.selector, 0, 1, MAX));
        inbox.push("");
        vm.stopPrank();
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
