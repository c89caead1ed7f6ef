"""The functions, events and errors of our contracts that are used off chain.

A test compares every line with the compiled contracts.
"""

from typing import NamedTuple

from proofbook.chain.abi import ErrorTable, Function, LogEvent

# ------------------------------------------------------------------------------------------- Chain

DEPLOYMENT = ("(bytes,bytes32,address,address,uint256,uint32,address)",)
APPEND = Function("append", ("bytes", "bytes32"))
CLAIM = Function("claim", ("uint64", "bytes32[]"))
RELEASE_BOND = Function("releaseBond", ("uint64",))
GENESIS_HASH = Function("genesisHash", (), ("bytes32",))
GENESIS_ROOT = Function("genesisRoot", (), ("bytes32",))
GENESIS_BLOCK = Function("genesisBlock", (), ("uint256",))
OPERATOR = Function("operator", (), ("address",))
INBOX = Function("inbox", (), ("address",))
BOND_WEI = Function("bondWei", (), ("uint256",))
FINALITY_WINDOW_SECONDS = Function("finalityWindowSeconds", (), ("uint32",))
APPENDS_COUNT = Function("appendsCount", (), ("uint64",))
APPEND_AT = Function("appendAt", ("uint64",), ("(bytes32,uint64,uint64,uint64,uint64)",))
CLAIMS_COUNT = Function("claimsCount", (), ("uint64",))
CLAIM_AT = Function(
    "claimAt",
    ("uint64",),
    ("(bytes32,bytes32,address,uint64,bool,uint64,uint64,uint64,uint64)",),
)
APPENDS_CLAIMED = Function("appendsClaimed", (), ("uint64",))
NEXT_SEQ = Function("nextSeq", (), ("uint64",))
INBOX_POSITION = Function("inboxPosition", (), ("uint64",))
INBOX_HASH = Function("inboxHash", (), ("bytes32",))
IS_FINAL = Function("isFinal", ("uint64",), ("bool",))

# -------------------------------------------------------------------- Inbox, Governor, Vault, token

VAULT = Function("vault", (), ("address",))
GOVERNOR = Function("governor", (), ("address",))
PUSH = Function("push", ("bytes",), ("uint64",))
CHAIN = Function("chain", (), ("address",))
REQUESTS_COUNT = Function("count", (), ("uint64",))
REQUEST_AT = Function("requestAt", ("uint64",), ("(bytes32,uint64)",))
GOVERNANCE_TERMS = ("address", "uint256", "address[]", "address[]")
DELAY_MIN_SECONDS = Function("delayMinSeconds", (), ("uint256",))
MIN_DELAY = Function("getMinDelay", (), ("uint256",))
OPERATION_TIMESTAMP = Function("getTimestamp", ("bytes32",), ("uint256",))
SCHEDULE = Function(
    "scheduleBatch", ("address[]", "uint256[]", "bytes[]", "bytes32", "bytes32", "uint256")
)
EXECUTE = Function("executeBatch", ("address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"))
CANCEL = Function("cancel", ("bytes32",))
VAULT_TERMS = ("(address,uint64,uint64)[]", "address", "address")
TOKEN_AT = Function("tokenAt", ("uint8",), ("(address,uint64,uint64)",))
TOKENS_COUNT = Function("tokensCount", (), ("uint256",))
DEPOSIT = Function("deposit", ("uint8", "address", "uint32", "uint256"), ("uint32",))
GRANT_SESSION = Function(
    "grantSession", ("uint32", "uint8", "(address,uint32,uint64,uint64,uint64)"), ("uint64",)
)
REVOKE_SESSION = Function("revokeSession", ("uint32", "uint8"), ("uint64",))
CLAIM_WITHDRAWAL = Function(
    "claimWithdrawal", ("uint64", "(uint64,uint8,address,uint128)", "bytes32[]", "bytes32[]")
)
IS_CLAIMED = Function("isClaimed", ("uint64",), ("bool",))
DECIMALS = Function("decimals", (), ("uint8",))
MINT = Function("mint", ("address", "uint256"))
APPROVE = Function("approve", ("address", "uint256"), ("bool",))
BALANCE_OF = Function("balanceOf", ("address",), ("uint256",))


class VaultToken(NamedTuple):
    """A token in the custody of Vault; one atom of the venue is `scale` of its own."""

    address: bytes
    scale: int
    first_deposit_min_atoms: int


class Append(NamedTuple):
    """What Chain keeps of one append."""

    data_root: bytes
    first_seq: int
    entries: int
    last_window_ns: int
    inbox_position: int

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.entries - 1


class Claim(NamedTuple):
    """What Chain keeps of one claim."""

    post_root: bytes
    checkpoint_roots_hash: bytes
    claimant: bytes
    claimed_at: int
    is_bond_released: bool
    first_append: int
    appends: int
    first_seq: int
    last_seq: int


# ------------------------------------------------------------------------------------------ events


class Genesis(NamedTuple):
    genesis: bytes


class Appended(NamedTuple):
    append_index: int
    first_seq: int
    entries: int
    data_root: bytes
    inbox_position: int
    inbox_hash: bytes


class Claimed(NamedTuple):
    claim_index: int
    first_append: int
    appends: int
    first_seq: int
    last_seq: int
    checkpoint_roots: tuple[bytes, ...]


class RolledBack(NamedTuple):
    claim_index: int
    claims_deleted: int
    winner: bytes
    reward_wei: int


class RequestQueued(NamedTuple):
    request_index: int
    command: bytes
    prefix_hash: bytes


class Deposited(NamedTuple):
    account: int
    owner: bytes
    subaccount: int
    token: int
    amount_atoms: int
    request_index: int


