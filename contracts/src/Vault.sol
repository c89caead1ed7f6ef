// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AMOUNT_ATOMS_MAX,
    FIRST_USER_ACCOUNT,
    GLOBAL_WORDS,
    STATE_ARENAS,
    TAG_DEPOSIT,
    TAG_GRANT_REQUEST,
    TAG_REVOKE_REQUEST,
    TOKENS_MAX,
    WITHDRAWAL_TREE_DEPTH
} from "./Limits.sol";
import {IChain} from "./interfaces/IChain.sol";
import {IInbox} from "./interfaces/IInbox.sol";
import {IVault} from "./interfaces/IVault.sol";
import {LittleEndian} from "./libraries/LittleEndian.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @title Vault
/// @notice See IVault.
contract Vault is IVault, ReentrancyGuard {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;
    using BitMaps for BitMaps.BitMap;

    // ---------------------------------------------------------------------------------- immutables

    /// @notice Slots of the arena of accounts: numbers are below it.
    uint256 public constant ACCOUNTS_MAX = 2 ** 20;

    /// @notice Leaves of the withdrawal tree.
    uint256 public constant WITHDRAWALS_MAX = 2 ** WITHDRAWAL_TREE_DEPTH;

    /// @notice Word of the global record that holds the root of the withdrawal tree. The record is
    /// alone in its arena, and the arena is the first under the state root: the word's number is
    /// its index there.
    uint256 public constant WITHDRAWAL_ROOT_WORD = 4;

    /// @inheritdoc IVault
    IInbox public immutable inbox;
    /// @inheritdoc IVault
    IChain public immutable chain;

    // ------------------------------------------------------------------------------------- storage

    Token[] private _tokens;

    /// @inheritdoc IVault
    mapping(uint8 token => uint256) public depositsAtoms;
    /// @inheritdoc IVault
    mapping(uint8 token => uint256) public withdrawalsAtoms;
    /// @inheritdoc IVault
    mapping(address owner => mapping(uint32 subaccount => uint32 account)) public accountOf;
    /// @inheritdoc IVault
    uint32 public nextAccount = FIRST_USER_ACCOUNT.toUint32();

    BitMaps.BitMap private _claimed;

    // --------------------------------------------------------------------------------- constructor

    /// @param tokens_ USDC, then the tokens of genesis in their order.
    /// @param inbox_ An inbox that takes requests from this contract.
    /// @param chain_ A chain that consumes that inbox.
    constructor(Token[] memory tokens_, IInbox inbox_, IChain chain_) {
        require(
            tokens_.length != 0 && tokens_.length <= TOKENS_MAX + 1,
            TokensCountOutOfRange(tokens_.length, 1, TOKENS_MAX + 1)
        );
        for (uint256 number = 0; number < tokens_.length; ++number) {
            _addToken(tokens_[number]);
        }
        address vaultOfInbox = inbox_.vault();
        require(vaultOfInbox == address(this), VaultOfInboxMismatch(vaultOfInbox));
        address inboxOfChain = address(chain_.inbox());
        require(inboxOfChain == address(inbox_), InboxOfChainMismatch(inboxOfChain));
        inbox = inbox_;
        chain = chain_;
    }

    // ------------------------------------------------------------------------------------- actions

    /// @inheritdoc IVault
    function deposit(uint8 token, address owner, uint32 subaccount, uint256 amount)
        external
        nonReentrant
        returns (uint32 account)
    {
        Token memory terms = tokenAt(token);
        uint64 amountAtoms = _atomsOf(terms, amount);
        uint256 depositsAfter = depositsAtoms[token] + amountAtoms;
        require(owner != address(0), OwnerMustNotBeZero());
        require(
            depositsAfter <= AMOUNT_ATOMS_MAX, DepositsAboveMax(depositsAfter, AMOUNT_ATOMS_MAX)
        );
        account = accountOf[owner][subaccount];
        if (account == 0) account = _openAccount(owner, subaccount, amountAtoms, terms);

        depositsAtoms[token] = depositsAfter;
        _pull(terms.erc20, amount);
        uint64 requestIndex =
            inbox.push(_depositCommand(account, owner, subaccount, token, amountAtoms));
        emit Deposited(account, owner, subaccount, token, amountAtoms, requestIndex);
    }

    /// @inheritdoc IVault
    function grantSession(uint32 subaccount, uint8 session, SessionScope calldata scope)
        external
        returns (uint64 requestIndex)
    {
        uint32 account = _accountOfCaller(subaccount);
        requestIndex = inbox.push(_grantCommand(account, session, scope));
        emit SessionGrantRequested(account, session, scope.key, requestIndex);
    }

    /// @inheritdoc IVault
    function revokeSession(uint32 subaccount, uint8 session)
        external
        returns (uint64 requestIndex)
    {
        uint32 account = _accountOfCaller(subaccount);
        requestIndex = inbox.push(
            abi.encodePacked(
                TAG_REVOKE_REQUEST, LittleEndian.encodeUint32(account), msg.sender, session
            )
        );
        emit SessionRevokeRequested(account, session, requestIndex);
    }

    /// @inheritdoc IVault
    function claimWithdrawal(
        uint64 claimIndex,
        Withdrawal calldata withdrawal,
        bytes32[] calldata leafProof,
        bytes32[] calldata rootProof
    ) external nonReentrant {
        uint64 index = withdrawal.index;
        require(chain.isFinal(claimIndex), ClaimNotFinal(claimIndex));
        Token memory terms = tokenAt(withdrawal.token);
        require(index < WITHDRAWALS_MAX, WithdrawalIndexOutOfRange(index, WITHDRAWALS_MAX));
        require(!_claimed.get(index), WithdrawalClaimedBefore(index));
        bytes32 computedRoot = _stateRootOf(withdrawal, leafProof, rootProof);
        bytes32 claimedRoot = chain.claimAt(claimIndex).postRoot;
        require(computedRoot == claimedRoot, StateRootMismatch(computedRoot, claimedRoot));

        _claimed.set(index);
        withdrawalsAtoms[withdrawal.token] += withdrawal.amount;
        emit WithdrawalClaimed(index, withdrawal.recipient, withdrawal.token, withdrawal.amount);
        terms.erc20.safeTransfer(withdrawal.recipient, uint256(withdrawal.amount) * terms.scale);
    }

    // --------------------------------------------------------------------------------------- views

    /// @inheritdoc IVault
    function tokenAt(uint8 token) public view returns (Token memory) {
        require(token < _tokens.length, TokenNotSupported(token));
        return _tokens[token];
    }

    /// @inheritdoc IVault
    function tokensCount() external view returns (uint256) {
        return _tokens.length;
    }

    /// @inheritdoc IVault
    function isClaimed(uint64 index) external view returns (bool) {
        return _claimed.get(index);
    }

    // ----------------------------------------------------------------------------------- internals

    function _addToken(Token memory added) private {
        address erc20 = address(added.erc20);
        require(erc20.code.length != 0, TokenHasNoCode(erc20));
        require(added.scale != 0, ScaleMustNotBeZero(erc20));
        for (uint256 number = 0; number < _tokens.length; ++number) {
            require(address(_tokens[number].erc20) != erc20, TokenAddedBefore(erc20));
        }
        _tokens.push(added);
    }

    function _atomsOf(Token memory terms, uint256 amount) private pure returns (uint64) {
        uint256 amountAtoms = amount / terms.scale;
        require(amount != 0, AmountMustNotBeZero());
        require(amount % terms.scale == 0, AmountNotWhole(amount, terms.scale));
        require(amountAtoms <= AMOUNT_ATOMS_MAX, AmountAboveMax(amountAtoms, AMOUNT_ATOMS_MAX));
        return amountAtoms.toUint64();
    }

    function _openAccount(address owner, uint32 subaccount, uint64 amountAtoms, Token memory terms)
        private
        returns (uint32 account)
    {
        require(
            amountAtoms >= terms.firstDepositMinAtoms,
            FirstDepositBelowMin(amountAtoms, terms.firstDepositMinAtoms)
        );
        account = nextAccount;
        require(account < ACCOUNTS_MAX, AccountsExhausted(ACCOUNTS_MAX));
        nextAccount = account + 1;
        accountOf[owner][subaccount] = account;
    }

    function _accountOfCaller(uint32 subaccount) private view returns (uint32 account) {
        account = accountOf[msg.sender][subaccount];
        require(account != 0, AccountNotFound(msg.sender, subaccount));
    }

    function _pull(IERC20 erc20, uint256 amount) private {
        uint256 balanceBefore = erc20.balanceOf(address(this));
        erc20.safeTransferFrom(msg.sender, address(this), amount);
        uint256 moved = erc20.balanceOf(address(this)) - balanceBefore;
        require(moved == amount, TokenAmountMismatch(moved, amount));
    }

    function _depositCommand(
        uint32 account,
        address owner,
        uint32 subaccount,
        uint8 token,
        uint64 amountAtoms
    ) private pure returns (bytes memory) {
        return abi.encodePacked(
            TAG_DEPOSIT,
            LittleEndian.encodeUint32(account),
            owner,
            LittleEndian.encodeUint32(subaccount),
            token,
            LittleEndian.encodeUint64(amountAtoms)
        );
    }

    function _grantCommand(uint32 account, uint8 session, SessionScope calldata scope)
        private
        view
        returns (bytes memory)
    {
        return abi.encodePacked(
            TAG_GRANT_REQUEST,
            LittleEndian.encodeUint32(account),
            msg.sender,
            session,
            scope.key,
            LittleEndian.encodeUint32(scope.actions),
            LittleEndian.encodeUint64(scope.markets),
            LittleEndian.encodeUint64(scope.notionalCapAtoms),
            LittleEndian.encodeUint64(scope.expiresNs)
        );
    }

    function _stateRootOf(
        Withdrawal calldata withdrawal,
        bytes32[] calldata leafProof,
        bytes32[] calldata rootProof
    ) private pure returns (bytes32) {
        uint256 rootProofLength = Math.log2(GLOBAL_WORDS * STATE_ARENAS);
        require(
            leafProof.length == WITHDRAWAL_TREE_DEPTH,
            ProofLengthMismatch(leafProof.length, WITHDRAWAL_TREE_DEPTH)
        );
        require(
            rootProof.length == rootProofLength,
            ProofLengthMismatch(rootProof.length, rootProofLength)
        );
        // The packed fields are 45 bytes long, an inner node 64: no node can pass for a leaf.
        bytes32 leaf = keccak256(
            abi.encodePacked(
                withdrawal.index, withdrawal.token, withdrawal.recipient, withdrawal.amount
            )
        );
        bytes32 withdrawalRoot = Merkle.rootOf(leaf, withdrawal.index, leafProof);
        return Merkle.rootOf(withdrawalRoot, WITHDRAWAL_ROOT_WORD, rootProof);
    }
}
