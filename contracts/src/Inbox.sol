// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInbox} from "./interfaces/IInbox.sol";
import {Entries} from "./libraries/Entries.sol";

/// @title Inbox
/// @notice See IInbox.
contract Inbox is IInbox {
    // ---------------------------------------------------------------------------------- immutables

    /// @notice The longest command that fits into an entry.
    uint256 public constant COMMAND_BYTES_MAX =
        Entries.LENGTH_BYTES + Entries.LENGTH_MAX - Entries.HEADER_BYTES;

    /// @inheritdoc IInbox
    address public immutable vault;

    // ------------------------------------------------------------------------------------- storage

    /// @inheritdoc IInbox
    bytes32 public prefixHash;

    Request[] private _requests;

    // --------------------------------------------------------------------------------- constructor

    /// @param vault_ The contract that may add requests; it may be deployed after this one.
    constructor(address vault_) {
        require(vault_ != address(0), VaultMustNotBeZero());
        vault = vault_;
    }

    // ------------------------------------------------------------------------------------- actions

    /// @inheritdoc IInbox
    function push(bytes calldata command) external returns (uint64 index) {
        require(msg.sender == vault, CallerIsNotVault(msg.sender, vault));
        require(
            command.length != 0 && command.length <= COMMAND_BYTES_MAX,
            CommandLengthOutOfRange(command.length, 1, COMMAND_BYTES_MAX)
        );
        uint8 tag = uint8(command[0]);
        require(
            tag < Entries.FIRST_SIGNED_TAG, CommandTagOutOfRange(tag, Entries.FIRST_SIGNED_TAG - 1)
        );

        index = count();
        bytes32 commandHash = keccak256(command);
        bytes32 prefixHashAfter = keccak256(bytes.concat(prefixHash, commandHash));
        prefixHash = prefixHashAfter;
        _requests.push(Request({commandHash: commandHash, timestamp: uint64(block.timestamp)}));
        emit RequestQueued(index, command, prefixHashAfter);
    }

    // --------------------------------------------------------------------------------------- views

    /// @inheritdoc IInbox
    function count() public view returns (uint64) {
        return uint64(_requests.length);
    }

    /// @inheritdoc IInbox
    function requestAt(uint64 index) external view returns (Request memory) {
        require(index < count(), RequestNotFound(index, count()));
        return _requests[index];
    }
}
