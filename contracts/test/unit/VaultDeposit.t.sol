// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/Chain.sol";
import {Inbox} from "../../src/Inbox.sol";
import {Vault} from "../../src/Vault.sol";
import {DevelopmentToken} from "../../src/dev/DevelopmentToken.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {EntryBuilder} from "../support/EntryBuilder.sol";
import {SettlementTest} from "../support/SettlementTest.sol";
import {FeeToken, ReentrantToken} from "../support/Tokens.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

contract VaultDepositTest is SettlementTest {
    uint64 private constant AMOUNT_MAX = 2 ** 60 - 1;
    /// @notice Storage slot of `nextAccount`, of `forge inspect Vault storageLayout`.
    bytes32 private constant NEXT_ACCOUNT_SLOT = bytes32(uint256(4));

    function test_constructor_rejects_token_without_code() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenHasNoCode.selector, address(7)));
        _construct(_row(IERC20(address(7)), 1, 1));
    }

    function test_constructor_rejects_scale_zero() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.ScaleMustNotBeZero.selector, token));
        _construct(_row(token, 0, 1));
    }

    function test_constructor_rejects_one_token_twice() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenAddedBefore.selector, token));
        _construct(bytes.concat(_row(token, 1, 1), _row(ether_, 1e9, 1), _row(token, 10, 2)));
    }

    function test_constructor_rejects_no_token_and_more_than_accounts_have_balances_for() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.TokensCountOutOfRange.selector, 0, 1, 4));
        _construct("");
        bytes memory rows;
        for (uint256 number = 0; number < 5; ++number) {
            rows = bytes.concat(rows, _row(new DevelopmentToken("T", 6), 1, 1));
        }
        vm.expectRevert(abi.encodeWithSelector(IVault.TokensCountOutOfRange.selector, 5, 1, 4));
        _construct(rows);
    }

    function test_tokens_have_the_numbers_of_their_places() public {
        vm.assertEq(vault.tokensCount(), 2, "as many as were given");
        IVault.Token memory second = vault.tokenAt(1);
        vm.assertEq(address(second.erc20), address(ether_), "in their order");
        vm.assertEq(second.scale, ETHER_SCALE, "with their scale");
        vm.assertEq(second.firstDepositMinAtoms, FIRST_ETHER_MIN_ATOMS, "and minimum");
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotSupported.selector, 2));
        vault.tokenAt(2);
    }

    function test_constructor_rejects_inbox_of_another_vault() public {
        vm.expectRevert(
            abi.encodeWithSelector(IVault.VaultOfInboxMismatch.selector, address(vault))
        );
        new Vault(tokens(), inbox, chain);
    }

    function test_constructor_rejects_chain_with_another_inbox() public {
        uint64 nonce = vm.getNonce(address(this));
        Inbox other = new Inbox(vm.computeCreateAddress(address(this), nonce + 1), address(1));
        vm.expectRevert(
            abi.encodeWithSelector(IVault.InboxOfChainMismatch.selector, address(inbox))
        );
        new Vault(tokens(), other, chain);
    }

    function test_deposit_rejects_owner_zero() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.OwnerMustNotBeZero.selector));
        vault.deposit(0, address(0), 0, 1);
    }

    function test_deposit_rejects_tokens_that_the_vault_does_not_hold(uint8 number) public {
        number = uint8(bound(number, 2, type(uint8).max));
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotSupported.selector, number));
        vault.deposit(number, address(1), 0, 1);
    }

    function test_deposit_rejects_what_is_no_whole_number_of_atoms(uint256 amount) public {
        vm.assume(amount % ETHER_SCALE != 0);
        bytes4 refusal = IVault.AmountNotWhole.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, amount, ETHER_SCALE));
        vault.deposit(1, address(1), 0, amount);
    }

    function test_deposit_rejects_amount_zero(address owner) public {
        vm.assume(owner != address(0));
        vm.expectRevert(abi.encodeWithSelector(IVault.AmountMustNotBeZero.selector));
        vault.deposit(0, owner, 0, 0);
    }

    function test_deposit_rejects_amount_above_max(uint256 amount) public {
        amount = bound(amount, AMOUNT_MAX + 1, type(uint256).max / ETHER_SCALE);
        vm.expectRevert(abi.encodeWithSelector(IVault.AmountAboveMax.selector, amount, AMOUNT_MAX));
        vault.deposit(0, address(1), 0, amount);
        vm.expectRevert(abi.encodeWithSelector(IVault.AmountAboveMax.selector, amount, AMOUNT_MAX));
        vault.deposit(1, address(1), 0, amount * ETHER_SCALE);
    }

    function test_deposit_rejects_deposits_together_above_max(uint64 first, uint64 second) public {
        first = uint64(bound(first, FIRST_DEPOSIT_MIN_ATOMS, AMOUNT_MAX));
        second = uint64(bound(second, AMOUNT_MAX - first + 1, AMOUNT_MAX));
        deposit(address(1), 0, first);
        vm.expectRevert(
            abi.encodeWithSelector(
                IVault.DepositsAboveMax.selector, uint256(first) + second, AMOUNT_MAX
            )
        );
        vault.deposit(0, address(1), 0, second);
        deposit(1, address(1), 0, second);
        vm.assertEq(vault.depositsAtoms(1), second, "each token is counted by itself");
    }

    function test_deposit_rejects_first_deposit_below_min(uint64 amount) public {
        amount = uint64(bound(amount, 1, FIRST_DEPOSIT_MIN_ATOMS - 1));
        vm.expectRevert(
            abi.encodeWithSelector(
                IVault.FirstDepositBelowMin.selector, amount, FIRST_DEPOSIT_MIN_ATOMS
            )
        );
        vault.deposit(0, address(1), 0, amount);
        amount = amount % FIRST_ETHER_MIN_ATOMS + 1;
        if (amount == FIRST_ETHER_MIN_ATOMS) return;
        vm.expectRevert(
            abi.encodeWithSelector(
                IVault.FirstDepositBelowMin.selector, amount, FIRST_ETHER_MIN_ATOMS
            )
        );
        vault.deposit(1, address(1), 0, uint256(amount) * ETHER_SCALE);
    }

    function test_deposit_numbers_accounts_up_to_the_capacity_and_rejects_the_next() public {
        vm.store(address(vault), NEXT_ACCOUNT_SLOT, bytes32(uint256(2 ** 20 - 1)));
        vm.assertEq(
            deposit(address(1), 0, FIRST_DEPOSIT_MIN_ATOMS), 2 ** 20 - 1, "the last number is given"
        );
        vm.expectRevert(abi.encodeWithSelector(IVault.AccountsExhausted.selector, 2 ** 20));
        vault.deposit(0, address(2), 0, FIRST_DEPOSIT_MIN_ATOMS);
    }

    function test_deposit_rejects_what_the_token_rejects(address owner, uint64 amount) public {
        vm.assume(owner != address(0));
        amount = uint64(bound(amount, FIRST_DEPOSIT_MIN_ATOMS, AMOUNT_MAX));
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), 0, amount
            )
        );
        vault.deposit(0, owner, 0, amount);
    }

    function test_deposit_rejects_token_that_moves_another_amount() public {
        FeeToken feeToken = new FeeToken();
        Vault feeVault = _vaultOf(feeToken);
        feeToken.mint(address(this), 100);
        feeToken.approve(address(feeVault), 100);
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenAmountMismatch.selector, 99, 100));
        feeVault.deposit(0, address(1), 0, 100);
    }

    function test_deposit_rejects_reentry() public {
        ReentrantToken reentrantToken = new ReentrantToken();
        Vault reentrantVault = _vaultOf(reentrantToken);
        reentrantToken.mint(address(this), 100);
        reentrantToken.approve(address(reentrantVault), 100);
        reentrantToken.attack(reentrantVault);
        vm.expectRevert(
            abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector)
        );
        reentrantVault.deposit(0, address(1), 0, 100);
    }

    function test_deposit_moves_money_and_queues_its_credit(
        address owner,
        uint32 subaccount,
        uint64 amount
    ) public {
        vm.assume(owner != address(0) && owner != address(vault));
        amount = uint64(bound(amount, FIRST_DEPOSIT_MIN_ATOMS, AMOUNT_MAX));
        bytes memory command = EntryBuilder.depositCommand(3, owner, subaccount, 0, amount);

        token.mint(address(this), amount);
        token.approve(address(vault), amount);
        vm.expectEmit(address(inbox));
        emit IInbox.RequestQueued(
            0, command, keccak256(bytes.concat(bytes32(0), keccak256(command)))
        );
        vm.expectEmit(address(vault));
        emit IVault.Deposited(3, owner, subaccount, 0, amount, 0);
        uint32 account = vault.deposit(0, owner, subaccount, amount);

        vm.assertEq(account, 3, "the first account of a user is 3");
        vm.assertEq(vault.accountOf(owner, subaccount), 3, "the account is remembered");
        vm.assertEq(vault.depositsAtoms(0), amount, "the deposit is counted");
        vm.assertEq(token.balanceOf(address(vault)), amount, "the vault holds the money");
        vm.assertEq(inbox.requestAt(0).commandHash, keccak256(command), "the credit is queued");
    }

    function test_deposit_of_a_token_counts_atoms_of_the_venue(address owner, uint64 amount)
        public
    {
        vm.assume(owner != address(0) && owner != address(vault));
        amount = uint64(bound(amount, FIRST_ETHER_MIN_ATOMS, AMOUNT_MAX));
        bytes memory command = EntryBuilder.depositCommand(3, owner, 0, 1, amount);
        uint256 amountWei = uint256(amount) * ETHER_SCALE;
        ether_.mint(address(this), amountWei);
        ether_.approve(address(vault), amountWei);
        vm.expectEmit(address(vault));
        emit IVault.Deposited(3, owner, 0, 1, amount, 0);
        vault.deposit(1, owner, 0, amountWei);
        vm.assertEq(vault.depositsAtoms(1), amount, "the deposit is counted");
        vm.assertEq(vault.depositsAtoms(0), 0, "of its token alone");
        vm.assertEq(ether_.balanceOf(address(vault)), amountWei, "the vault holds the money");
        vm.assertEq(inbox.requestAt(0).commandHash, keccak256(command), "the credit is queued");
    }

    function test_deposit_writes_integers_lowest_byte_first() public {
        address owner = 0x1111111111111111111111111111111111111111;
        deposit(owner, 0x11223344, 0x0abebabedeadbeef);
        bytes32 commandHash = keccak256(
            hex"010300000011111111111111111111111111111111111111114433221100efbeaddebebabe0a"
        );
        vm.assertEq(inbox.requestAt(0).commandHash, commandHash, "the bytes of the table");
    }

    function test_deposit_gives_each_owner_and_subaccount_one_number(address[4] calldata owners)
        public
    {
        uint32 next = 3;
        for (uint32 subaccount = 0; subaccount < owners.length; ++subaccount) {
            address owner = owners[subaccount];
            vm.assume(owner != address(0) && owner != address(vault));
            uint32 account = deposit(owner, subaccount, FIRST_DEPOSIT_MIN_ATOMS);
            vm.assertEq(account, next, "numbers follow each other");
            vm.assertEq(deposit(owner, subaccount, 1), next, "a later deposit keeps the number");
            ++next;
            vm.assertEq(vault.nextAccount(), next, "the next number is public");
        }
    }

    function _vaultOf(IERC20 other) private returns (Vault) {
        uint64 nonce = vm.getNonce(address(this));
        inbox = new Inbox(vm.computeCreateAddress(address(this), nonce + 2), address(1));
        chain = new Chain(deployment());
        return _construct(_row(other, 1, 1));
    }

    /// @notice Return a token of a vault, encoded.
    function _row(IERC20 erc20, uint64 scale, uint64 firstDepositMinAtoms)
        private
        pure
        returns (bytes memory)
    {
        return abi.encode(erc20, scale, firstDepositMinAtoms);
    }

    /// @notice Make a vault of encoded tokens, behind the inbox and the chain at hand.
    function _construct(bytes memory rows) private returns (Vault) {
        uint256 count = rows.length / 96;
        return new Vault(
            abi.decode(abi.encodePacked(uint256(32), count, rows), (IVault.Token[])), inbox, chain
        );
    }
}
