"""The contracts of a venue: deploying them, and finding them again from the address of Chain."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rlp

from proofbook.chain.abi import encode_arguments
from proofbook.chain.contracts import (
    BOND_WEI,
    DEPLOYMENT,
    FINALITY_WINDOW_SECONDS,
    GENESIS_BLOCK,
    GENESIS_EVENT,
    GOVERNANCE_TERMS,
    GOVERNOR,
    INBOX,
    OPERATOR,
    TOKEN_AT,
    TOKENS_COUNT,
    VAULT,
    VAULT_TERMS,
    Genesis,
    VaultToken,
)
from proofbook.chain.errors import ContractNotFound, LogNotFound
from proofbook.chain.rpc import AsyncRpc, decode_event, from_hex, to_hex
from proofbook.protocol.genesis import Genesis as GenesisTerms
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import QUOTE_TOKEN
from proofbook.settlement.development_chain import CONTRACTS_FOLDER
from proofbook.settlement.errors import AddressMispredicted, ArtifactNotFound
from proofbook.settlement.tokens import (
    FIRST_DEPOSIT_SHARE,
    CustodyToken,
    custody_tokens,
    development_decimals,
)
from proofbook.settlement.transactions import Sender

ARTIFACTS_FOLDER = CONTRACTS_FOLDER / "out"
NO_DISPUTES = bytes(20)
ANYONE = bytes(20)

GenesisRoot = Callable[[bytes, int, bytes], bytes]
"""(genesis, chain id, address of Chain) → state root before the first entry."""


@dataclass(frozen=True)
class DeploymentTerms:
    """What a deployment fixes for ever beside its genesis."""

    bond_wei: int = 10**17
    finality_window_seconds: int = 3600
    first_deposit_min_atoms: int = 1_000_000  # 1 USDC: an account takes room in the state
    governance_delay_seconds: int = 7 * 24 * 3600  # from scheduling a change of rules to executing
    proposers: tuple[bytes, ...] = ()  # who may schedule; nobody: the rules never change
    executors: tuple[bytes, ...] = (ANYONE,)  # who may let happen what is due


@dataclass(frozen=True)
class Deployment:
    """Where the contracts of one venue are. Addresses are 20 bytes."""

    chain_id: int
    chain: bytes
    inbox: bytes
    vault: bytes
    governor: bytes
    tokens: tuple[CustodyToken, ...]
    operator: bytes
    genesis: bytes
    genesis_block: int
    bond_wei: int
    finality_window_seconds: int

    @property
    def token(self) -> bytes:
        """The address of USDC."""
        return self.tokens[QUOTE_TOKEN].address


async def deploy(
    sender: Sender,
    genesis: bytes,
    genesis_root: GenesisRoot,
    operator: bytes,
    terms: DeploymentTerms | None = None,
    tokens: Sequence[VaultToken] | None = None,
) -> Deployment:
    """Deploy Inbox, Chain, Vault and Governor, and development tokens unless some are given.

    `tokens`: USDC, then those of genesis in their order.

    The inbox names the vault and the governor, the genesis root hashes the address of Chain: these
    addresses are computed from the sender's nonce before they exist.
    Raises ArtifactNotFound, AddressMispredicted, TransactionReverted, ChainFault.
    """
    terms = terms or DeploymentTerms()
    if tokens is None:
        tokens = await _development_tokens(sender, genesis, terms.first_deposit_min_atoms)
    nonce = await sender.nonce()
    chain = created_address(sender.address, nonce + 1)
    vault = created_address(sender.address, nonce + 2)
    governor = created_address(sender.address, nonce + 3)
    inbox = await _create(sender, "Inbox", ("address", "address"), (vault, governor))
    root = genesis_root(genesis, sender.chain_id, chain)
    fixed = (
        genesis, root, operator, inbox, terms.bond_wei, terms.finality_window_seconds, NO_DISPUTES
    )  # fmt: skip
    _require_at("Chain", chain, await _create(sender, "Chain", DEPLOYMENT, (fixed,)))
    vault_arguments = (tokens, inbox, chain)
    _require_at("Vault", vault, await _create(sender, "Vault", VAULT_TERMS, vault_arguments))
    governance = (chain, terms.governance_delay_seconds, terms.proposers, terms.executors)
    _require_at(
        "Governor", governor, await _create(sender, "Governor", GOVERNANCE_TERMS, governance)
    )
    return await find_deployment(sender.rpc, chain)


async def _development_tokens(
    sender: Sender, genesis: bytes, first_deposit_min_atoms: int
) -> list[VaultToken]:
    """Deploy tokens that anyone may mint, one for each that genesis names."""
    tokens: list[VaultToken] = []
    for number, (symbol, decimals) in enumerate(GenesisTerms.decode(genesis).named_tokens):
        digits = development_decimals(number, symbol, decimals)
        address = await _create(sender, "DevelopmentToken", ("string", "uint8"), (symbol, digits))
        least = 10**decimals // FIRST_DEPOSIT_SHARE if number else first_deposit_min_atoms
        tokens.append(VaultToken(address, 10 ** (digits - decimals), least))
    return tokens


async def find_deployment(rpc: AsyncRpc, chain: bytes) -> Deployment:
    """Return the deployment that belongs to a Chain contract.

    Raises ContractNotFound, LogNotFound, TokensMismatch.
    """
    chain_id = await rpc.chain_id()
    if from_hex(await rpc.call("eth_getCode", to_hex(chain), "latest")) == b"":
        raise ContractNotFound(chain, chain_id)
    functions = (INBOX, OPERATOR, GENESIS_BLOCK, BOND_WEI, FINALITY_WINDOW_SECONDS)
    inbox, operator, genesis_block, bond_wei, finality_window_seconds = await rpc.views(
        [(chain, function, ()) for function in functions]
    )
    vault, governor = await rpc.views([(inbox, VAULT, ()), (inbox, GOVERNOR, ())])
    logs = await rpc.logs(chain, (GENESIS_EVENT,), genesis_block, genesis_block)
    if not logs:
        raise LogNotFound("Genesis", chain)
    emitted: Genesis = decode_event(logs[0], (GENESIS_EVENT,))
    return Deployment(
        chain_id=chain_id,
        chain=chain,
        inbox=inbox,
        vault=vault,
        governor=governor,
        tokens=custody_tokens(emitted.genesis, await _held_tokens(rpc, vault)),
        operator=operator,
        genesis=emitted.genesis,
        genesis_block=genesis_block,
        bond_wei=bond_wei,
        finality_window_seconds=finality_window_seconds,
    )


async def _held_tokens(rpc: AsyncRpc, vault: bytes) -> list[VaultToken]:
    """Return the tokens of a vault, by number."""
    count = await rpc.view(vault, TOKENS_COUNT)
    rows = await rpc.views([(vault, TOKEN_AT, (number,)) for number in range(count)])
    return [VaultToken(*row) for row in rows]


def created_address(creator: bytes, nonce: int) -> bytes:
    """Return where the contract will be that an account creates with a nonce."""
    return keccak(rlp.encode([creator, nonce]))[12:]


def artifact(name: str, folder: Path = ARTIFACTS_FOLDER) -> dict[str, Any]:
    """Return a compiled contract. Raises ArtifactNotFound."""
    path = folder / f"{name}.sol" / f"{name}.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ArtifactNotFound(path) from None


async def _create(
    sender: Sender, name: str, types: Sequence[str], arguments: Sequence[Any]
) -> bytes:
    bytecode = from_hex(artifact(name)["bytecode"]["object"])
    receipt = await sender.send(None, bytecode + encode_arguments(types, arguments))
    return receipt.contract


def _require_at(name: str, predicted: bytes, actual: bytes) -> None:
    if predicted != actual:
        raise AddressMispredicted(name, predicted, actual)
