// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChain} from "../../src/interfaces/IChain.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

contract ChainRollbackTest is SettlementTest {
    address private constant WINNER = address(0xcafe);
    bytes32 private constant WRONG = keccak256("wrong root");
    bytes32 private constant RIGHT = keccak256("right root");

    function test_rollback_rejects_caller_other_than_disputes(address caller) public {
        vm.assume(caller != DISPUTES);
        vm.expectRevert(
            abi.encodeWithSelector(IChain.CallerIsNotDisputes.selector, caller, DISPUTES)
        );
        vm.prank(caller);
        chain.rollback(0, address(0));
    }

    function test_rollback_rejects_claim_that_does_not_exist(uint64 claimIndex) public {
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimNotFound.selector, claimIndex, 0));
        vm.prank(DISPUTES);
        chain.rollback(claimIndex, address(0));
    }

    function test_rollback_rejects_final_claim(uint32 secondsAfter) public {
        appendAndClaim(WRONG);
        uint256 finalTime = chain.finalizedAt(0);
        vm.warp(finalTime + secondsAfter);
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimFinal.selector, 0, finalTime));
        vm.prank(DISPUTES);
        chain.rollback(0, address(0));
    }

    function test_rollback_rejects_winner_zero() public {
        appendAndClaim(WRONG);
        vm.expectRevert(abi.encodeWithSelector(IChain.WinnerMustNotBeZero.selector));
        vm.prank(DISPUTES);
        chain.rollback(0, address(0));
    }

    function test_rollback_deletes_the_claim_and_all_after_it(uint8 before, uint8 later) public {
        before = uint8(bound(before, 0, 5));
        later = uint8(bound(later, 0, 5));
        for (uint256 index = 0; index < before; ++index) {
            appendAndClaim(RIGHT);
        }
        for (uint256 index = 0; index <= later; ++index) {
            appendAndClaim(WRONG);
        }
        uint256 burntBefore = address(0).balance;

        vm.expectEmit(address(chain));
        emit IChain.RolledBack(before, uint64(later) + 1, WINNER, BOND_WEI / 2);
        vm.prank(DISPUTES);
        chain.rollback(before, WINNER);

        uint256 burnt = address(0).balance - burntBefore;
        vm.assertEq(chain.claimsCount(), before, "claims before it stay");
        vm.assertEq(chain.appendsClaimed(), before, "its appends can be claimed again");
        vm.assertEq(chain.appendsCount(), uint256(before) + later + 1, "inputs stay");
        vm.assertEq(chain.rewardOf(WINNER), BOND_WEI / 2, "half of one bond is the winner's");
        vm.assertEq(burnt, (uint256(later) + 1) * BOND_WEI - BOND_WEI / 2, "the rest is burnt");
        vm.assertEq(
            address(chain).balance, uint256(before) * BOND_WEI + BOND_WEI / 2, "other bonds stay"
        );
        vm.assertFalse(chain.isFinal(before), "a deleted claim is never final");
    }

    function test_rollback_leaves_the_inputs_to_an_honest_claim() public {
        appendAndClaim(WRONG);
        appendAndClaim(WRONG);
        vm.prank(DISPUTES);
        chain.rollback(0, WINNER);
        vm.warp(vm.getBlockTimestamp() + FINALITY_WINDOW_SECONDS);
        vm.assertFalse(chain.isFinal(0), "the time of a deleted claim does not count");

        claim(2, RIGHT);
        IChain.Claim memory claimed = chain.claimAt(0);
        vm.assertEq(claimed.postRoot, RIGHT, "the new claim takes the index");
        vm.assertEq(claimed.firstSeq, 1, "over the same entries");
        vm.assertEq(claimed.lastSeq, 2, "up to the last");
        vm.assertFalse(chain.isFinal(0), "its window begins anew");
        vm.warp(chain.finalizedAt(0));
        chain.releaseBond(0);
        vm.assertEq(chain.rewardOf(WINNER), address(chain).balance, "only the reward is left");
    }

    function test_collectReward_rejects_who_won_nothing(address winner) public {
        vm.expectRevert(abi.encodeWithSelector(IChain.RewardMustNotBeZero.selector, winner));
        chain.collectReward(winner);
    }

    function test_collectReward_rejects_winner_that_takes_no_coin() public {
        _win(address(inbox));
        vm.expectRevert(abi.encodeWithSelector(Errors.FailedCall.selector));
        chain.collectReward(address(inbox));
        vm.assertEq(chain.rewardOf(address(inbox)), BOND_WEI / 2, "the reward waits");
    }

    function test_collectReward_pays_the_winner_once(address caller) public {
        _win(WINNER);
        vm.expectEmit(address(chain));
        emit IChain.RewardCollected(WINNER, BOND_WEI / 2);
        vm.prank(caller);
        chain.collectReward(WINNER);
        vm.assertEq(WINNER.balance, BOND_WEI / 2, "the winner is paid");
        vm.expectRevert(abi.encodeWithSelector(IChain.RewardMustNotBeZero.selector, WINNER));
        chain.collectReward(WINNER);
    }

    function _win(address winner) private {
        appendAndClaim(WRONG);
        vm.prank(DISPUTES);
        chain.rollback(0, winner);
    }
}
