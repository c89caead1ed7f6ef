// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../src/interfaces/IVault.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token that keeps one atom of every transfer.
contract FeeToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {}

    function mint(address recipient, uint256 amountAtoms) external {
        _mint(recipient, amountAtoms);
    }

    function _update(address from, address to, uint256 amountAtoms) internal override {
        super._update(from, to, amountAtoms);
        if (from != address(0) && to != address(0)) super._update(to, address(0), 1);
    }
}

/// @notice A token that calls the vault again while it is being moved.
contract ReentrantToken is ERC20 {
    IVault private _vault;

    constructor() ERC20("Reentrant", "RE") {}

    function mint(address recipient, uint256 amountAtoms) external {
        _mint(recipient, amountAtoms);
    }

    function attack(IVault vault) external {
        _vault = vault;
    }

    function _update(address from, address to, uint256 amountAtoms) internal override {
        super._update(from, to, amountAtoms);
        if (address(_vault) != address(0)) _vault.deposit(0, from, 0, 1);
    }
}
