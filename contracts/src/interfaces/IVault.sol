// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IChain} from "./IChain.sol";
import {IInbox} from "./IInbox.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title IVault
/// @notice Custody: USDC and other tokens come in by deposits, and go out by proof from a final
/// state root. Owners of accounts, contracts among them, grant and revoke session keys.
///
/// Tokens have numbers: 0 is USDC, the others follow as in genesis. The venue counts each in atoms
/// of its own, `scale` of the token's: 64 bits do not hold much ether in wei. What is no whole
/// number of them is refused, so that nothing is rounded.
///
/// A deposit becomes a request in the inbox, which the venue must execute within
/// REQUEST_DEADLINE_SECONDS. The vault numbers accounts: the first deposit for (owner, subaccount)
/// takes the next number, so that a deposit names its account. A deposit that the venue cannot
/// credit goes to the withdrawal tree for its owner: money never gets stuck between the two.
///
/// A withdrawal is a leaf of the append-only withdrawal tree, whose root is a word of the global
/// record of the state. Two Merkle paths lead from the leaf to the state root of a final claim.
/// There is no other way out, for nobody; so custody is as sound as final claims are (see IChain).
///
/// Safety assumes of each token: `transfer` and `transferFrom` move exactly the amount (fees on
/// transfer are refused at deposit) and balances change in no other way to the vault's loss.
/// Liveness assumes: it does not block the vault. A recipient that it blocks can be paid later.
interface IVault {
    /// @notice A token in custody.
    /// @param erc20 Its contract.
    /// @param scale How many of the contract's atoms one atom of the venue is.
    /// @param firstDepositMinAtoms The least first deposit of an account, atoms of the venue.
    struct Token {
        IERC20 erc20;
        uint64 scale;
        uint64 firstDepositMinAtoms;
    }

    /// @notice A leaf of the withdrawal tree.
    /// @param index Its place in the tree, from 0.
    /// @param token Number of the token.
    /// @param recipient Who is paid.
    /// @param amount Atoms of the venue.
    struct Withdrawal {
        uint64 index;
        uint8 token;
        address recipient;
        uint128 amount;
    }

    /// @notice What a session key may do, judged by the state machine.
    /// @param key The address whose signatures count.
    /// @param actions A bit for each action.
    /// @param markets A bit for each underlying.
    /// @param notionalCapAtoms Bound on the value of all its orders together, 0 for none.
    /// @param expiresNs The end, nanoseconds since the Unix epoch.
    struct SessionScope {
        address key;
        uint32 actions;
        uint64 markets;
        uint64 notionalCapAtoms;
        uint64 expiresNs;
    }

    /// @notice Money came in and a request for its credit was queued.
    /// @param account The account to credit.
    /// @param amountAtoms Atoms of the venue.
    /// @param requestIndex Place of the request in the inbox.
    event Deposited(
        uint32 indexed account,
        address indexed owner,
        uint32 subaccount,
        uint8 token,
        uint64 amountAtoms,
        uint64 requestIndex
    );

    /// @notice The owner of an account asked for a session.
    /// @param requestIndex Place of the request in the inbox.
    event SessionGrantRequested(
        uint32 indexed account, uint8 session, address indexed key, uint64 requestIndex
    );

    /// @notice The owner of an account asked for the end of a session.
    /// @param requestIndex Place of the request in the inbox.
    event SessionRevokeRequested(uint32 indexed account, uint8 session, uint64 requestIndex);

    /// @notice Money went out.
    /// @param amount Atoms of the venue.
    event WithdrawalClaimed(
        uint64 indexed index, address indexed recipient, uint8 token, uint128 amount
    );

    /// @notice There must be USDC, and no more tokens than accounts have balances for.
    error TokensCountOutOfRange(uint256 count, uint256 min, uint256 max);

    /// @notice The token must be a contract.
    error TokenHasNoCode(address token);

    /// @notice An atom of the venue is at least one atom of the token.
    error ScaleMustNotBeZero(address token);

    /// @notice Two numbers would name one token.
    error TokenAddedBefore(address token);

    /// @notice The inbox takes requests from another contract.
    error VaultOfInboxMismatch(address vaultOfInbox);

    /// @notice The chain consumes another inbox.
    error InboxOfChainMismatch(address inboxOfChain);

    /// @notice An account needs an owner.
    error OwnerMustNotBeZero();

    /// @notice A deposit moves at least one atom.
    error AmountMustNotBeZero();

    /// @notice The amount is no whole number of atoms of the venue.
    error AmountNotWhole(uint256 amount, uint256 scale);

    /// @notice The amount exceeds what one command can carry.
    error AmountAboveMax(uint256 amountAtoms, uint256 maxAtoms);

    /// @notice The first deposit of an account is too small: an account takes room in the state.
    error FirstDepositBelowMin(uint256 amountAtoms, uint256 minAtoms);

    /// @notice All deposits of a token together would exceed what the state can count.
    error DepositsAboveMax(uint256 depositsAtoms, uint256 maxAtoms);

