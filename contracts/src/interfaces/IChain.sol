// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInbox} from "./IInbox.sol";

/// @title IChain
/// @notice The order of all entries, and claims about the state that they lead to.
///
/// Inputs are final, roots are claims. `append` fixes the bytes and the order of entries for ever.
/// `claim` states which state roots follow from appended entries; it is final after a window unless
/// a lost dispute deletes it. A deleted claim takes no input with it: the next one covers the same
/// appends. What an entry means is judged by the transition alone; this contract looks at lengths,
/// the time of the last entry and the requests of the inbox.
///
/// Everything that a verifier needs is here: the genesis bytes in the event `Genesis`, the entries
/// in the calldata of the transactions that emitted `Appended`, the roots in `Claimed`, and the
/// views.
///
/// Not yet: claims by others than the operator, and a dispute game. Until the address `disputes`
/// holds one, a wrong claim is visible to everybody who replays the entries but is not undone here.
interface IChain {
    /// @notice What a deployment fixes.
    /// @param genesis Canonical bytes of the genesis; emitted, their hash is kept.
    /// @param genesisRoot State root before the first entry.
    /// @param operator The account that appends and claims.
    /// @param inbox The queue of requests.
    /// @param bondWei What a claimant pays and gets back at finality.
    /// @param finalityWindowSeconds Time in which a claim can be disputed, s.
    /// @param disputes The contract that may delete claims; zero if there is none.
    struct Deployment {
        bytes genesis;
        bytes32 genesisRoot;
        address operator;
        IInbox inbox;
        uint256 bondWei;
        uint32 finalityWindowSeconds;
        address disputes;
    }

    /// @notice Entries that arrived in one transaction.
    /// @param dataRoot Root of the tree over entry hashes, padded with zero to a power of two.
    /// @param firstSeq Sequence number of its first entry; the very first entry is 1.
    /// @param count Number of entries.
    /// @param lastWindowNs Closing time of the last entry's window, ns.
    /// @param inboxPosition Number of requests consumed up to and with it.
    struct Append {
        bytes32 dataRoot;
        uint64 firstSeq;
        uint64 count;
        uint64 lastWindowNs;
        uint64 inboxPosition;
    }

    /// @notice A statement about the state after a batch, that is, one or more whole appends.
    /// @param postRoot State root after its last entry.
    /// @param checkpointRootsHash keccak of all its roots, concatenated.
    /// @param claimant Who paid the bond.
    /// @param claimedAt Time of the block, s.
    /// @param isBondReleased Whether the bond was paid back.
    /// @param firstAppend Index of its first append.
    /// @param appends Number of its appends.
    /// @param firstSeq Sequence number of its first entry.
    /// @param lastSeq Sequence number of its last entry.
    struct Claim {
        bytes32 postRoot;
        bytes32 checkpointRootsHash;
        address claimant;
        uint64 claimedAt;
        bool isBondReleased;
        uint64 firstAppend;
        uint64 appends;
        uint64 firstSeq;
        uint64 lastSeq;
    }

    /// @notice The bytes from which everybody builds state 0, with the chain id and this address.
    event Genesis(bytes genesis);

    /// @notice Entries were fixed.
    /// @param inboxHash Prefix hash of the requests consumed up to and with this append.
    event Appended(
        uint64 indexed appendIndex,
        uint64 firstSeq,
        uint64 count,
        bytes32 dataRoot,
        uint64 inboxPosition,
        bytes32 inboxHash
    );

    /// @notice Roots were claimed for the entries firstSeq..lastSeq.
    /// @param checkpointRoots State root after every 1,024 entries of the batch and after its last.
    event Claimed(
        uint64 indexed claimIndex,
        uint64 firstAppend,
        uint64 appends,
        uint64 firstSeq,
        uint64 lastSeq,
        bytes32[] checkpointRoots
    );

    /// @notice A claim and all after it were deleted; their indices will be used again.
    /// @param claimIndex The claim that lost.
    /// @param claimsDeleted Number of claims that went with it, itself included.
    event RolledBack(
        uint64 indexed claimIndex, uint64 claimsDeleted, address winner, uint256 rewardWei
    );

    /// @notice The bond of a final claim was paid back.
    event BondReleased(uint64 indexed claimIndex, address claimant, uint256 bondWei);

    /// @notice Rewards for won disputes were paid out.
    event RewardCollected(address indexed winner, uint256 rewardWei);

    /// @notice The genesis must be given.
    error GenesisMustNotBeEmpty();

    /// @notice The genesis root must be given.
    error GenesisRootMustNotBeZero();

    /// @notice The operator must be given.
    error OperatorMustNotBeZero();

    /// @notice The inbox must be a contract already.
    error InboxHasNoCode(address inbox);

    /// @notice Without a window nothing could be disputed.
    error FinalityWindowMustNotBeZero();

    /// @notice Only the operator may do this for now.
    error CallerIsNotOperator(address caller, address operator);

    /// @notice Only the dispute contract deletes claims.
    error CallerIsNotDisputes(address caller, address disputes);

    /// @notice An append has at least one entry.
    error EntriesMustNotBeEmpty();

    /// @notice The entries are longer than one append may be.
    error EntriesTooLong(uint256 length, uint256 max);

    /// @notice The entry from the inbox at `offset` is not the request that is next in the queue.
    error RequestHashMismatch(
        uint256 offset, uint64 position, bytes32 commandHash, bytes32 expectedHash
    );

    /// @notice The requests consumed are not those that the operator expected to consume.
    error InboxHashMismatch(bytes32 inboxHash, bytes32 expectedHash);

    /// @notice The last entry's window lies before that of the append before.
    error WindowRegressed(uint64 lastWindowNs, uint64 previousWindowNs);