class CallScheduled(NamedTuple):
    operation: bytes
    call_index: int
    target: bytes
    value_wei: int
    data: bytes
    predecessor: bytes
    delay_seconds: int


class CallSalt(NamedTuple):
    operation: bytes
    salt: bytes


class RoleGranted(NamedTuple):
    role: bytes
    member: bytes
    sender: bytes


class RoleRevoked(NamedTuple):
    role: bytes
    member: bytes
    sender: bytes


GENESIS_EVENT = LogEvent(Genesis, (), ("bytes",))
APPENDED_EVENT = LogEvent(
    Appended, ("uint64",), ("uint64", "uint64", "bytes32", "uint64", "bytes32")
)
CLAIMED_EVENT = LogEvent(
    Claimed, ("uint64",), ("uint64", "uint64", "uint64", "uint64", "bytes32[]")
)
ROLLED_BACK_EVENT = LogEvent(RolledBack, ("uint64",), ("uint64", "address", "uint256"))
REQUEST_QUEUED_EVENT = LogEvent(RequestQueued, ("uint64",), ("bytes", "bytes32"))
DEPOSITED_EVENT = LogEvent(
    Deposited, ("uint32", "address"), ("uint32", "uint8", "uint64", "uint64")
)
CALL_SCHEDULED_EVENT = LogEvent(
    CallScheduled, ("bytes32", "uint256"), ("address", "uint256", "bytes", "bytes32", "uint256")
)
CALL_SALT_EVENT = LogEvent(CallSalt, ("bytes32",), ("bytes32",))
ROLE_GRANTED_EVENT = LogEvent(RoleGranted, ("bytes32", "address", "address"), ())
ROLE_REVOKED_EVENT = LogEvent(RoleRevoked, ("bytes32", "address", "address"), ())

# ------------------------------------------------------------------------------------------ errors

ERRORS = ErrorTable(
    (
        # Solidity's own
        "Error(string)",
        "Panic(uint256)",
        # Chain
        "GenesisMustNotBeEmpty()",
        "GenesisRootMustNotBeZero()",
        "OperatorMustNotBeZero()",
        "InboxHasNoCode(address)",
        "FinalityWindowMustNotBeZero()",
        "CallerIsNotOperator(address,address)",
        "CallerIsNotDisputes(address,address)",
        "EntriesMustNotBeEmpty()",
        "EntriesTooLong(uint256,uint256)",
        "EntryTruncated(uint256,uint256)",
        "EntryLengthOutOfRange(uint256,uint256,uint256,uint256)",
        "RequestHashMismatch(uint256,uint64,bytes32,bytes32)",
        "InboxHashMismatch(bytes32,bytes32)",
        "WindowRegressed(uint64,uint64)",
        "LastTimeTooOld(uint256,uint256)",
        "LastTimeTooNew(uint256,uint256)",
        "RequestOverdue(uint64,uint256,uint256)",
        "ClaimMustNotBeEmpty()",
        "AppendsNotFound(uint64,uint64)",
        "CheckpointRootsCountMismatch(uint256,uint256)",
        "BondMismatch(uint256,uint256)",
        "AppendNotFound(uint64,uint64)",
        "ClaimNotFound(uint64,uint64)",
        "ClaimNotFinal(uint64,uint256)",
        "ClaimFinal(uint64,uint256)",
        "BondReleasedBefore(uint64)",
        "WinnerMustNotBeZero()",
        "RewardMustNotBeZero(address)",
        # Inbox
        "VaultMustNotBeZero()",
        "GovernorMustNotBeZero()",
        "GovernorMustNotBeVault(address)",
        "CallerMayNotPush(address,address,address)",
        "CommandLengthOutOfRange(uint256,uint256,uint256)",
        "CommandTagOutOfRange(uint8,uint8,uint8)",
        "RequestNotFound(uint64,uint64)",
        # Governor
        "GovernorOfInboxMismatch(address)",
        "DelayBelowMin(uint256,uint256)",
        "TimelockInsufficientDelay(uint256,uint256)",
        "TimelockUnexpectedOperationState(bytes32,bytes32)",
        "TimelockUnexecutedPredecessor(bytes32)",
        "TimelockUnauthorizedCaller(address)",
        "TimelockInvalidOperationLength(uint256,uint256,uint256)",
        "AccessControlUnauthorizedAccount(address,bytes32)",
        "AccessControlBadConfirmation()",
        # Vault
        "TokensCountOutOfRange(uint256,uint256,uint256)",
        "TokenHasNoCode(address)",
        "ScaleMustNotBeZero(address)",
        "TokenAddedBefore(address)",
        "VaultOfInboxMismatch(address)",
        "InboxOfChainMismatch(address)",
        "OwnerMustNotBeZero()",
        "AmountMustNotBeZero()",
        "AmountNotWhole(uint256,uint256)",
        "AmountAboveMax(uint256,uint256)",
        "FirstDepositBelowMin(uint256,uint256)",
        "AccountNotFound(address,uint32)",
        "DepositsAboveMax(uint256,uint256)",
        "AccountsExhausted(uint256)",
        "TokenAmountMismatch(uint256,uint256)",
        "ClaimNotFinal(uint64)",
        "TokenNotSupported(uint8)",
        "WithdrawalIndexOutOfRange(uint64,uint256)",
        "WithdrawalClaimedBefore(uint64)",
        "ProofLengthMismatch(uint256,uint256)",
        "StateRootMismatch(bytes32,bytes32)",
        # Tokens
        "ChainIsNotForDevelopment(uint256,uint256)",
        "ERC20InsufficientAllowance(address,uint256,uint256)",
        "ERC20InsufficientBalance(address,uint256,uint256)",
    )
)
