// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChain} from "../../src/interfaces/IChain.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {VenueHandler} from "./VenueHandler.sol";

/// @notice What holds after every sequence of actions of an honest venue, its users and its
/// disputes.
contract SettlementInvariantTest is SettlementTest {
    VenueHandler private _handler;

    function setUp() public override {
        super.setUp();
        _handler = new VenueHandler(
            [token, ether_], inbox, chain, vault, OPERATOR, DISPUTES, governor, PROPOSER, EXECUTOR
        );
    }

    /// @notice Forge calls the handler and nothing else.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_vault_holds_deposits_less_payments_of_each_token() public view {
        for (uint8 number = 0; number < vault.tokensCount(); ++number) {
            IVault.Token memory terms = vault.tokenAt(number);
            uint256 deposited = _handler.depositedAtoms(number);
            uint256 paid = _handler.paidAtoms(number);
            uint256 owed = _handler.custodyAtoms(number) + _unpaidAtoms(number);
            uint256 balance = terms.erc20.balanceOf(address(vault));
            vm.assertEq(vault.depositsAtoms(number), deposited, "deposits are counted");
            vm.assertEq(vault.withdrawalsAtoms(number), paid, "payments are counted");
            vm.assertEq(balance, (deposited - paid) * terms.scale, "nothing else moves money");
            vm.assertGe(balance, owed * terms.scale, "what is owed is there");
        }
    }

    function invariant_no_withdrawal_is_paid_twice_or_early() public view {
        vm.assertEq(_handler.secondPayments(), 0, "no withdrawal is paid twice");
        vm.assertEq(_handler.earlyPayments(), 0, "nothing is paid before finality");
        for (uint64 index = 0; index < _handler.withdrawalsCount(); ++index) {
            bool isPaid = _handler.payments(index) == 1;
            vm.assertEq(vault.isClaimed(index), isPaid, "the bit says who was paid");
        }
    }

    function invariant_inbox_keeps_order() public view {
        bytes32 prefixHash = 0;
        uint256 count = _handler.commandsCount();
        vm.assertEq(inbox.count(), count, "every deposit and every change is queued");
        for (uint64 index = 0; index < count; ++index) {
            if (index == chain.inboxPosition()) {
                vm.assertEq(chain.inboxHash(), prefixHash, "the chain has consumed this prefix");
            }
            bytes32 commandHash = keccak256(_handler.commands(index));
            vm.assertEq(
                inbox.requestAt(index).commandHash, commandHash, "in the order in which they came"
            );
            prefixHash = keccak256(bytes.concat(prefixHash, commandHash));
        }
        vm.assertEq(inbox.prefixHash(), prefixHash, "the prefix hash covers them all");
        vm.assertLe(chain.inboxPosition(), count, "no more is consumed than was queued");
    }

    function invariant_no_rule_changes_early_twice_or_by_another_tag() public view {
        vm.assertEq(_handler.forbiddenChanges(), 0, "only what is due, once, of governance");
    }

    function invariant_appends_and_claims_follow_each_other() public view {
        uint64 nextSeq = 1;
        uint64 windowNs = 0;
        for (uint64 index = 0; index < chain.appendsCount(); ++index) {
            IChain.Append memory appended = chain.appendAt(index);
            vm.assertEq(appended.firstSeq, nextSeq, "appends leave no gap");
            vm.assertGe(appended.lastWindowNs, windowNs, "time never falls");
            nextSeq += appended.count;
            windowNs = appended.lastWindowNs;
        }
        vm.assertEq(chain.nextSeq(), nextSeq, "the next number is after the last append");
        vm.assertEq(nextSeq, _handler.entries() + 1, "every entry is counted once");

        uint64 nextAppend = 0;
        uint64 claimSeq = 1;
        for (uint64 index = 0; index < chain.claimsCount(); ++index) {
            IChain.Claim memory claimed = chain.claimAt(index);
            vm.assertEq(claimed.firstAppend, nextAppend, "claims leave no append out");
            vm.assertEq(claimed.firstSeq, claimSeq, "nor an entry");
            nextAppend += claimed.appends;
            claimSeq = claimed.lastSeq + 1;
        }
        vm.assertEq(chain.appendsClaimed(), nextAppend, "claimed appends are a prefix");
    }

    function invariant_chain_holds_bonds_and_rewards() public view {
        uint256 bonds = chain.claimsCount() - _handler.releasedBonds();
        vm.assertEq(
            address(chain).balance, bonds * BOND_WEI + _handler.rewardWei(), "coin is accounted for"
        );
    }

    function _unpaidAtoms(uint8 number) private view returns (uint256 atoms) {
        for (uint256 index = 0; index < _handler.withdrawalsCount(); ++index) {
            bool isOfToken = _handler.withdrawalAt(index).token == number;
            if (isOfToken && _handler.payments(index) == 0) {
                atoms += _handler.withdrawalAt(index).amount;
            }
        }
    }
}
