// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IChain} from "./IChain.sol";

/// @title IGovernor
/// @notice Who may change the rules of a venue, and after how long: a timelock that the inbox takes
/// requests of governance from.
///
/// A proposer schedules calls of `IInbox.push` with the bytes of commands whose tags are
/// FIRST_GOVERNED_TAG to LAST_GOVERNED_TAG; after the delay an executor lets them happen, and the
/// venue must consume them in their place among the other requests. Whoever dislikes what is
/// scheduled has the delay to leave: it is in the event `CallScheduled` in full.
///
/// The delay is never below delayMinSeconds(), whoever asks: on any chain but a development chain
/// that is the finality window and EXIT_SECONDS. Nobody administers the roles but this contract
/// itself, which takes the same delay.
///
/// The rest is OpenZeppelin's TimelockController: roles, scheduling, cancelling, executing.
interface IGovernor {
    /// @notice The inbox of the chain takes requests of governance from another contract.
    error GovernorOfInboxMismatch(address governorOfInbox);

    /// @notice Users would not have the time to leave.
    error DelayBelowMin(uint256 delaySeconds, uint256 minSeconds);

    /// @notice The venue that is governed.
    function chain() external view returns (IChain);

    /// @notice The least delay, s. It never changes.
    function delayMinSeconds() external view returns (uint256);
}