    /// @notice All account numbers are taken.
    error AccountsExhausted(uint256 accountsMax);

    /// @notice The caller has no such account: only a deposit makes one.
    error AccountNotFound(address owner, uint32 subaccount);

    /// @notice The token moved another amount than asked for.
    error TokenAmountMismatch(uint256 moved, uint256 amount);

    /// @notice The claim can still be disputed, or does not exist.
    error ClaimNotFinal(uint64 claimIndex);

    /// @notice The vault holds no such token.
    error TokenNotSupported(uint8 token);

    /// @notice The tree has no such place.
    error WithdrawalIndexOutOfRange(uint64 index, uint256 withdrawalsMax);

    /// @notice The withdrawal was paid before.
    error WithdrawalClaimedBefore(uint64 index);

    /// @notice A path has another number of siblings than its tree has levels.
    error ProofLengthMismatch(uint256 length, uint256 expected);

    /// @notice The paths do not lead to the root of the claim.
    error StateRootMismatch(bytes32 computedRoot, bytes32 claimedRoot);

    /// @notice Move a token from the caller to the vault and queue its credit.
    /// @dev The caller has approved the vault. Refusals, in this order: token unknown; amount zero,
    /// no whole number of atoms of the venue, or above AMOUNT_ATOMS_MAX of them; owner zero;
    /// deposits of the token together above that; first deposit of an account below the minimum; no
    /// number left; token refuses or moves another amount. What the venue does not take, for its
    /// cap say, goes to the withdrawal tree.
    /// @param token Number of the token.
    /// @param owner Owner of the account: its signatures move the account's money.
    /// @param subaccount Which of the owner's accounts.
    /// @param amount Atoms of the token's contract.
    /// @return account Number of the account that will be credited.
    function deposit(uint8 token, address owner, uint32 subaccount, uint256 amount)
        external
        returns (uint32 account);

    /// @notice Queue a grant: let a key act for an account of the caller, within a scope.
    /// @dev For owners that cannot sign a GrantSession, being contracts. The caller is the owner,
    /// so that nobody can ask for another. Refused if the caller has no such account; all else is
    /// judged by the state machine, where a grant that makes no sense is REJECTED and changes
    /// nothing. A request costs the venue the room of an entry and its owner the gas, as a small
    /// deposit does.
    /// @param subaccount Which of the caller's accounts.
    /// @param session The slot, 1 to 7; a key that has it is replaced.
    /// @return requestIndex Place of the request in the inbox.
    function grantSession(uint32 subaccount, uint8 session, SessionScope calldata scope)
        external
        returns (uint64 requestIndex);

    /// @notice Queue the end of a session of the caller's account.
    /// @dev Refused if the caller has no such account. The venue must execute it within
    /// REQUEST_DEADLINE_SECONDS: an owner whose signed revocation the venue ignores has this way.
    /// @param subaccount Which of the caller's accounts.
    /// @param session The slot, 1 to 7.
    /// @return requestIndex Place of the request in the inbox.
    function revokeSession(uint32 subaccount, uint8 session) external returns (uint64 requestIndex);

    /// @notice Pay a withdrawal to its recipient. Anyone may call.
    /// @dev Refusals, in this order: claim not final; token unknown; index beyond the tree; paid
    /// before; wrong number of siblings; paths that lead elsewhere; token refuses.
    /// @param claimIndex A final claim whose state holds the withdrawal.
    /// @param withdrawal The leaf.
    /// @param leafProof Its 32 siblings in the withdrawal tree, lowest first.
    /// @param rootProof The 11 siblings of the word `withdrawal_root` in the state: 6 in the global
    /// record's arena, then 5 over the arena roots, lowest first.
    function claimWithdrawal(
        uint64 claimIndex,
        Withdrawal calldata withdrawal,
        bytes32[] calldata leafProof,
        bytes32[] calldata rootProof
    ) external;

    /// @notice Return a token in custody by its number.
    /// @dev Refused if the vault holds no such token.
    function tokenAt(uint8 token) external view returns (Token memory);

    /// @notice How many tokens are in custody; their numbers are below it.
    function tokensCount() external view returns (uint256);

    /// @notice The queue to which deposits go.
    function inbox() external view returns (IInbox);

    /// @notice The contract whose final claims open withdrawals.
    function chain() external view returns (IChain);

    /// @notice Return the account of an owner, 0 if it has none.
    function accountOf(address owner, uint32 subaccount) external view returns (uint32);

    /// @notice The number that the next new account takes.
    function nextAccount() external view returns (uint32);

    /// @notice All deposits of a token so far, atoms of the venue. It never falls.
    function depositsAtoms(uint8 token) external view returns (uint256);

    /// @notice All withdrawals of a token paid so far, atoms of the venue.
    function withdrawalsAtoms(uint8 token) external view returns (uint256);

    /// @notice Return whether the withdrawal at `index` was paid.
    function isClaimed(uint64 index) external view returns (bool);
}
