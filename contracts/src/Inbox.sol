// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TAG_DEPOSIT} from "./Limits.sol";
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
    /// @inheritdoc IInbox
    address public immutable governor;

    // ------------------------------------------------------------------------------------- storage

    /// @inheritdoc IInbox
    bytes32 public prefixHash;

    Request[] private _requests;

    // --------------------------------------------------------------------------------- constructor

    /// @param vault_ The contract that may add requests of users.
    /// @param governor_ The contract that may add requests of governance. Both may be deployed
    /// after this one.
    constructor(address vault_, address governor_) {
        require(vault_ != address(0), VaultMustNotBeZero());
        require(governor_ != address(0), GovernorMustNotBeZero());
        require(governor_ != vault_, GovernorMustNotBeVault(vault_));
        vault = vault_;
        governor = governor_;
    }

    // ------------------------------------------------------------------------------------- actions

    /// @inheritdoc IInbox
    function push(bytes calldata command) external returns (uint64 index) {
        bool isGoverned = msg.sender == governor;
        require(isGoverned || msg.sender == vault, CallerMayNotPush(msg.sender, vault, governor));
        require(
            command.length != 0 && command.length <= COMMAND_BYTES_MAX,
            CommandLengthOutOfRange(command.length, 1, COMMAND_BYTES_MAX)
        );
        uint8 tag = uint8(command[0]);
        uint8 min = isGoverned ? Entries.FIRST_GOVERNED_TAG : TAG_DEPOSIT;
        uint8 max = isGoverned ? Entries.LAST_GOVERNED_TAG : Entries.FIRST_GOVERNED_TAG - 1;
        require(tag >= min && tag <= max, CommandTagOutOfRange(tag, min, max));

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
