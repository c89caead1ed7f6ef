// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice What every test contract has: the cheatcodes and the choice of fuzzed values.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice Where forge listens for lines to print.
    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    /// @notice Return `value` if it lies in min..max (inclusive), else a value in it.
    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        if (value >= min && value <= max) return value;
        uint256 span = max - min;
        return span == type(uint256).max ? value : min + value % (span + 1);
    }

    /// @notice Print a line with a number under `forge test -vv`.
    function print(string memory text, uint256 value) internal view {
        bytes memory line = abi.encodeWithSignature("log(string,uint256)", text, value);
        (bool isPrinted,) = CONSOLE.staticcall(line);
        vm.assertTrue(isPrinted, "a line can be printed");
    }
}
