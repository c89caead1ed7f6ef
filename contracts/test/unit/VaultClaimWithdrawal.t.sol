// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../src/interfaces/IVault.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {State} from "../support/State.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

contract VaultClaimWithdrawalTest is SettlementTest {
    using SafeERC20 for IERC20;

    address private constant RECIPIENT = address(0xbeef);
    uint64 private constant COUNT = 5;

    IVault.Withdrawal private _withdrawal;
    bytes32[] private _leafProof;
    bytes32[] private _rootProof;

    /// @notice A final claim 0 whose state holds five withdrawals; the one at hand is number 3.
    function setUp() public override {
        super.setUp();
        _openWithdrawal(3, 0);
        vm.warp(chain.finalizedAt(0));
        deposit(address(1), 0, 1000 * FIRST_DEPOSIT_MIN_ATOMS);
        deposit(1, address(1), 0, 1000 * FIRST_DEPOSIT_MIN_ATOMS);
    }

    function test_claimWithdrawal_rejects_claim_that_does_not_exist(uint64 claimIndex) public {
        vm.assume(claimIndex != 0);
        vm.expectRevert(abi.encodeWithSelector(IVault.ClaimNotFinal.selector, claimIndex));
        vault.claimWithdrawal(claimIndex, _withdrawal, _leafProof, _rootProof);
    }

    function test_claimWithdrawal_rejects_claim_that_is_not_final(uint256 secondsBefore) public {
        secondsBefore = bound(secondsBefore, 1, FINALITY_WINDOW_SECONDS);
        vm.warp(chain.finalizedAt(0) - secondsBefore);
        vm.expectRevert(abi.encodeWithSelector(IVault.ClaimNotFinal.selector, 0));
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
    }

    function test_claimWithdrawal_rejects_other_tokens(uint8 token) public {
        _withdrawal.token = uint8(bound(token, 2, type(uint8).max));
        vm.expectRevert(
            abi.encodeWithSelector(IVault.TokenNotSupported.selector, _withdrawal.token)
        );
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
    }

    function test_claimWithdrawal_rejects_index_beyond_the_tree(uint64 index) public {
        _withdrawal.index = uint64(bound(index, 2 ** 32, type(uint64).max));
        vm.expectRevert(
            abi.encodeWithSelector(
                IVault.WithdrawalIndexOutOfRange.selector, _withdrawal.index, 2 ** 32
            )
        );
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
    }

    function test_claimWithdrawal_rejects_second_payment() public {
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
        vm.expectRevert(abi.encodeWithSelector(IVault.WithdrawalClaimedBefore.selector, 3));
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
    }

    function test_claimWithdrawal_rejects_second_payment_from_a_later_claim() public {
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
        _openWithdrawal(3, 1);
        vm.warp(chain.finalizedAt(1));
        vm.expectRevert(abi.encodeWithSelector(IVault.WithdrawalClaimedBefore.selector, 3));
        vault.claimWithdrawal(1, _withdrawal, _leafProof, _rootProof);
    }

    function test_claimWithdrawal_rejects_leaf_proof_of_another_length(uint256 length) public {
        length = bound(length, 0, 40);
        vm.assume(length != 32);
        vm.expectRevert(abi.encodeWithSelector(IVault.ProofLengthMismatch.selector, length, 32));
        vault.claimWithdrawal(0, _withdrawal, new bytes32[](length), _rootProof);
    }

    function test_claimWithdrawal_rejects_root_proof_of_another_length(uint256 length) public {
        length = bound(length, 0, 40);
        vm.assume(length != 11);
        vm.expectRevert(abi.encodeWithSelector(IVault.ProofLengthMismatch.selector, length, 11));
        vault.claimWithdrawal(0, _withdrawal, _leafProof, new bytes32[](length));
    }

    function test_claimWithdrawal_rejects_another_index(uint32 index) public {
        vm.assume(index != _withdrawal.index);
        _withdrawal.index = index;
        _expectMismatch();
    }

    function test_claimWithdrawal_rejects_another_token_of_the_vault() public {
        _withdrawal.token = 1;
        _expectMismatch();
    }

    function test_claimWithdrawal_rejects_another_recipient(address recipient) public {
        vm.assume(recipient != RECIPIENT);
        _withdrawal.recipient = recipient;
        _expectMismatch();
    }

    function test_claimWithdrawal_rejects_another_amount(uint128 amount) public {
        vm.assume(amount != _withdrawal.amount);
        _withdrawal.amount = amount;
        _expectMismatch();
    }

    function test_claimWithdrawal_rejects_another_sibling(uint256 place, bytes32 sibling) public {
        place = bound(place, 0, 41);
        bytes32[] storage proof = place < 32 ? _leafProof : _rootProof;
        uint256 level = place < 32 ? place : place - 32;
        vm.assume(proof[level] != sibling);
        proof[level] = sibling;
        _expectMismatch();
    }

    function test_claimWithdrawal_rejects_what_the_vault_cannot_pay() public {
        uint256 balance = token.balanceOf(address(vault));
        vm.prank(address(vault));
        token.approve(address(this), balance);
        IERC20(token).safeTransferFrom(address(vault), address(1), balance);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, vault, 0, _withdrawal.amount
            )
        );
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
        vm.assertFalse(vault.isClaimed(3), "what was not paid stays claimable");
    }

    function test_claimWithdrawal_pays_the_recipient_whoever_calls(address caller, uint64 index)
        public
    {
        index = index % COUNT;
        _openWithdrawal(index, 1);
        vm.warp(chain.finalizedAt(1));
        uint256 balanceBefore = token.balanceOf(address(vault));

        vm.expectEmit(address(vault));
        emit IVault.WithdrawalClaimed(index, RECIPIENT, 0, _withdrawal.amount);
        vm.prank(caller);
        vault.claimWithdrawal(1, _withdrawal, _leafProof, _rootProof);

        uint256 amount = _withdrawal.amount;
        vm.assertEq(token.balanceOf(RECIPIENT), amount, "the recipient is paid");
        vm.assertEq(token.balanceOf(address(vault)), balanceBefore - amount, "by the vault");
        vm.assertEq(vault.withdrawalsAtoms(0), amount, "the payment is counted");
        for (uint64 other = 0; other < COUNT; ++other) {
            vm.assertEq(vault.isClaimed(other), other == index, "one bit is set");
        }
    }

    function test_claimWithdrawal_pays_a_token_by_its_scale(uint64 index) public {
        index = index % COUNT;
        _openWithdrawalOf(1, index, 1);
        vm.warp(chain.finalizedAt(1));
        uint256 balanceBefore = ether_.balanceOf(address(vault));
        vm.expectEmit(address(vault));
        emit IVault.WithdrawalClaimed(index, RECIPIENT, 1, _withdrawal.amount);
        vault.claimWithdrawal(1, _withdrawal, _leafProof, _rootProof);

        uint256 amountWei = uint256(_withdrawal.amount) * ETHER_SCALE;
        vm.assertEq(ether_.balanceOf(RECIPIENT), amountWei, "the recipient is paid in full");
        vm.assertEq(ether_.balanceOf(address(vault)), balanceBefore - amountWei, "by the vault");
        vm.assertEq(token.balanceOf(RECIPIENT), 0, "in no other token");
        vm.assertEq(vault.withdrawalsAtoms(1), _withdrawal.amount, "the payment is counted");
        vm.assertEq(vault.withdrawalsAtoms(0), 0, "of its token alone");
    }

    function _expectMismatch() private {
        bytes32 withdrawalRoot = _rootOf(State.leafOf(_withdrawal), _withdrawal.index, _leafProof);
        bytes32 computedRoot = _rootOf(withdrawalRoot, 4, _rootProof);
        vm.expectRevert(
            abi.encodeWithSelector(
                IVault.StateRootMismatch.selector, computedRoot, chain.claimAt(0).postRoot
            )
        );
        vault.claimWithdrawal(0, _withdrawal, _leafProof, _rootProof);
    }

    /// @notice Append and claim a state with five withdrawals and hold the paths of one.
    function _openWithdrawal(uint256 index, uint256 salt) private {
        _openWithdrawalOf(0, index, salt);
    }

    /// @notice The same with withdrawals of a token.
    function _openWithdrawalOf(uint8 number, uint256 index, uint256 salt) private {
        IVault.Withdrawal[] memory withdrawals = new IVault.Withdrawal[](COUNT);
        for (uint64 position = 0; position < COUNT; ++position) {
            uint128 amount = uint128(FIRST_DEPOSIT_MIN_ATOMS + position);
            withdrawals[position] = IVault.Withdrawal(position, number, RECIPIENT, amount);
        }
        bytes32 withdrawalRoot;
        bytes32 stateRoot;
        _withdrawal = withdrawals[index];
        (withdrawalRoot, _leafProof) = State.openWithdrawal(withdrawals, index);
        (stateRoot, _rootProof) = State.openWithdrawalRoot(withdrawalRoot, salt);
        appendAndClaim(stateRoot);
    }

    function _rootOf(bytes32 node, uint256 index, bytes32[] memory siblings)
        private
        pure
        returns (bytes32)
    {
        for (uint256 level = 0; level < siblings.length; ++level) {
            node = (index >> level) % 2 == 1
                ? keccak256(bytes.concat(siblings[level], node))
                : keccak256(bytes.concat(node, siblings[level]));
        }
        return node;
    }
}
