// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInbox} from "../../src/interfaces/IInbox.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {SettlementTest} from "../support/SettlementTest.sol";

contract VaultSessionTest is SettlementTest {
    address private constant OWNER = 0x1111111111111111111111111111111111111111;
    address private constant KEY = 0x3333333333333333333333333333333333333333;

    function test_grant_rejects_who_has_no_such_account(address caller, uint32 subaccount) public {
        deposit(OWNER, 1, FIRST_DEPOSIT_MIN_ATOMS);
        vm.assume(caller != OWNER || subaccount != 1);
        bytes memory reason =
            abi.encodeWithSelector(IVault.AccountNotFound.selector, caller, subaccount);
        vm.startPrank(caller);
        vm.expectRevert(reason);
        vault.grantSession(subaccount, 1, _scope());
        vm.expectRevert(reason);
        vault.revokeSession(subaccount, 1);
        vm.stopPrank();
    }

    function test_grant_queues_the_bytes_of_the_table() public {
        deposit(OWNER, 0, FIRST_DEPOSIT_MIN_ATOMS);
        bytes memory command = hex"02" hex"03000000" hex"1111111111111111111111111111111111111111"
            hex"07" hex"3333333333333333333333333333333333333333" hex"05000000"
            hex"ffffffffffffffff" hex"0000000000000000" hex"0000000000000020";
        bytes32 prefixHash = inbox.prefixHash();
        vm.expectEmit(address(inbox));
        emit IInbox.RequestQueued(
            1, command, keccak256(bytes.concat(prefixHash, keccak256(command)))
        );
        vm.expectEmit(address(vault));
        emit IVault.SessionGrantRequested(3, 7, KEY, 1);
        vm.prank(OWNER);
        vm.assertEq(vault.grantSession(0, 7, _scope()), 1, "its place in the inbox");
        vm.assertEq(inbox.requestAt(1).commandHash, keccak256(command), "the request is queued");
    }

    function test_revoke_queues_the_bytes_of_the_table() public {
        deposit(OWNER, 0, FIRST_DEPOSIT_MIN_ATOMS);
        vm.expectEmit(address(vault));
        emit IVault.SessionRevokeRequested(3, 7, 1);
        vm.prank(OWNER);
        vm.assertEq(vault.revokeSession(0, 7), 1, "its place in the inbox");
        bytes32 commandHash =
            keccak256(hex"03" hex"03000000" hex"1111111111111111111111111111111111111111" hex"07");
        vm.assertEq(inbox.requestAt(1).commandHash, commandHash, "the request is queued");
    }

    /// @notice The contract judges no scope: the state machine does, and rejects what makes no
    /// sense.
    function test_grant_passes_any_scope_on(uint8 session, IVault.SessionScope calldata scope)
        public
    {
        deposit(OWNER, 0, FIRST_DEPOSIT_MIN_ATOMS);
        vm.prank(OWNER);
        vm.assertEq(vault.grantSession(0, session, scope), 1, "queued");
        vm.assertEq(inbox.count(), 2, "after the deposit");
    }

    function _scope() private pure returns (IVault.SessionScope memory) {
        return IVault.SessionScope({
            key: KEY, actions: 5, markets: type(uint64).max, notionalCapAtoms: 0, expiresNs: 1 << 61
        });
    }
}