    /// @notice The last entry's window closed too long ago.
    error LastTimeTooOld(uint256 lastTimeSeconds, uint256 minSeconds);

    /// @notice The last entry's window closes too far ahead of the chain's clock.
    error LastTimeTooNew(uint256 lastTimeSeconds, uint256 maxSeconds);

    /// @notice The next request is past its deadline and these entries leave it out.
    error RequestOverdue(uint64 position, uint256 deadlineSeconds, uint256 lastTimeSeconds);

    /// @notice A claim covers at least one append.
    error ClaimMustNotBeEmpty();

    /// @notice The claim covers more appends than there are.
    error AppendsNotFound(uint64 appends, uint64 appendsUnclaimed);

    /// @notice A claim has one root per segment of 1,024 entries, the last one may be short.
    error CheckpointRootsCountMismatch(uint256 count, uint256 expected);

    /// @notice The bond must be paid exactly.
    error BondMismatch(uint256 paidWei, uint256 bondWei);

    /// @notice There is no append at `index`.
    error AppendNotFound(uint64 index, uint64 count);

    /// @notice There is no claim at `index`.
    error ClaimNotFound(uint64 index, uint64 count);

    /// @notice The claim can still be disputed.
    error ClaimNotFinal(uint64 claimIndex, uint256 finalizedAt);

    /// @notice The claim can no longer be disputed.
    error ClaimFinal(uint64 claimIndex, uint256 finalizedAt);

    /// @notice The bond was paid back before.
    error BondReleasedBefore(uint64 claimIndex);

    /// @notice Half of a bond needs somebody to go to.
    error WinnerMustNotBeZero();

    /// @notice The account has won nothing that is not paid out.
    error RewardMustNotBeZero(address winner);

    /// @notice Fix the next entries.
    /// @dev Only the operator. Refusals, in this order: empty; longer than APPEND_BYTES_MAX;
    /// walking the entries, a bad length or the end inside an entry (errors of the library Entries)
    /// and an entry with a tag below 0x10 that is not the next request; a prefix hash of the
    /// consumed requests other than `inboxHash`; a last window before that of the last append; a
    /// last time more than APPEND_PAST_MAX_SECONDS behind or APPEND_AHEAD_MAX_SECONDS ahead of the
    /// block; the next request older than REQUEST_DEADLINE_SECONDS at the last time.
    /// @param entries Concatenated entries, each with its length.
    /// @param inboxHash Prefix hash of the requests consumed up to and with these entries.
    function append(bytes calldata entries, bytes32 inboxHash) external;

    /// @notice State the roots of the next `appends` appends that are not claimed.
    /// @dev Only the operator, who pays the bond. Others may claim in a later version.
    /// @param appends Number of appends, at least one.
    /// @param checkpointRoots State root after every SEGMENT_ENTRIES entries from the batch's
    /// first, and after its last.
    function claim(uint64 appends, bytes32[] calldata checkpointRoots) external payable;

    /// @notice Pay the bond of a final claim back to its claimant. Anyone may call.
    function releaseBond(uint64 claimIndex) external;

    /// @notice Delete a claim that lost its dispute, and all after it. Final claims stay.
    /// @dev Only the dispute contract. Half of one bond goes to the winner, rounded down, the rest
    /// is burnt with the bonds of the later claims: whoever claims on top of a false root vouched
    /// for it. The winner collects the reward by a call of its own, so that it cannot hold up the
    /// rollback.
    function rollback(uint64 claimIndex, address winner) external;

    /// @notice Pay the rewards of `winner` out to it. Anyone may call.
    function collectReward(address winner) external;

    /// @notice keccak of the genesis bytes.
    function genesisHash() external view returns (bytes32);

    /// @notice State root before the first entry.
    function genesisRoot() external view returns (bytes32);

    /// @notice Block in which this contract was deployed: where a reader of events begins.
    function genesisBlock() external view returns (uint256);

    /// @notice The account that appends and claims.
    function operator() external view returns (address);

    /// @notice The queue of requests.
    function inbox() external view returns (IInbox);

    /// @notice The contract that may delete claims.
    function disputes() external view returns (address);

    /// @notice What a claimant pays, wei.
    function bondWei() external view returns (uint256);

    /// @notice Time in which a claim can be disputed, s.
    function finalityWindowSeconds() external view returns (uint32);

    /// @notice Number of appends.
    function appendsCount() external view returns (uint64);

    /// @notice Return the append at `index`, from 0.
    function appendAt(uint64 index) external view returns (Append memory);

    /// @notice Number of claims that are not deleted.
    function claimsCount() external view returns (uint64);

    /// @notice Return the claim at `index`, from 0.
    function claimAt(uint64 index) external view returns (Claim memory);

    /// @notice Number of appends that claims cover.
    function appendsClaimed() external view returns (uint64);

    /// @notice Sequence number of the next entry; the first is 1.
    function nextSeq() external view returns (uint64);

    /// @notice Number of requests consumed.
    function inboxPosition() external view returns (uint64);

    /// @notice Prefix hash of the requests consumed.
    function inboxHash() external view returns (bytes32);

    /// @notice Return the first time at which the claim is final, s.
    function finalizedAt(uint64 claimIndex) external view returns (uint256);

    /// @notice Return whether the claim exists and can no longer be disputed.
    function isFinal(uint64 claimIndex) external view returns (bool);

    /// @notice Rewards that `winner` may collect, wei.
    function rewardOf(address winner) external view returns (uint256);

    /// @notice Return whether the entry with this hash is at `seq` of the append.
    /// @param siblings Its path in the append's tree, lowest first.
    function isEntryAt(
        uint64 appendIndex,
        uint64 seq,
        bytes32 entryHash,
        bytes32[] calldata siblings
    ) external view returns (bool);
}
