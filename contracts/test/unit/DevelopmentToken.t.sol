// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DevelopmentToken} from "../../src/dev/DevelopmentToken.sol";
import {Test} from "../support/Test.sol";

contract DevelopmentTokenTest is Test {
    function test_constructor_rejects_every_other_chain(uint64 chainId) public {
        vm.assume(chainId != 31337 && chainId != 0);
        vm.chainId(chainId);
        vm.expectRevert(
            abi.encodeWithSelector(
                DevelopmentToken.ChainIsNotForDevelopment.selector, uint256(chainId), 31337
            )
        );
        new DevelopmentToken("USDC", 6);
    }

    function test_mint_is_open_and_decimals_are_those_of_the_real_one(
        address recipient,
        uint128 amount,
        uint8 decimals
    ) public {
        vm.assume(recipient != address(0));
        vm.chainId(31337);
        DevelopmentToken token = new DevelopmentToken("WETH", decimals);
        vm.prank(recipient);
        token.mint(recipient, amount);
        vm.assertEq(token.balanceOf(recipient), amount, "anyone mints");
        vm.assertEq(token.decimals(), decimals, "as it was made");
        bytes32 symbolHash = keccak256(bytes(token.symbol()));
        vm.assertEq(symbolHash, keccak256("WETH"), "it is called what it stands for");
    }
}
