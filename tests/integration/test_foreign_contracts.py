"""A verifier tells contracts that bind the operator from contracts that only look like it."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.memory_venue import ALICE, USDC, MemoryVenue
from tests.integration.test_settlement import settlement_of, verdict

from proofbook.chain.abi import encode_arguments
from proofbook.chain.contracts import DEPLOYMENT, PUSH, VAULT_TERMS, VaultToken
from proofbook.chain.rpc import AsyncRpc, from_hex
from proofbook.protocol.commands import Deposit
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.genesis import TokenTerms
from proofbook.settlement.deployment import artifact, created_address, deploy
from proofbook.settlement.development_chain import DevelopmentChain
from proofbook.settlement.errors import TokensMismatch
from proofbook.settlement.transactions import Sender
from proofbook.spec.transition import State
from proofbook.verification.contract_code import ContractCode
from proofbook.verification.findings import FindingKind
from proofbook.verification.known_code import CHAIN, GOVERNOR, INBOX, VAULT

ROOT = Path(__file__).resolve().parents[2]


async def create(sender: Sender, name: str, types: tuple[str, ...], *values: object) -> bytes:
    """Deploy a contract whose constructor believes what it is given."""
    code = from_hex(artifact(name)["bytecode"]["object"])
    return (await sender.send(None, code + encode_arguments(types, values))).contract


async def invent_money(honest: MemoryVenue, rpc: AsyncRpc) -> bytes:
    """Post a deposit that nobody paid: the inbox takes a key for its vault. Return the Chain."""
    sender, decoy = honest.sender, honest.deployment
    inbox = await create(sender, "Inbox", ("address", "address"), sender.address, b"\x01" * 20)
    chain = created_address(sender.address, await sender.nonce())
    root = State(decoy.genesis, decoy.chain_id, chain).root()
    fixed = (decoy.genesis, root, sender.address, inbox, 0, 600, bytes(20))
    assert await create(sender, "Chain", DEPLOYMENT, fixed) == chain
    invented = Deposit(3, ALICE.address, 0, 0, 10**9 * USDC)
    await sender.send(inbox, PUSH.encode(command_bytes(invented)))
    place = replace(decoy, chain=chain, inbox=inbox, bond_wei=0)
    venue = MemoryVenue(place, sender, honest.now_ns)
    venue.write(invented)
    await settlement_of(venue, rpc).settle_all()
    return chain


def test_deposits_through_a_vault_that_is_a_key_are_not_verified() -> None:
    async def story(url: str) -> tuple[bytes, bytes]:
        async with AsyncRpc(url) as rpc:
            honest = await MemoryVenue.deploy(rpc)
            chain = await invent_money(honest, rpc)
            return honest.deployment.chain, chain

    with DevelopmentChain.start() as running:
        honest, forged = asyncio.run(story(running.url))
        assert verdict(running, honest).verified
        report = verdict(running, forged)
    (finding,) = report.findings
    assert finding.kind is FindingKind.CONTRACT_FOREIGN
    assert "vault" in finding.note
    assert report.outcomes == {"APPLIED": 1}, "nothing else is wrong with it"


async def venue_of_a_key(honest: MemoryVenue) -> bytes:
    """Deploy contracts of ours whose inbox takes a key for its governor. Return the Chain."""
    sender, decoy = honest.sender, honest.deployment
    nonce = await sender.nonce()
    chain, vault = (created_address(sender.address, nonce + place) for place in (1, 2))
    inbox = await create(sender, "Inbox", ("address", "address"), vault, sender.address)
    root = State(decoy.genesis, decoy.chain_id, chain).root()
    fixed = (decoy.genesis, root, sender.address, inbox, 0, 600, bytes(20))
    assert await create(sender, "Chain", DEPLOYMENT, fixed) == chain
    tokens = [VaultToken(decoy.token, 1, 1)]
    assert await create(sender, "Vault", VAULT_TERMS, tokens, inbox, chain) == vault
    return chain


def test_a_governor_that_is_a_key_is_not_verified() -> None:
    async def story(url: str) -> bytes:
        async with AsyncRpc(url) as rpc:
            return await venue_of_a_key(await MemoryVenue.deploy(rpc))

    with DevelopmentChain.start() as running:
        report = verdict(running, asyncio.run(story(running.url)))
    (finding,) = report.findings
    assert finding.kind is FindingKind.CONTRACT_FOREIGN
    assert "governor" in finding.note
    assert report.governance is None, "there is no delay to show"


def root_of(genesis: bytes, chain_id: int, contract: bytes) -> bytes:
    return State(genesis, chain_id, contract).root()


@pytest.mark.parametrize("scale", [1, 10**10])
def test_a_vault_that_counts_a_token_otherwise_is_not_verified(scale: int) -> None:
    """A wei of ether counted as 1e-9 ether would make a fortune of dust."""
    weth = TokenTerms("WETH", 1, 9, 50_000, 10**15)

    async def story(url: str) -> tuple[bytes, bytes]:
        async with AsyncRpc(url) as rpc:
            honest = await MemoryVenue.deploy(rpc, (weth,))
            tokens = [VaultToken(t.address, t.scale, 1) for t in honest.deployment.tokens]
            tokens[1] = tokens[1]._replace(scale=scale)
            genesis, sender = honest.deployment.genesis, honest.sender
            other = await deploy(sender, genesis, root_of, sender.address, tokens=tokens)
            return honest.deployment.chain, other.chain

    with DevelopmentChain.start() as running:
        honest, forged = asyncio.run(story(running.url))
        assert verdict(running, honest).verified
        report = verdict(running, forged)
    (finding,) = report.findings
    assert finding.kind is FindingKind.CONTRACT_FOREIGN
    assert finding.note == (
        f"the vault counts WETH by {scale}: its contract has 18 decimals, genesis 9"
    )


def test_a_vault_without_a_token_of_genesis_is_not_verified() -> None:
    weth = TokenTerms("WETH", 1, 9, 50_000, 10**15)

    async def story(url: str) -> bytes:
        async with AsyncRpc(url) as rpc:
            honest = await MemoryVenue.deploy(rpc, (weth,))
            usdc = honest.deployment.tokens[0]
            genesis, sender = honest.deployment.genesis, honest.sender
            tokens = [VaultToken(usdc.address, 1, 1)]
            with pytest.raises(TokensMismatch, match="holds 1 tokens, genesis names 2"):
                await deploy(sender, genesis, root_of, sender.address, tokens=tokens)
            return created_address(sender.address, await sender.nonce() - 3)

    with DevelopmentChain.start() as running:
        report = verdict(running, asyncio.run(story(running.url)))
    assert [finding.note for finding in report.findings] == [
        "the vault holds 1 tokens, genesis names 2"
    ]


def test_known_code_is_that_of_the_compiled_contracts() -> None:
    tool = [sys.executable, str(ROOT / "tools/known_code.py"), "--check"]
    assert subprocess.run(tool, check=False).returncode == 0, "run tools/known_code.py"


@pytest.mark.parametrize(
    ("name", "known"),
    [("Chain", CHAIN), ("Inbox", INBOX), ("Vault", VAULT), ("Governor", GOVERNOR)],
)
def test_only_words_of_the_constructor_may_differ(name: str, known: ContractCode) -> None:
    code = bytearray(from_hex(artifact(name)["deployedBytecode"]["object"]))
    for start in known.immutables:
        code[start : start + 32] = b"\x07" * 32
    assert known.matches(bytes(code))
    assert not known.matches(bytes(code) + b"\0"), "longer"
    assert not known.matches(b""), "none"
    code[known.immutables[0] - 1] ^= 1
    assert not known.matches(bytes(code)), "another instruction"
