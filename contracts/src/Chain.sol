// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    APPEND_AHEAD_MAX_SECONDS,
    APPEND_BYTES_MAX,
    APPEND_PAST_MAX_SECONDS,
    NS_PER_SECOND,
    REQUEST_DEADLINE_SECONDS,
    SEGMENT_ENTRIES
} from "./Limits.sol";
import {IChain} from "./interfaces/IChain.sol";
import {IInbox} from "./interfaces/IInbox.sol";
import {Entries} from "./libraries/Entries.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Chain
/// @notice See IChain.
contract Chain is IChain, ReentrancyGuard {
    using Merkle for Merkle.Frontier;

    // --------------------------------------------------------------------------------------- types

    /// @notice What a walk over entries finds.
    struct Walk {
        Merkle.Frontier tree;
        uint64 lastWindowNs;
        uint64 inboxPosition;
        bytes32 inboxHash;
    }

    // ---------------------------------------------------------------------------------- immutables

    /// @inheritdoc IChain
    bytes32 public immutable genesisHash;
    /// @inheritdoc IChain
    bytes32 public immutable genesisRoot;
    /// @inheritdoc IChain
    uint256 public immutable genesisBlock;
    /// @inheritdoc IChain
    address public immutable operator;
    /// @inheritdoc IChain
    IInbox public immutable inbox;
    /// @inheritdoc IChain
    uint256 public immutable bondWei;
    /// @inheritdoc IChain
    uint32 public immutable finalityWindowSeconds;
    /// @inheritdoc IChain
    address public immutable disputes;

    // ------------------------------------------------------------------------------------- storage

    /// @inheritdoc IChain
    bytes32 public inboxHash;
    /// @inheritdoc IChain
    uint64 public claimsCount;
    /// @inheritdoc IChain
    mapping(address winner => uint256 rewardWei) public rewardOf;

    Append[] private _appends;
    // Only indices below claimsCount are alive: a rollback moves the count and later claims
    // overwrite what it left, so that its cost does not grow with the number of claims.
    mapping(uint64 claimIndex => Claim) private _claims;

    // --------------------------------------------------------------------------------- constructor

    constructor(Deployment memory deployment) {
        require(deployment.genesis.length != 0, GenesisMustNotBeEmpty());
        require(deployment.genesisRoot != 0, GenesisRootMustNotBeZero());
        require(deployment.operator != address(0), OperatorMustNotBeZero());
        require(
            address(deployment.inbox).code.length != 0, InboxHasNoCode(address(deployment.inbox))
        );
        require(deployment.finalityWindowSeconds != 0, FinalityWindowMustNotBeZero());
        genesisHash = keccak256(deployment.genesis);
        genesisRoot = deployment.genesisRoot;
        genesisBlock = block.number;
        operator = deployment.operator;
        inbox = deployment.inbox;
        bondWei = deployment.bondWei;
        finalityWindowSeconds = deployment.finalityWindowSeconds;
        disputes = deployment.disputes;
        emit Genesis(deployment.genesis);
    }

    // ----------------------------------------------------------------------------------- modifiers

    modifier onlyOperator() {
        require(msg.sender == operator, CallerIsNotOperator(msg.sender, operator));
        _;
    }

    // ------------------------------------------------------------------------------------- actions

    /// @inheritdoc IChain
    function append(bytes calldata entries, bytes32 expectedInboxHash) external onlyOperator {
        require(entries.length != 0, EntriesMustNotBeEmpty());
        require(
            entries.length <= APPEND_BYTES_MAX, EntriesTooLong(entries.length, APPEND_BYTES_MAX)
        );
        Walk memory walk = _walk(entries);
        require(
            walk.inboxHash == expectedInboxHash,
            InboxHashMismatch(walk.inboxHash, expectedInboxHash)
        );
        _requireTimely(walk);

        uint64 appendIndex = appendsCount();
        Append memory appended = Append({
            dataRoot: walk.tree.paddedRoot(),
            firstSeq: nextSeq(),
            count: uint64(walk.tree.count),
            lastWindowNs: walk.lastWindowNs,
            inboxPosition: walk.inboxPosition
        });
        _appends.push(appended);
        inboxHash = walk.inboxHash;
        emit Appended(
            appendIndex,
            appended.firstSeq,
            appended.count,
            appended.dataRoot,
            appended.inboxPosition,
            walk.inboxHash
        );
    }

    /// @inheritdoc IChain
    function claim(uint64 appends, bytes32[] calldata checkpointRoots)
        external
        payable
        onlyOperator
    {
        uint64 firstAppend = appendsClaimed();
        uint64 appendsUnclaimed = appendsCount() - firstAppend;
        require(appends != 0, ClaimMustNotBeEmpty());
        require(appends <= appendsUnclaimed, AppendsNotFound(appends, appendsUnclaimed));
        uint64 firstSeq = _appends[firstAppend].firstSeq;
        uint64 lastSeq = _seqAfter(_appends[firstAppend + appends - 1]) - 1;
        uint256 rootsExpected = Math.ceilDiv(lastSeq - firstSeq + 1, SEGMENT_ENTRIES);
        require(
            checkpointRoots.length == rootsExpected,
            CheckpointRootsCountMismatch(checkpointRoots.length, rootsExpected)
        );
        require(msg.value == bondWei, BondMismatch(msg.value, bondWei));

        uint64 claimIndex = claimsCount++;
        _claims[claimIndex] = Claim({
            postRoot: checkpointRoots[checkpointRoots.length - 1],
            checkpointRootsHash: keccak256(abi.encodePacked(checkpointRoots)),
            claimant: msg.sender,
            claimedAt: uint64(block.timestamp),
            isBondReleased: false,
            firstAppend: firstAppend,
            appends: appends,
            firstSeq: firstSeq,
            lastSeq: lastSeq
        });
        emit Claimed(claimIndex, firstAppend, appends, firstSeq, lastSeq, checkpointRoots);
    }

    /// @inheritdoc IChain
    function releaseBond(uint64 claimIndex) external nonReentrant {
        uint256 finalTime = finalizedAt(claimIndex);
        require(block.timestamp >= finalTime, ClaimNotFinal(claimIndex, finalTime));
        Claim storage claimed = _claims[claimIndex];
        require(!claimed.isBondReleased, BondReleasedBefore(claimIndex));

        claimed.isBondReleased = true;
        emit BondReleased(claimIndex, claimed.claimant, bondWei);
        Address.sendValue(payable(claimed.claimant), bondWei);
    }

    /// @inheritdoc IChain
    function rollback(uint64 claimIndex, address winner) external nonReentrant {
        require(msg.sender == disputes, CallerIsNotDisputes(msg.sender, disputes));
        uint256 finalTime = finalizedAt(claimIndex);
        require(block.timestamp < finalTime, ClaimFinal(claimIndex, finalTime));
        require(winner != address(0), WinnerMustNotBeZero());

        uint64 claimsDeleted = claimsCount - claimIndex;
        uint256 rewardWei = bondWei / 2;
        claimsCount = claimIndex;
        rewardOf[winner] += rewardWei;
        emit RolledBack(claimIndex, claimsDeleted, winner, rewardWei);
        Address.sendValue(payable(address(0)), claimsDeleted * bondWei - rewardWei);
    }

    /// @inheritdoc IChain
    function collectReward(address winner) external nonReentrant {
        uint256 rewardWei = rewardOf[winner];
        require(rewardWei != 0, RewardMustNotBeZero(winner));

        rewardOf[winner] = 0;
        emit RewardCollected(winner, rewardWei);
        Address.sendValue(payable(winner), rewardWei);
    }

    // --------------------------------------------------------------------------------------- views

    /// @inheritdoc IChain
    function appendsCount() public view returns (uint64) {
        return uint64(_appends.length);
    }

    /// @inheritdoc IChain
    function appendAt(uint64 index) public view returns (Append memory) {
        require(index < appendsCount(), AppendNotFound(index, appendsCount()));
        return _appends[index];
    }

    /// @inheritdoc IChain
    function claimAt(uint64 index) public view returns (Claim memory) {
        require(index < claimsCount, ClaimNotFound(index, claimsCount));
        return _claims[index];
    }

    /// @inheritdoc IChain
    function appendsClaimed() public view returns (uint64) {
        if (claimsCount == 0) return 0;
        Claim storage last = _claims[claimsCount - 1];
        return last.firstAppend + last.appends;
    }

    /// @inheritdoc IChain
    function nextSeq() public view returns (uint64) {
        return _appends.length == 0 ? 1 : _seqAfter(_appends[_appends.length - 1]);
    }

    /// @inheritdoc IChain
    function inboxPosition() public view returns (uint64) {
        return _appends.length == 0 ? 0 : _appends[_appends.length - 1].inboxPosition;
    }

    /// @inheritdoc IChain
    function finalizedAt(uint64 claimIndex) public view returns (uint256) {
        require(claimIndex < claimsCount, ClaimNotFound(claimIndex, claimsCount));
        return uint256(_claims[claimIndex].claimedAt) + finalityWindowSeconds;
    }

    /// @inheritdoc IChain
    function isFinal(uint64 claimIndex) external view returns (bool) {
        return claimIndex < claimsCount && block.timestamp >= finalizedAt(claimIndex);
    }

    /// @inheritdoc IChain
    function isEntryAt(
        uint64 appendIndex,
        uint64 seq,
        bytes32 entryHash,
        bytes32[] calldata siblings
    ) external view returns (bool) {
        Append memory appended = appendAt(appendIndex);
        if (seq < appended.firstSeq || seq - appended.firstSeq >= appended.count) return false;
        if (siblings.length != Math.log2(appended.count, Math.Rounding.Ceil)) return false;
        return Merkle.rootOf(entryHash, seq - appended.firstSeq, siblings) == appended.dataRoot;
    }

    // ----------------------------------------------------------------------------------- internals

    function _walk(bytes calldata entries) private view returns (Walk memory walk) {
        walk.inboxPosition = inboxPosition();
        walk.inboxHash = inboxHash;
        uint256 next = 0;
        uint256 last = 0;
        while (next < entries.length) {
            (next, last) = Entries.pushRun(walk.tree, entries, next);
            if (next >= entries.length) break;
            last = next;
            next = _consume(walk, entries, next);
        }
        require(next == entries.length, Entries.EntryTruncated(last, entries.length - last));
        walk.lastWindowNs = Entries.windowNs(entries, last);
    }

    /// @dev The walk stops at a request, or at a length that cannot be: for that `endOf` reverts.
    function _consume(Walk memory walk, bytes calldata entries, uint256 start)
        private
        view
        returns (uint256 end)
    {
        end = Entries.endOf(entries, start);
        bytes32 commandHash = keccak256(Entries.command(entries, start, end));
        bytes32 expectedHash = inbox.requestAt(walk.inboxPosition).commandHash;
        require(
            commandHash == expectedHash,
            RequestHashMismatch(start, walk.inboxPosition, commandHash, expectedHash)
        );
        ++walk.inboxPosition;
        walk.inboxHash = Hashes.efficientKeccak256(walk.inboxHash, commandHash);
        walk.tree.push(keccak256(entries[start:end]));
    }

    /// @dev The last window is near the block's time, and leaves out no request past its deadline.
    function _requireTimely(Walk memory walk) private view {
        uint64 previousWindowNs =
            _appends.length == 0 ? 0 : _appends[_appends.length - 1].lastWindowNs;
        require(
            walk.lastWindowNs >= previousWindowNs,
            WindowRegressed(walk.lastWindowNs, previousWindowNs)
        );
        uint256 lastTime = walk.lastWindowNs / NS_PER_SECOND;
        uint256 lastTimeMin = Math.saturatingSub(block.timestamp, APPEND_PAST_MAX_SECONDS);
        require(lastTime >= lastTimeMin, LastTimeTooOld(lastTime, lastTimeMin));
        uint256 lastTimeMax = block.timestamp + APPEND_AHEAD_MAX_SECONDS;
        require(lastTime <= lastTimeMax, LastTimeTooNew(lastTime, lastTimeMax));
        if (walk.inboxPosition == inbox.count()) return;
        uint256 deadline = inbox.requestAt(walk.inboxPosition).timestamp + REQUEST_DEADLINE_SECONDS;
        require(lastTime <= deadline, RequestOverdue(walk.inboxPosition, deadline, lastTime));
    }

    function _seqAfter(Append memory appended) private pure returns (uint64) {
        return appended.firstSeq + appended.count;
    }
}
