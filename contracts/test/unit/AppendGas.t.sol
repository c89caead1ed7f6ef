// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {APPEND_BYTES_MAX} from "../../src/Limits.sol";
import {EntryBuilder} from "../support/EntryBuilder.sol";
import {SettlementTest} from "../support/SettlementTest.sol";

/// @notice What an append costs beside its calldata.
contract AppendGasTest is SettlementTest {
    /// @notice The most gas that a transaction may use (EIP-7825).
    uint256 private constant TRANSACTION_GAS_MAX = 2 ** 24;
    uint256 private constant ENTRY_GAS_MAX = 500;

    function test_append_of_orders_costs_at_most_500_gas_per_entry() public {
        bytes memory order = EntryBuilder.place(nowNs(), 0);
        uint256 gasPerEntry = _gasOf(order, APPEND_BYTES_MAX / order.length);
        vm.snapshotValue("Append", "gas per order", gasPerEntry);
        vm.assertLe(gasPerEntry, ENTRY_GAS_MAX, "an order costs at most 500 gas");
    }

    function test_append_of_ticks_costs_at_most_500_gas_per_entry() public {
        bytes memory tick = EntryBuilder.tick(nowNs(), 0);
        uint256 gasPerEntry = _gasOf(tick, APPEND_BYTES_MAX / tick.length);
        vm.snapshotValue("Append", "gas per tick", gasPerEntry);
        vm.assertLe(gasPerEntry, ENTRY_GAS_MAX, "a tick costs at most 500 gas");
    }

    function _gasOf(bytes memory entry, uint256 count) private returns (uint256 gasPerEntry) {
        appendTicks(1);
        bytes memory entries = EntryBuilder.repeat(entry, count);
        vm.prank(OPERATOR);
        chain.append(entries, 0);
        uint256 gasUsed = vm.lastCallGas().total;
        gasPerEntry = gasUsed / count;
        print("entries in one append:", count);
        print("gas of execution:     ", gasUsed);
        print("gas per entry:        ", gasPerEntry);
        // 40 gas per byte is the most that calldata costs, the floor of EIP-7623 included.
        vm.assertLt(
            gasUsed + 40 * entries.length + 21_000, TRANSACTION_GAS_MAX, "fits a transaction"
        );
        vm.assertEq(chain.appendAt(1).count, count, "every entry is counted");
    }
}
