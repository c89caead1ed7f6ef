// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title DevelopmentUSDC
/// @notice A token with the decimals of USDC that anyone may mint, for local chains only.
contract DevelopmentUSDC is ERC20 {
    /// @notice The only chain on which a token with an open mint may exist.
    uint256 public constant DEVELOPMENT_CHAIN_ID = 31337;

    /// @notice The token was deployed on a chain where it could be taken for money.
    error ChainIsNotForDevelopment(uint256 chainId, uint256 developmentChainId);

    constructor() ERC20("Development USDC", "USDC") {
        require(
            block.chainid == DEVELOPMENT_CHAIN_ID,
            ChainIsNotForDevelopment(block.chainid, DEVELOPMENT_CHAIN_ID)
        );
    }

    /// @notice Create `amountAtoms` for `recipient`.
    function mint(address recipient, uint256 amountAtoms) external {
        _mint(recipient, amountAtoms);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
