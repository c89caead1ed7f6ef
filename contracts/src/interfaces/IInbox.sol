// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title IInbox
/// @notice The queue of requests from the chain to the venue, in the order in which they must be
/// executed.
///
/// A request is the bytes of a command whose tag is below 0x10. The inbox keeps their hash and
/// time; the bytes are in the event. The prefix hash names the whole queue up to a request: h(0) =
/// 0, h(n) = keccak(h(n-1) ‖ keccak(command n)).
///
/// The queue never forgets, changes or reorders. Chain refuses an append that takes a request out
/// of order, changes it, or leaves one out for longer than REQUEST_DEADLINE_SECONDS.
///
/// The Vault adds requests of users (deposits, grants and ends of sessions), the Governor those
/// that change the rules; neither can add what is the other's. Further forced requests (withdraw,
/// cancel all, close) come later.
interface IInbox {
    /// @notice One request of the queue.
    /// @param commandHash keccak of the command's bytes.
    /// @param timestamp Time of the block in which it was queued, s.
    struct Request {
        bytes32 commandHash;
        uint64 timestamp;
    }

    /// @notice A request was added.
    /// @param index Its place in the queue, from 0.
    /// @param command The bytes that an entry must carry after its header.
    /// @param prefixHash Hash of the queue up to and with this request.
    event RequestQueued(uint64 indexed index, bytes command, bytes32 prefixHash);

    /// @notice The vault's address must be given.
    error VaultMustNotBeZero();

    /// @notice The governor's address must be given.
    error GovernorMustNotBeZero();

    /// @notice One contract must not hold both powers.
    error GovernorMustNotBeVault(address vault);

    /// @notice Only the vault and the governor add requests.
    error CallerMayNotPush(address caller, address vault, address governor);

    /// @notice The command would not fit into an entry, or has no tag.
    error CommandLengthOutOfRange(uint256 length, uint256 min, uint256 max);

    /// @notice The tag is the other sender's, or means no request.
    error CommandTagOutOfRange(uint8 tag, uint8 min, uint8 max);

    /// @notice The queue has no request at `index`.
    error RequestNotFound(uint64 index, uint64 count);

    /// @notice Add a request.
    /// @dev Only the vault, with a tag below FIRST_GOVERNED_TAG, and the governor, with one from
    /// there to LAST_GOVERNED_TAG. Refusals, in this order: caller; length; tag. What the bytes
    /// after the tag mean is judged by the state machine alone.
    /// @param command Bytes of the command, tag first.
    /// @return index Its place in the queue, from 0.
    function push(bytes calldata command) external returns (uint64 index);

    /// @notice The contract that adds requests of users.
    function vault() external view returns (address);

    /// @notice The contract that adds requests of governance.
    function governor() external view returns (address);

    /// @notice Number of requests so far.
    function count() external view returns (uint64);

    /// @notice Hash of the whole queue; zero when it is empty.
    function prefixHash() external view returns (bytes32);

    /// @notice Return the request at `index`, from 0.
    function requestAt(uint64 index) external view returns (Request memory);
}
