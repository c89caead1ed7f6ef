// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/Chain.sol";
import {Governor} from "../../src/Governor.sol";
import {Inbox} from "../../src/Inbox.sol";
import {Vault} from "../../src/Vault.sol";
import {DevelopmentToken} from "../../src/dev/DevelopmentToken.sol";
import {IInbox} from "../../src/interfaces/IInbox.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {EntryBuilder} from "../support/EntryBuilder.sol";
import {State} from "../support/State.sol";
import {Test} from "../support/Test.sol";

/// @notice An honest venue of which only the money is modelled: deposits that are appended become
/// custody, and withdrawals are queued out of custody. Every action succeeds, so that a revert is a
/// failure; what must be refused is tried and caught.
contract VenueHandler is Test {
    /// @notice A command that a proposer has announced, of governance or not.
    struct Announced {
        bytes command;
        uint256 dueSeconds;
        bool isExecuted;
    }

    /// @notice USDC and ether: tokens 0 and 1.
    DevelopmentToken[2] private _tokens;
    Inbox private immutable inbox;
    Chain private immutable chain;
    Vault private immutable vault;
    Governor private immutable governor;
    address private immutable proposer;
    address private immutable executor;
    address private immutable operator;
    address private immutable disputes;

    /// @notice Commands queued and not yet appended are those from chain.inboxPosition() on.
    bytes[] public commands;
    uint64[] private _amounts;
    uint8[] private _numbers;
    Announced[] private _announced;
    uint256[2] public depositedAtoms;

    /// @notice The withdrawal tree, and for each claim how much of it the claimed state holds.
    IVault.Withdrawal[] private _withdrawals;
    uint256[] private _withdrawalsAtClaim;
    uint256[2] public custodyAtoms;
    uint256 public entries;

    uint256[2] public paidAtoms;
    mapping(uint256 index => uint256) public payments;
    uint256 public secondPayments;
    uint256 public earlyPayments;
    uint256 public forbiddenChanges;
    uint256 public releasedBonds;
    uint256 public burntWei;

    address private constant RECIPIENT = address(0xbeef);
    address private constant WINNER = address(0xcafe);

    constructor(
        DevelopmentToken[2] memory tokens_,
        Inbox inbox_,
        Chain chain_,
        Vault vault_,
        address operator_,
        address disputes_,
        Governor governor_,
        address proposer_,
        address executor_
    ) {
        _tokens = tokens_;
        inbox = inbox_;
        chain = chain_;
        vault = vault_;
        operator = operator_;
        disputes = disputes_;
        governor = governor_;
        proposer = proposer_;
        executor = executor_;
    }

    // ------------------------------------------------------------------------------------- actions

    function deposit(uint8 number, uint8 owner, uint8 subaccount, uint64 amountAtoms) external {
        number = number % 2;
        address depositor = address(uint160(0x1000) + owner % 4);
        subaccount = subaccount % 2;
        IVault.Token memory terms = vault.tokenAt(number);
        uint64 atoms = uint64(bound(amountAtoms, terms.firstDepositMinAtoms, 1e15));
        uint256 amount = uint256(atoms) * terms.scale;
        _tokens[number].mint(depositor, amount);
        vm.startPrank(depositor);
        _tokens[number].approve(address(vault), amount);
        uint32 account = vault.deposit(number, depositor, subaccount, amount);
        vm.stopPrank();
        _queue(
            EntryBuilder.depositCommand(account, depositor, subaccount, number, atoms),
            number,
            atoms
        );
        depositedAtoms[number] += atoms;
    }

    /// @notice Announce a command of governance, or one with a tag near to theirs.
    function announce(uint8 tag, bytes calldata tail, uint32 longerSeconds) external {
        if (tail.length >= 2030) return;
        tag = uint8(bound(tag, 0x06, 0x10));
        uint256 delaySeconds = governor.getMinDelay() + longerSeconds % 1 days;
        bytes memory command = abi.encodePacked(tag, tail);
        bytes32 salt = bytes32(_announced.length);
        vm.prank(proposer);
        governor.schedule(address(inbox), 0, _push(command), 0, salt, delaySeconds);
        _announced.push(Announced(command, vm.getBlockTimestamp() + delaySeconds, false));
    }

    /// @notice Try to carry out what is announced; it happens if it may, and once.
    function execute(uint256 seed) external {
        if (_announced.length == 0) return;
        uint256 index = bound(seed, 0, _announced.length - 1);
        Announced storage chosen = _announced[index];
        uint8 tag = uint8(chosen.command[0]);
        bool isAllowed = tag >= 0x07 && tag <= 0x0f && !chosen.isExecuted
            && vm.getBlockTimestamp() >= chosen.dueSeconds;
        vm.prank(executor);
        try governor.execute(address(inbox), 0, _push(chosen.command), 0, bytes32(index)) {
            if (!isAllowed) ++forbiddenChanges;
            chosen.isExecuted = true;
            _queue(chosen.command, 0, 0);
        } catch {
            vm.assertFalse(isAllowed, "what is due and of governance is carried out");
        }
    }

    function append(uint8 requests, uint8 ticks) external {
        uint64 first = chain.inboxPosition();
        uint256 consumed = bound(requests, 0, commands.length - first);
        uint64 windowNs = uint64(vm.getBlockTimestamp() * 1e9);
        uint256 tickCount = 1 + ticks % 8;
        bytes memory data = EntryBuilder.repeat(EntryBuilder.tick(windowNs, 0), tickCount);
        bytes32 inboxHash = chain.inboxHash();
        // A request past its deadline must be taken, or the chain refuses the append.
        for (uint64 index = first; index < commands.length; ++index) {
            bool isDue = inbox.requestAt(index).timestamp + 1 hours < vm.getBlockTimestamp();
            if (index - first >= consumed && !isDue) break;
            data = bytes.concat(data, EntryBuilder.entry(windowNs, commands[index]));
            inboxHash = keccak256(bytes.concat(inboxHash, keccak256(commands[index])));
            custodyAtoms[_numbers[index]] += _amounts[index];
            ++tickCount;
        }
        vm.prank(operator);
        chain.append(data, inboxHash);
        entries += tickCount;
    }

    function queueWithdrawal(uint8 number, uint128 amountAtoms) external {
        number = number % 2;
        if (custodyAtoms[number] == 0) return;
        uint128 amount = uint128(bound(amountAtoms, 1, custodyAtoms[number]));
        custodyAtoms[number] -= amount;
        uint64 index = uint64(_withdrawals.length);
        _withdrawals.push(IVault.Withdrawal(index, number, RECIPIENT, amount));
    }

    function claim(uint8 appends) external {
        uint64 unclaimed = chain.appendsCount() - chain.appendsClaimed();
        if (unclaimed == 0) return;
        uint64 taken = uint64(bound(appends, 1, unclaimed));
        (bytes32 stateRoot,,) = _open(_withdrawals.length, 0);
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = stateRoot;
        uint256 bond = chain.bondWei();
        vm.deal(operator, bond);
        vm.prank(operator);
        chain.claim{value: bond}(taken, roots);
        _withdrawalsAtClaim.push(_withdrawals.length);
    }

    function claimWithdrawal(uint256 claimSeed, uint256 indexSeed) external {
        uint256 claims = _withdrawalsAtClaim.length;
        if (claims == 0) return;
        uint64 claimIndex = uint64(bound(claimSeed, 0, claims - 1));
        uint256 held = _withdrawalsAtClaim[claimIndex];
        if (held == 0) return;
        uint256 index = bound(indexSeed, 0, held - 1);
        (, bytes32[] memory leafProof, bytes32[] memory rootProof) = _open(held, index);
        bool isFinal = chain.isFinal(claimIndex);
        try vault.claimWithdrawal(claimIndex, _withdrawals[index], leafProof, rootProof) {
            if (payments[index] != 0) ++secondPayments;
            if (!isFinal) ++earlyPayments;
            ++payments[index];
            paidAtoms[_withdrawals[index].token] += _withdrawals[index].amount;
        } catch {
            bool isRefusable = payments[index] != 0 || !isFinal;
            vm.assertTrue(isRefusable, "a first payment from a final claim succeeds");
        }
    }

    /// @notice One call in four does it: most claims are to live until they are final.
    function rollback(uint256 claimSeed) external {
        if (claimSeed % 4 != 0) return;
        if (_withdrawalsAtClaim.length == 0) return;
        uint64 claimIndex = uint64(bound(claimSeed, 0, _withdrawalsAtClaim.length - 1));
        if (chain.isFinal(claimIndex)) return;
        uint256 burntBefore = address(0).balance;
        vm.prank(disputes);
        chain.rollback(claimIndex, WINNER);
        burntWei += address(0).balance - burntBefore;
        while (_withdrawalsAtClaim.length > claimIndex) _withdrawalsAtClaim.pop();
    }

    function releaseBond(uint256 claimSeed) external {
        if (_withdrawalsAtClaim.length == 0) return;
        uint64 claimIndex = uint64(bound(claimSeed, 0, _withdrawalsAtClaim.length - 1));
        if (!chain.isFinal(claimIndex) || chain.claimAt(claimIndex).isBondReleased) return;
        chain.releaseBond(claimIndex);
        ++releasedBonds;
    }

    function collectReward() external {
        if (chain.rewardOf(WINNER) != 0) chain.collectReward(WINNER);
    }

    function wait(uint32 pauseSeconds) external {
        vm.warp(vm.getBlockTimestamp() + bound(pauseSeconds, 1 hours, 1 days));
    }

    // --------------------------------------------------------------------------------------- views

    function commandsCount() external view returns (uint256) {
        return commands.length;
    }

    function withdrawalsCount() external view returns (uint256) {
        return _withdrawals.length;
    }

    function withdrawalAt(uint256 index) external view returns (IVault.Withdrawal memory) {
        return _withdrawals[index];
    }

    function rewardWei() external view returns (uint256) {
        return chain.rewardOf(WINNER);
    }

    // ----------------------------------------------------------------------------------- internals

    function _queue(bytes memory command, uint8 number, uint64 atoms) private {
        commands.push(command);
        _numbers.push(number);
        _amounts.push(atoms);
    }

    function _push(bytes memory command) private pure returns (bytes memory) {
        return abi.encodeCall(IInbox.push, (command));
    }

    /// @notice Return the state that holds the first `count` withdrawals, and the paths of one.
    function _open(uint256 count, uint256 index)
        private
        view
        returns (bytes32 stateRoot, bytes32[] memory leafProof, bytes32[] memory rootProof)
    {
        IVault.Withdrawal[] memory held = new IVault.Withdrawal[](count);
        for (uint256 position = 0; position < count; ++position) {
            held[position] = _withdrawals[position];
        }
        bytes32 withdrawalRoot;
        (withdrawalRoot, leafProof) = State.openWithdrawal(held, index);
        (stateRoot, rootProof) = State.openWithdrawalRoot(withdrawalRoot, count);
    }
}
