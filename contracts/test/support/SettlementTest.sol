// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/Chain.sol";
import {Governor} from "../../src/Governor.sol";
import {Inbox} from "../../src/Inbox.sol";
import {Vault} from "../../src/Vault.sol";
import {DevelopmentToken} from "../../src/dev/DevelopmentToken.sol";
import {IChain} from "../../src/interfaces/IChain.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {EntryBuilder} from "./EntryBuilder.sol";
import {Test} from "./Test.sol";

/// @notice A venue as it is deployed, and the steps that tests take in it.
abstract contract SettlementTest is Test {
    uint256 internal constant START_SECONDS = 1_780_000_000;
    uint256 internal constant BOND_WEI = 0.1 ether + 1;
    uint32 internal constant FINALITY_WINDOW_SECONDS = 1 days;
    uint64 internal constant FIRST_DEPOSIT_MIN_ATOMS = 10_000_000;
    uint64 internal constant FIRST_ETHER_MIN_ATOMS = 4_000_000;
    uint64 internal constant ETHER_SCALE = 1e9;
    uint256 internal constant GOVERNANCE_DELAY_SECONDS = 2 days;
    bytes internal constant GENESIS = "genesis";
    bytes32 internal constant GENESIS_ROOT = keccak256("genesis root");

    address internal immutable OPERATOR = address(0x0111);
    address internal immutable DISPUTES = address(0x0222);
    address internal immutable PROPOSER = address(0x0333);
    address internal immutable EXECUTOR = address(0x0444);

    /// @notice USDC, token 0, and ether, token 1, of which the venue counts 1e-9.
    DevelopmentToken internal token;
    DevelopmentToken internal ether_;
    Inbox internal inbox;
    Chain internal chain;
    Vault internal vault;
    Governor internal governor;

    function setUp() public virtual {
        vm.chainId(31337);
        vm.warp(START_SECONDS);
        token = new DevelopmentToken("USDC", 6);
        ether_ = new DevelopmentToken("WETH", 18);
        uint64 nonce = vm.getNonce(address(this));
        inbox = new Inbox(
            vm.computeCreateAddress(address(this), nonce + 2),
            vm.computeCreateAddress(address(this), nonce + 3)
        );
        chain = new Chain(deployment());
        vault = new Vault(tokens(), inbox, chain);
        governor = new Governor(chain, GOVERNANCE_DELAY_SECONDS, only(PROPOSER), only(EXECUTOR));
        vm.deal(OPERATOR, 1_000_000 ether);
    }

    function deployment() internal view returns (IChain.Deployment memory) {
        return IChain.Deployment({
            genesis: GENESIS,
            genesisRoot: GENESIS_ROOT,
            operator: OPERATOR,
            inbox: inbox,
            bondWei: BOND_WEI,
            finalityWindowSeconds: FINALITY_WINDOW_SECONDS,
            disputes: DISPUTES
        });
    }

    /// @notice The tokens that the vault takes.
    function tokens() internal view returns (IVault.Token[] memory rows) {
        rows = new IVault.Token[](2);
        rows[0] = IVault.Token(token, 1, FIRST_DEPOSIT_MIN_ATOMS);
        rows[1] = IVault.Token(ether_, ETHER_SCALE, FIRST_ETHER_MIN_ATOMS);
    }

    /// @notice Return a list of one.
    function only(address member) internal pure returns (address[] memory members) {
        members = new address[](1);
        members[0] = member;
    }

    /// @notice Deposit USDC as `owner`, with fresh money.
    function deposit(address owner, uint32 subaccount, uint64 amountAtoms)
        internal
        returns (uint32 account)
    {
        return deposit(0, owner, subaccount, amountAtoms);
    }

    /// @notice Deposit a token as `owner`, with fresh money; atoms are those of the venue.
    function deposit(uint8 number, address owner, uint32 subaccount, uint64 amountAtoms)
        internal
        returns (uint32 account)
    {
        DevelopmentToken chosen = number == 0 ? token : ether_;
        uint256 amount = uint256(amountAtoms) * vault.tokenAt(number).scale;
        chosen.mint(owner, amount);
        vm.startPrank(owner);
        chosen.approve(address(vault), amount);
        account = vault.deposit(number, owner, subaccount, amount);
        vm.stopPrank();
    }

    /// @notice Append as the operator.
    function append(bytes memory entries, bytes32 inboxHash) internal {
        vm.prank(OPERATOR);
        chain.append(entries, inboxHash);
    }

    /// @notice Append `count` ticks that consume no request.
    function appendTicks(uint256 count) internal {
        append(ticks(count), chain.inboxHash());
    }

    /// @notice Claim the next `appends` appends; the roots are made up, the last one is `postRoot`.
    function claim(uint64 appends, bytes32 postRoot) internal {
        bytes32[] memory roots = checkpointRoots(appends, postRoot);
        vm.prank(OPERATOR);
        chain.claim{value: BOND_WEI}(appends, roots);
    }

    /// @notice Append one tick and claim `postRoot` after it.
    function appendAndClaim(bytes32 postRoot) internal {
        appendTicks(1);
        claim(1, postRoot);
    }

    /// @notice Return as many roots as a claim over the next `appends` appends has.
    function checkpointRoots(uint64 appends, bytes32 postRoot)
        internal
        view
        returns (bytes32[] memory roots)
    {
        uint64 first = chain.appendsClaimed();
        uint256 entries = 0;
        for (uint64 index = first; index < first + appends; ++index) {
            entries += chain.appendAt(index).count;
        }
        roots = new bytes32[]((entries + 1023) / 1024);
        for (uint256 index = 0; index < roots.length; ++index) {
            roots[index] = keccak256(abi.encode("checkpoint", first, index));
        }
        roots[roots.length - 1] = postRoot;
    }

    /// @notice The entries of `count` ticks in a window that closes now.
    function ticks(uint256 count) internal view returns (bytes memory) {
        return EntryBuilder.repeat(EntryBuilder.tick(nowNs(), 0), count);
    }

    /// @notice The chain's clock, ns. Asked of forge: the compiler may move a read of
    /// block.timestamp past a warp.
    function nowNs() internal view returns (uint64) {
        return uint64(vm.getBlockTimestamp() * 1e9);
    }
}
