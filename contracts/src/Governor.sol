// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChain} from "./interfaces/IChain.sol";
import {IGovernor} from "./interfaces/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title Governor
/// @notice See IGovernor.
contract Governor is IGovernor, TimelockController {
    // ---------------------------------------------------------------------------------- immutables

    /// @notice Time to leave before a change, beside the finality window of the last withdrawal, s:
    /// 13 h at most until a request is consumed, the rest to close positions and for the claim.
    uint256 public constant EXIT_SECONDS = 3 days;

    /// @notice Chain id of anvil and forge, where nobody needs time to leave.
    uint256 public constant DEVELOPMENT_CHAIN_ID = 31337;

    /// @notice The least delay on a development chain, s.
    uint256 public constant DEVELOPMENT_DELAY_MIN_SECONDS = 1;

    /// @inheritdoc IGovernor
    IChain public immutable chain;
    /// @inheritdoc IGovernor
    uint256 public immutable delayMinSeconds;

    // --------------------------------------------------------------------------------- constructor

    /// @param chain_ A chain whose inbox takes requests of governance from this contract.
    /// @param delaySeconds Time between scheduling and execution, s.
    /// @param proposers Who may schedule and cancel; nobody, if the rules must never change.
    /// @param executors Who may execute what is due; the zero address stands for anyone.
    constructor(
        IChain chain_,
        uint256 delaySeconds,
        address[] memory proposers,
        address[] memory executors
    ) TimelockController(delaySeconds, proposers, executors, address(0)) {
        address governorOfInbox = chain_.inbox().governor();
        require(governorOfInbox == address(this), GovernorOfInboxMismatch(governorOfInbox));
        chain = chain_;
        delayMinSeconds = block.chainid == DEVELOPMENT_CHAIN_ID
            ? DEVELOPMENT_DELAY_MIN_SECONDS
            : chain_.finalityWindowSeconds() + EXIT_SECONDS;
        require(delaySeconds >= delayMinSeconds, DelayBelowMin(delaySeconds, delayMinSeconds));
    }

    // ------------------------------------------------------------------------------------- actions

    /// @inheritdoc TimelockController
    /// @dev Never below delayMinSeconds: otherwise one change could take the time to leave from all
    /// that follow.
    function updateDelay(uint256 newDelay) public override {
        require(newDelay >= delayMinSeconds, DelayBelowMin(newDelay, delayMinSeconds));
        super.updateDelay(newDelay);
    }
}
