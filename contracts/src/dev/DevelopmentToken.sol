// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title DevelopmentToken
/// @notice A token that anyone may mint, for local chains only.
contract DevelopmentToken is ERC20 {
    /// @notice The only chain on which a token with an open mint may exist.
    uint256 public constant DEVELOPMENT_CHAIN_ID = 31337;

    uint8 private immutable _decimals;

    /// @notice The token was deployed on a chain where it could be taken for money.
    error ChainIsNotForDevelopment(uint256 chainId, uint256 developmentChainId);

    /// @param symbol_ As of the token that it stands for.
    /// @param decimals_ As of the token that it stands for.
    constructor(string memory symbol_, uint8 decimals_)
        ERC20(string.concat("Development ", symbol_), symbol_)
    {
        require(
            block.chainid == DEVELOPMENT_CHAIN_ID,
            ChainIsNotForDevelopment(block.chainid, DEVELOPMENT_CHAIN_ID)
        );
        _decimals = decimals_;
    }

    /// @notice Create `amountAtoms` for `recipient`.
    function mint(address recipient, uint256 amountAtoms) external {
        _mint(recipient, amountAtoms);
    }

    /// @inheritdoc ERC20
    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}
