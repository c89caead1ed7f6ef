// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/Chain.sol";
import {IChain} from "../../src/interfaces/IChain.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {SettlementTest} from "../support/SettlementTest.sol";

contract ChainClaimTest is SettlementTest {
    bytes32 private constant ROOT = keccak256("post root");

    // --------------------------------------------------------------------------------- constructor

    function test_constructor_rejects_empty_genesis() public {
        IChain.Deployment memory bad = deployment();
        bad.genesis = "";
        vm.expectRevert(abi.encodeWithSelector(IChain.GenesisMustNotBeEmpty.selector));
        new Chain(bad);
    }

    function test_constructor_rejects_genesis_root_zero() public {
        IChain.Deployment memory bad = deployment();
        bad.genesisRoot = 0;
        vm.expectRevert(abi.encodeWithSelector(IChain.GenesisRootMustNotBeZero.selector));
        new Chain(bad);
    }

    function test_constructor_rejects_operator_zero() public {
        IChain.Deployment memory bad = deployment();
        bad.operator = address(0);
        vm.expectRevert(abi.encodeWithSelector(IChain.OperatorMustNotBeZero.selector));
        new Chain(bad);
    }

    function test_constructor_rejects_inbox_without_code() public {
        IChain.Deployment memory bad = deployment();
        bad.inbox = IInbox(address(7));
        vm.expectRevert(abi.encodeWithSelector(IChain.InboxHasNoCode.selector, address(7)));
        new Chain(bad);
    }

    function test_constructor_rejects_finality_window_zero() public {
        IChain.Deployment memory bad = deployment();
        bad.finalityWindowSeconds = 0;
        vm.expectRevert(abi.encodeWithSelector(IChain.FinalityWindowMustNotBeZero.selector));
        new Chain(bad);
    }

    function test_constructor_emits_the_genesis_and_keeps_what_a_verifier_needs() public {
        uint64 nonce = vm.getNonce(address(this));
        vm.expectEmit(vm.computeCreateAddress(address(this), nonce));
        emit IChain.Genesis(GENESIS);
        Chain fresh = new Chain(deployment());
        vm.assertEq(fresh.genesisHash(), keccak256(GENESIS), "the hash of the genesis is kept");
        vm.assertEq(fresh.genesisRoot(), GENESIS_ROOT, "the root before the first entry is kept");
        vm.assertEq(fresh.genesisBlock(), block.number, "events begin in this block");
        vm.assertEq(fresh.operator(), OPERATOR, "the operator is kept");
        vm.assertEq(fresh.disputes(), DISPUTES, "the dispute contract is kept");
        vm.assertEq(address(fresh.inbox()), address(inbox), "the inbox is kept");
        vm.assertEq(fresh.bondWei(), BOND_WEI, "the bond is kept");
        vm.assertEq(fresh.finalityWindowSeconds(), FINALITY_WINDOW_SECONDS, "the window is kept");
        vm.assertEq(fresh.nextSeq(), 1, "the first entry is number 1");
        vm.assertEq(fresh.appendsCount(), 0, "nothing is appended");
        vm.assertEq(fresh.claimsCount(), 0, "nothing is claimed");
    }

    // --------------------------------------------------------------------------------------- claim

    function test_claim_rejects_caller_other_than_operator(address caller) public {
        vm.assume(caller != OPERATOR);
        vm.expectRevert(
            abi.encodeWithSelector(IChain.CallerIsNotOperator.selector, caller, OPERATOR)
        );
        vm.prank(caller);
        chain.claim(0, new bytes32[](0));
    }

    function test_claim_rejects_no_appends() public {
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimMustNotBeEmpty.selector));
        vm.prank(OPERATOR);
        chain.claim(0, new bytes32[](0));
    }

    function test_claim_rejects_appends_that_do_not_exist(uint64 appends) public {
        appendTicks(1);
        appendAndClaim(ROOT);
        appends = uint64(bound(appends, 2, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IChain.AppendsNotFound.selector, appends, 1));
        vm.prank(OPERATOR);
        chain.claim(appends, new bytes32[](1));
    }

    function test_claim_rejects_another_number_of_roots(uint256 entries, uint256 roots) public {
        entries = bound(entries, 1, 1100);
        uint256 expected = entries <= 1024 ? 1 : 2;
        roots = bound(roots, 0, 5);
        vm.assume(roots != expected);
        appendTicks(entries);
        vm.expectRevert(
            abi.encodeWithSelector(IChain.CheckpointRootsCountMismatch.selector, roots, expected)
        );
        vm.prank(OPERATOR);
        chain.claim(1, new bytes32[](roots));
    }

    function test_claim_rejects_another_bond(uint256 paidWei) public {
        paidWei = bound(paidWei, 0, 1000 ether);
        vm.assume(paidWei != BOND_WEI);
        appendTicks(1);
        vm.expectRevert(abi.encodeWithSelector(IChain.BondMismatch.selector, paidWei, BOND_WEI));
        vm.prank(OPERATOR);
        chain.claim{value: paidWei}(1, new bytes32[](1));
    }

    function test_claim_covers_the_next_appends(uint8[3] memory counts) public {
        uint64 firstSeq = 1;
        appendAndClaim(keccak256("first"));
        ++firstSeq;
        uint64 entries = 0;
        for (uint256 index = 0; index < counts.length; ++index) {
            uint64 count = uint64(bound(counts[index], 1, 255));
            appendTicks(count);
            entries += count;
        }
        uint64 lastSeq = firstSeq + entries - 1;
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = ROOT;

        vm.expectEmit(address(chain));
        emit IChain.Claimed(1, 1, 3, firstSeq, lastSeq, roots);
        claim(3, ROOT);

        IChain.Claim memory claimed = chain.claimAt(1);
        vm.assertEq(claimed.postRoot, ROOT, "the last root is the state after the batch");
        vm.assertEq(claimed.checkpointRootsHash, keccak256(abi.encodePacked(roots)), "roots hash");
        vm.assertEq(claimed.claimant, OPERATOR, "the claimant is kept");
        vm.assertEq(claimed.claimedAt, block.timestamp, "the time is kept");
        vm.assertEq(claimed.firstSeq, firstSeq, "the batch begins after the one before");
        vm.assertEq(claimed.lastSeq, lastSeq, "and ends with its last append");
        vm.assertEq(chain.claimsCount(), 2, "claims are counted");
        vm.assertEq(chain.appendsClaimed(), 4, "appends are covered without gaps");
        vm.assertEq(address(chain).balance, 2 * BOND_WEI, "bonds are held");
    }

    function test_claim_of_1025_entries_has_two_roots() public {
        appendTicks(1000);
        appendTicks(25);
        claim(2, ROOT);
        vm.assertEq(chain.claimAt(0).lastSeq, 1025, "the last segment has one entry");
        vm.assertEq(chain.claimAt(0).postRoot, ROOT, "the last root is the post root");
    }

    // ------------------------------------------------------------------------------------ finality

    function test_claim_is_final_when_its_window_has_passed(uint32 wait) public {
        appendAndClaim(ROOT);
        uint256 claimedAt = vm.getBlockTimestamp();
        vm.assertEq(chain.finalizedAt(0), claimedAt + FINALITY_WINDOW_SECONDS, "time of finality");
        vm.warp(claimedAt + wait);
        vm.assertEq(chain.isFinal(0), wait >= FINALITY_WINDOW_SECONDS, "final when it has come");
        vm.assertFalse(chain.isFinal(1), "a claim that does not exist is not final");
    }

    function test_views_reject_indices_that_do_not_exist(uint64 index) public {
        appendAndClaim(ROOT);
        index = uint64(bound(index, 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimNotFound.selector, index, 1));
        chain.claimAt(index);
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimNotFound.selector, index, 1));
        chain.finalizedAt(index);
        vm.expectRevert(abi.encodeWithSelector(IChain.AppendNotFound.selector, index, 1));
        chain.appendAt(index);
    }

    function test_releaseBond_rejects_claim_that_does_not_exist(uint64 claimIndex) public {
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimNotFound.selector, claimIndex, 0));
        chain.releaseBond(claimIndex);
    }

    function test_releaseBond_rejects_claim_that_is_not_final(uint256 secondsBefore) public {
        appendAndClaim(ROOT);
        uint256 finalTime = chain.finalizedAt(0);
        vm.warp(finalTime - bound(secondsBefore, 1, FINALITY_WINDOW_SECONDS));
        vm.expectRevert(abi.encodeWithSelector(IChain.ClaimNotFinal.selector, 0, finalTime));
        chain.releaseBond(0);
    }

    function test_releaseBond_rejects_second_time() public {
        appendAndClaim(ROOT);
        appendAndClaim(ROOT);
        vm.warp(chain.finalizedAt(0));
        chain.releaseBond(0);
        vm.expectRevert(abi.encodeWithSelector(IChain.BondReleasedBefore.selector, 0));
        chain.releaseBond(0);
    }

    function test_releaseBond_pays_the_claimant_whoever_calls(address caller) public {
        appendAndClaim(ROOT);
        vm.warp(chain.finalizedAt(0));
        uint256 balanceBefore = OPERATOR.balance;
        vm.expectEmit(address(chain));
        emit IChain.BondReleased(0, OPERATOR, BOND_WEI);
        vm.prank(caller);
        chain.releaseBond(0);
        vm.assertEq(OPERATOR.balance, balanceBefore + BOND_WEI, "the bond is back");
        vm.assertEq(address(chain).balance, 0, "and nothing else is held");
        vm.assertTrue(chain.claimAt(0).isBondReleased, "it is remembered");
    }
}
