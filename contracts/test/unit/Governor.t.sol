// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/Chain.sol";
import {Governor} from "../../src/Governor.sol";
import {Inbox} from "../../src/Inbox.sol";
import {IChain} from "../../src/interfaces/IChain.sol";
import {IGovernor} from "../../src/interfaces/IGovernor.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {EntryBuilder} from "../support/EntryBuilder.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

contract GovernorTest is SettlementTest {
    /// @notice Halt a book: tag, instrument, state, mode, speed bump, interval between auctions.
    bytes private constant HALT = hex"0b" hex"05000000" hex"04" hex"00" hex"00000000" hex"00000000";

    /// @notice The state in which an operation is executed, as the timelock's errors name it: the
    /// bit of OperationState.Ready.
    bytes32 private constant READY = bytes32(uint256(4));

    function test_constructor_rejects_inbox_of_another_governor() public {
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorOfInboxMismatch.selector, address(governor))
        );
        new Governor(chain, GOVERNANCE_DELAY_SECONDS, only(PROPOSER), only(EXECUTOR));
    }

    function test_constructor_rejects_delay_that_leaves_no_time_to_exit(uint256 delaySeconds)
        public
    {
        vm.chainId(1);
        uint256 minSeconds = uint256(FINALITY_WINDOW_SECONDS) + 3 days;
        delaySeconds = bound(delaySeconds, 0, minSeconds - 1);
        IChain other = _chainGovernedByNext();
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.DelayBelowMin.selector, delaySeconds, minSeconds)
        );
        new Governor(other, delaySeconds, only(PROPOSER), only(EXECUTOR));
    }

    function test_constructor_takes_the_least_delay() public {
        vm.chainId(1);
        uint256 minSeconds = uint256(FINALITY_WINDOW_SECONDS) + 3 days;
        Governor made =
            new Governor(_chainGovernedByNext(), minSeconds, only(PROPOSER), only(EXECUTOR));
        vm.assertEq(made.getMinDelay(), minSeconds, "the delay is as given");
        vm.assertEq(made.delayMinSeconds(), minSeconds, "the least delay is kept");
    }

    function test_constructor_takes_any_delay_but_none_on_a_development_chain() public {
        IChain other = _chainGovernedByNext();
        Governor made = new Governor(other, 1, only(PROPOSER), only(EXECUTOR));
        vm.assertEq(made.delayMinSeconds(), 1, "a second is enough");
        other = _chainGovernedByNext();
        vm.expectRevert(abi.encodeWithSelector(IGovernor.DelayBelowMin.selector, 0, 1));
        new Governor(other, 0, only(PROPOSER), only(EXECUTOR));
    }

    function test_nobody_administers_but_the_governor_itself(address account) public view {
        bytes32 admin = governor.DEFAULT_ADMIN_ROLE();
        vm.assertEq(
            governor.hasRole(admin, account), account == address(governor), "no admin is left over"
        );
        vm.assertTrue(governor.hasRole(admin, address(governor)), "roles change after the delay");
    }

    function test_schedule_rejects_who_is_no_proposer(address caller) public {
        vm.assume(caller != PROPOSER);
        bytes32 id = _id(HALT);
        vm.expectRevert();
        vm.prank(caller);
        governor.schedule(
            address(inbox), 0, _push(HALT), bytes32(0), bytes32(0), GOVERNANCE_DELAY_SECONDS
        );
        vm.assertFalse(governor.isOperation(id), "nothing is scheduled");
    }

    function test_schedule_rejects_less_than_the_delay(uint256 delaySeconds) public {
        delaySeconds = bound(delaySeconds, 0, GOVERNANCE_DELAY_SECONDS - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                TimelockController.TimelockInsufficientDelay.selector,
                delaySeconds,
                GOVERNANCE_DELAY_SECONDS
            )
        );
        vm.prank(PROPOSER);
        governor.schedule(address(inbox), 0, _push(HALT), bytes32(0), bytes32(0), delaySeconds);
    }

    function test_a_command_reaches_the_inbox_only_after_the_delay(
        uint8 tag,
        bytes calldata tail,
        uint256 waited
    ) public {
        vm.assume(tail.length < 2030);
        bytes memory command = abi.encodePacked(uint8(bound(tag, 0x07, 0x0f)), tail);
        _schedule(command);
        uint256 start = vm.getBlockTimestamp();
        vm.warp(start + bound(waited, 0, GOVERNANCE_DELAY_SECONDS - 1));
        vm.expectRevert(
            abi.encodeWithSelector(
                TimelockController.TimelockUnexpectedOperationState.selector, _id(command), READY
            )
        );
        _execute(command);
        vm.assertEq(inbox.count(), 0, "nothing happens before its time");

        vm.warp(start + GOVERNANCE_DELAY_SECONDS);
        vm.expectEmit(address(inbox));
        emit IInbox.RequestQueued(
            0, command, keccak256(bytes.concat(bytes32(0), keccak256(command)))
        );
        _execute(command);
        vm.assertEq(inbox.requestAt(0).commandHash, keccak256(command), "the bytes as scheduled");
    }

    function test_a_command_of_users_is_never_queued(uint8 tag, bytes calldata tail) public {
        vm.assume((tag < 0x07 || tag > 0x0f) && tail.length < 2030);
        bytes memory command = abi.encodePacked(tag, tail);
        _schedule(command);
        vm.warp(vm.getBlockTimestamp() + GOVERNANCE_DELAY_SECONDS);
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.CommandTagOutOfRange.selector, tag, 0x07, 0x0f)
        );
        _execute(command);
        vm.assertEq(inbox.count(), 0, "nothing is queued");
    }

    function test_execute_rejects_who_is_no_executor(address caller) public {
        vm.assume(caller != EXECUTOR);
        _schedule(HALT);
        vm.warp(vm.getBlockTimestamp() + GOVERNANCE_DELAY_SECONDS);
        vm.expectRevert();
        vm.prank(caller);
        governor.execute(address(inbox), 0, _push(HALT), bytes32(0), bytes32(0));
    }

    function test_anyone_executes_where_the_zero_address_is_executor(address caller) public {
        governor = new Governor(_chainGovernedByNext(), 1, only(PROPOSER), only(address(0)));
        inbox = Inbox(address(governor.chain().inbox()));
        vm.prank(PROPOSER);
        governor.schedule(address(inbox), 0, _push(HALT), bytes32(0), bytes32(0), 1);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.prank(caller);
        governor.execute(address(inbox), 0, _push(HALT), bytes32(0), bytes32(0));
        vm.assertEq(inbox.count(), 1, "the request is queued");
    }

    function test_a_cancelled_command_is_not_executed() public {
        _schedule(HALT);
        vm.prank(PROPOSER);
        governor.cancel(_id(HALT));
        vm.warp(vm.getBlockTimestamp() + GOVERNANCE_DELAY_SECONDS);
        vm.expectRevert(
            abi.encodeWithSelector(
                TimelockController.TimelockUnexpectedOperationState.selector, _id(HALT), READY
            )
        );
        _execute(HALT);
    }

    function test_updateDelay_rejects_caller_other_than_the_governor(address caller) public {
        vm.assume(caller != address(governor));
        vm.expectRevert(
            abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, caller)
        );
        vm.prank(caller);
        governor.updateDelay(7 days);
    }

    function test_updateDelay_rejects_less_than_the_least_delay(uint256 delaySeconds) public {
        vm.chainId(1);
        uint256 minSeconds = uint256(FINALITY_WINDOW_SECONDS) + 3 days;
        Governor made =
            new Governor(_chainGovernedByNext(), minSeconds, only(PROPOSER), only(EXECUTOR));
        delaySeconds = bound(delaySeconds, 0, minSeconds - 1);
        vm.startPrank(address(made));
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.DelayBelowMin.selector, delaySeconds, minSeconds)
        );
        made.updateDelay(delaySeconds);
        made.updateDelay(minSeconds + 1);
        vm.stopPrank();
        vm.assertEq(made.getMinDelay(), minSeconds + 1, "a longer delay is taken");
    }

    function test_the_chain_consumes_what_is_governed_in_its_place() public {
        address owner = address(0x1111);
        uint32 account = deposit(owner, 0, FIRST_DEPOSIT_MIN_ATOMS);
        _schedule(HALT);
        vm.warp(vm.getBlockTimestamp() + GOVERNANCE_DELAY_SECONDS);
        _execute(HALT);
        bytes memory halt = EntryBuilder.entry(nowNs(), HALT);
        bytes32 depositHash = inbox.requestAt(0).commandHash;
        vm.expectRevert(
            abi.encodeWithSelector(
                IChain.RequestHashMismatch.selector, 0, 0, keccak256(HALT), depositHash
            )
        );
        append(halt, bytes32(0));

        bytes memory deposited =
            EntryBuilder.depositCommand(account, owner, 0, 0, FIRST_DEPOSIT_MIN_ATOMS);
        bytes32 inboxHash = inbox.prefixHash();
        append(bytes.concat(EntryBuilder.entry(nowNs(), deposited), halt), inboxHash);
        vm.assertEq(chain.inboxPosition(), 2, "deposit and governance, in the order of the inbox");
    }

    function _schedule(bytes memory command) private {
        vm.prank(PROPOSER);
        governor.schedule(
            address(inbox), 0, _push(command), bytes32(0), bytes32(0), GOVERNANCE_DELAY_SECONDS
        );
    }

    function _execute(bytes memory command) private {
        vm.prank(EXECUTOR);
        governor.execute(address(inbox), 0, _push(command), bytes32(0), bytes32(0));
    }

    function _id(bytes memory command) private view returns (bytes32) {
        return
            keccak256(
                abi.encode(address(inbox), uint256(0), _push(command), bytes32(0), bytes32(0))
            );
    }

    function _push(bytes memory command) private pure returns (bytes memory) {
        return abi.encodeCall(IInbox.push, (command));
    }

    /// @notice Return a chain whose inbox names as governor what this contract creates next.
    function _chainGovernedByNext() private returns (IChain) {
        uint64 nonce = vm.getNonce(address(this));
        inbox = new Inbox(address(vault), vm.computeCreateAddress(address(this), nonce + 2));
        return new Chain(deployment());
    }
}
