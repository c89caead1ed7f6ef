// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DevelopmentUSDC} from "../../src/dev/DevelopmentUSDC.sol";
import {Test} from "../support/Test.sol";

contract DevelopmentUSDCTest is Test {
    function test_constructor_rejects_every_other_chain(uint64 chainId) public {
        vm.assume(chainId != 31337 && chainId != 0);
        vm.chainId(chainId);
        vm.expectRevert(
            abi.encodeWithSelector(
                DevelopmentUSDC.ChainIsNotForDevelopment.selector, uint256(chainId), 31337
            )
        );
        new DevelopmentUSDC();
    }

    function test_mint_is_open_and_decimals_are_those_of_usdc(address recipient, uint128 amount)
        public
    {
        vm.assume(recipient != address(0));
        vm.chainId(31337);
        DevelopmentUSDC token = new DevelopmentUSDC();
        vm.prank(recipient);
        token.mint(recipient, amount);
        vm.assertEq(token.balanceOf(recipient), amount, "anyone mints");
        vm.assertEq(token.decimals(), 6, "one USDC is a million atoms");
    }
}
