// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChain} from "../../src/interfaces/IChain.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {Entries} from "../../src/libraries/Entries.sol";
import {EntryBuilder} from "../support/EntryBuilder.sol";
import {PlainWalk} from "../support/PlainWalk.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {Trees} from "../support/Trees.sol";

contract ChainAppendTest is SettlementTest {
    address private constant OWNER = address(0xa11ce);
    uint256 private constant BYTES_MAX = 126_976;
    uint256 private constant TICK_BYTES = 23;

    function test_append_rejects_caller_other_than_operator(address caller) public {
        vm.assume(caller != OPERATOR);
        vm.expectRevert(
            abi.encodeWithSelector(IChain.CallerIsNotOperator.selector, caller, OPERATOR)
        );
        vm.prank(caller);
        chain.append("", 0);
    }

    function test_append_rejects_no_entries() public {
        _expectRefusal(abi.encodeWithSelector(IChain.EntriesMustNotBeEmpty.selector), "");
    }

    function test_append_rejects_more_bytes_than_max(uint256 length) public {
        length = bound(length, BYTES_MAX + 1, BYTES_MAX + 5000);
        _expectRefusal(
            abi.encodeWithSelector(IChain.EntriesTooLong.selector, length, BYTES_MAX),
            new bytes(length)
        );
    }

    function test_append_rejects_half_a_length() public {
        bytes memory entries = bytes.concat(ticks(2), hex"13");
        _expectRefusal(
            abi.encodeWithSelector(Entries.EntryTruncated.selector, 2 * TICK_BYTES, 1), entries
        );
    }

    function test_append_rejects_end_inside_an_entry(uint256 left) public {
        bytes memory whole = EntryBuilder.tick(nowNs(), 0);
        left = bound(left, 2, whole.length - 1);
        bytes memory part = new bytes(left);
        for (uint256 index = 0; index < left; ++index) {
            part[index] = whole[index];
        }
        _expectRefusal(
            abi.encodeWithSelector(Entries.EntryTruncated.selector, 2 * TICK_BYTES, left),
            bytes.concat(ticks(2), part)
        );
    }

    function test_append_rejects_entry_shorter_than_its_header(uint256 length) public {
        length = bound(length, 0, 16);
        bytes memory entries =
            bytes.concat(ticks(1), EntryBuilder.prefix(length), new bytes(length), ticks(1));
        _expectRefusal(
            abi.encodeWithSelector(
                Entries.EntryLengthOutOfRange.selector, TICK_BYTES, length, 17, 2046
            ),
            entries
        );
    }

    function test_append_rejects_entry_longer_than_max(uint256 length) public {
        length = bound(length, 2047, type(uint16).max);
        bytes memory prefix = EntryBuilder.prefix(length);
        _expectRefusal(
            abi.encodeWithSelector(
                Entries.EntryLengthOutOfRange.selector, TICK_BYTES, length, 17, 2046
            ),
            bytes.concat(ticks(1), prefix, new bytes(length))
        );
    }

    function test_append_rejects_request_that_nobody_queued(uint8 tag) public {
        tag = uint8(bound(tag, 0, 0x0f));
        _expectRefusal(
            abi.encodeWithSelector(IInbox.RequestNotFound.selector, 0, 0),
            EntryBuilder.entry(nowNs(), abi.encodePacked(tag))
        );
    }

    function test_append_rejects_changed_request(uint256 place, uint8 change) public {
        vm.assume(change != 0);
        bytes memory command = _queueDeposit(1);
        bytes32 expectedHash = keccak256(command);
        place = bound(place, 1, command.length - 1);
        command[place] = command[place] ^ bytes1(change);
        _expectRefusal(
            abi.encodeWithSelector(
                IChain.RequestHashMismatch.selector, TICK_BYTES, 0, keccak256(command), expectedHash
            ),
            bytes.concat(ticks(1), EntryBuilder.entry(nowNs(), command))
        );
    }

    function test_append_rejects_requests_out_of_order() public {
        bytes memory first = _queueDeposit(1);
        bytes memory second = _queueDeposit(2);
        _expectRefusal(
            abi.encodeWithSelector(
                IChain.RequestHashMismatch.selector, 0, 0, keccak256(second), keccak256(first)
            ),
            EntryBuilder.entry(nowNs(), second)
        );
    }

    function test_append_rejects_request_consumed_before() public {
        bytes memory command = _queueDeposit(1);
        append(EntryBuilder.entry(nowNs(), command), inbox.prefixHash());
        _expectRefusal(
            abi.encodeWithSelector(IInbox.RequestNotFound.selector, 1, 1),
            EntryBuilder.entry(nowNs(), command)
        );
    }

    function test_append_rejects_another_inbox_hash(bytes32 expectedHash, bool isConsuming) public {
        bytes memory entries = EntryBuilder.entry(nowNs(), _queueDeposit(1));
        if (!isConsuming) entries = ticks(1);
        bytes32 inboxHash = isConsuming ? inbox.prefixHash() : bytes32(0);
        vm.assume(expectedHash != inboxHash);
        vm.expectRevert(
            abi.encodeWithSelector(IChain.InboxHashMismatch.selector, inboxHash, expectedHash)
        );
        append(entries, expectedHash);
    }

    function test_append_rejects_window_before_that_of_the_last_append(uint64 windowNs) public {
        uint64 previousNs = nowNs();
        appendTicks(1);
        windowNs = uint64(bound(windowNs, 1, previousNs - 1));
        _expectRefusal(
            abi.encodeWithSelector(IChain.WindowRegressed.selector, windowNs, previousNs),
            EntryBuilder.tick(windowNs, 0)
        );
    }

    function test_append_rejects_last_time_12_hours_behind(uint64 windowNs) public {
        uint256 minSeconds = START_SECONDS - 12 hours;
        windowNs = uint64(bound(windowNs, 1, minSeconds * 1e9 - 1));
        _expectRefusal(
            abi.encodeWithSelector(IChain.LastTimeTooOld.selector, windowNs / 1e9, minSeconds),
            bytes.concat(ticks(1), EntryBuilder.tick(windowNs, 0))
        );
    }

    function test_append_rejects_last_time_a_minute_ahead(uint64 windowNs) public {
        uint256 maxSeconds = START_SECONDS + 60;
        windowNs = uint64(bound(windowNs, (maxSeconds + 1) * 1e9, type(uint64).max));
        _expectRefusal(
            abi.encodeWithSelector(IChain.LastTimeTooNew.selector, windowNs / 1e9, maxSeconds),
            bytes.concat(ticks(1), EntryBuilder.tick(windowNs, 0))
        );
    }

    function test_append_rejects_last_time_that_leaves_a_request_overdue(uint256 wait) public {
        _queueDeposit(1);
        wait = bound(wait, 1 hours + 1, 12 hours);
        vm.warp(START_SECONDS + wait);
        _expectRefusal(
            abi.encodeWithSelector(
                IChain.RequestOverdue.selector, 0, START_SECONDS + 1 hours, START_SECONDS + wait
            ),
            ticks(1)
        );
    }

    function test_append_accepts_last_times_up_to_both_ends() public {
        append(EntryBuilder.tick(nowNs() - 12 hours * 1e9, 0), 0);
        append(EntryBuilder.tick(nowNs() + 60_999_999_999, 0), 0);
        vm.assertEq(chain.appendsCount(), 2, "the ends belong to the range");
    }

    function test_append_may_leave_a_request_out_until_its_deadline() public {
        bytes memory command = _queueDeposit(1);
        vm.warp(START_SECONDS + 1 hours);
        appendTicks(1);
        vm.warp(START_SECONDS + 1 hours + 1);
        append(EntryBuilder.entry(nowNs(), command), inbox.prefixHash());
        vm.assertEq(chain.inboxPosition(), 1, "a late request still unblocks the chain");
    }

    function test_append_keeps_order_root_and_position(uint256 seed, uint8 pieces) public {
        bytes memory entries = _mixedEntries(seed, bound(pieces, 1, 40));
        PlainWalk.Result memory plain = PlainWalk.walk(entries);
        appendTicks(2);

        vm.expectEmit(address(chain));
        emit IChain.Appended(
            1, 3, uint64(plain.count), plain.dataRoot, uint64(plain.requests), inbox.prefixHash()
        );
        append(entries, inbox.prefixHash());

        IChain.Append memory appended = chain.appendAt(1);
        vm.assertEq(appended.dataRoot, plain.dataRoot, "the tree is that of the entry hashes");
        vm.assertEq(appended.firstSeq, 3, "numbers go on after the last append");
        vm.assertEq(appended.count, plain.count, "every entry is counted");
        vm.assertEq(appended.lastWindowNs, plain.lastWindowNs, "the last window is kept");
        vm.assertEq(appended.inboxPosition, plain.requests, "requests are consumed");
        vm.assertEq(chain.inboxPosition(), plain.requests, "the position is public");
        vm.assertEq(chain.inboxHash(), inbox.prefixHash(), "so is the prefix hash");
        vm.assertEq(chain.nextSeq(), 3 + plain.count, "and the next number");
    }

    function test_isEntryAt_accepts_each_entry_at_its_place_only(uint8 count, uint8 place) public {
        count = uint8(bound(count, 1, 40));
        place = uint8(bound(place, 0, count - 1));
        appendTicks(1);
        (bytes memory entries, bytes32[] memory hashes) = _orders(count);
        append(entries, 0);
        uint64 seq = 2 + uint64(place);
        (, bytes32[] memory path) = Trees.open(hashes, Trees.depthOf(count), place);

        vm.assertTrue(chain.isEntryAt(1, seq, hashes[place], path), "the entry is there");
        vm.assertFalse(chain.isEntryAt(1, seq, ~hashes[place], path), "another entry is not");
        vm.assertFalse(chain.isEntryAt(1, seq + 1, hashes[place], path), "nor is it elsewhere");
        vm.assertFalse(chain.isEntryAt(1, 1, hashes[place], path), "nor before the append");
        vm.assertFalse(chain.isEntryAt(1, seq + 64, hashes[place], path), "nor after it");
        bytes32[] memory longer = new bytes32[](path.length + 1);
        vm.assertFalse(chain.isEntryAt(1, seq, hashes[place], longer), "a path has one length");
        vm.expectRevert(abi.encodeWithSelector(IChain.AppendNotFound.selector, 2, 2));
        chain.isEntryAt(2, seq, hashes[place], path);
    }

    function _expectRefusal(bytes memory reason, bytes memory entries) private {
        bytes32 inboxHash = chain.inboxHash();
        uint64 appendsBefore = chain.appendsCount();
        vm.expectRevert(reason);
        append(entries, inboxHash);
        vm.assertEq(chain.appendsCount(), appendsBefore, "a refusal changes nothing");
    }

    /// @notice Deposit for the test's owner and return the command that credits it.
    function _queueDeposit(uint32 subaccount) private returns (bytes memory) {
        uint32 account = deposit(OWNER, subaccount, FIRST_DEPOSIT_MIN_ATOMS);
        return EntryBuilder.depositCommand(account, OWNER, subaccount, 0, FIRST_DEPOSIT_MIN_ATOMS);
    }

    /// @notice Ticks, orders and queued deposits in the order that `seed` draws.
    function _mixedEntries(uint256 seed, uint256 pieces) private returns (bytes memory entries) {
        for (uint32 piece = 0; piece < pieces; ++piece) {
            uint256 draw = uint256(keccak256(abi.encode(seed, piece)));
            bytes memory next = EntryBuilder.tick(nowNs() + piece, piece);
            if (draw % 3 == 1) next = EntryBuilder.place(nowNs() + piece, draw);
            if (draw % 3 == 2) next = EntryBuilder.entry(nowNs() + piece, _queueDeposit(piece));
            entries = bytes.concat(entries, next);
        }
    }

    function _orders(uint256 count)
        private
        view
        returns (bytes memory entries, bytes32[] memory hashes)
    {
        hashes = new bytes32[](count);
        for (uint256 index = 0; index < count; ++index) {
            bytes memory order = EntryBuilder.place(nowNs(), index);
            hashes[index] = keccak256(order);
            entries = bytes.concat(entries, order);
        }
    }
}
