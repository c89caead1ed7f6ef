"""An operator that lies on chain: an adversary for demonstrations and tests.

It deploys a venue of its own, posts an honest beginning, and then one lie. Whoever verifies it
knows nothing but the address of its Chain contract.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from proofbook.api.signing import Key
from proofbook.chain.contracts import CLAIM
from proofbook.chain.rpc import AsyncRpc
from proofbook.protocol.commands import Command, Deposit, ListInstrument, Place, Remark
from proofbook.protocol.eip712 import command_digest, domain_separator
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import UNSIGNED, Entry
from proofbook.protocol.genesis import Genesis, Terms, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import NS_PER_SECOND, InstrumentKind, Side, Void
from proofbook.protocol.outcomes import Outcome
from proofbook.risk.publishers import Publishers
from proofbook.settlement.appends import read_position, send_append
from proofbook.settlement.deployment import Deployment, DeploymentTerms, deploy
from proofbook.settlement.deposits import deposit, mint_and_approve
from proofbook.settlement.transactions import Sender

MakeEngine = Callable[[bytes, int, bytes], Engine]
"""(genesis, chain id, address of Chain) → a state machine at genesis."""

TERMS = Terms(100_000, 1_000_000, 100, 300)
GRID = UnderlyingGrid("BTC", 1, 1_000_000_000, TERMS, TERMS, Terms(100_000, 1_000_000))
INDEX_ATOMS = 88_500_000_000
PRICE_TICKS = INDEX_ATOMS // TERMS.tick_atoms
DEPOSIT_ATOMS = 100_000_000_000
FEE_PPM_MAX = 1_000
PERPETUAL = instrument_id(1, 0)

PUBLISHER, SELLER, BUYER = (Key(keccak(name)) for name in (b"publisher", b"seller", b"buyer"))


class Lie(StrEnum):
    """What the operator lies about."""

    CHANGED_ORDER = "changed_order"  # an order's size is another than the one that was signed
    WRONG_ROOT = "wrong_root"  # a checkpoint root is not that of the entries before it


async def post_lie(sender: Sender, make_engine: MakeEngine, lie: Lie) -> Deployment:
    """Deploy a venue, post an honest batch and a batch with the lie; return where.

    Raises SettlementFault, ChainFault.
    """
    now_ns = await _chain_time_ns(sender.rpc)
    genesis = Genesis(
        now_ns, sender.address, sender.address, (PUBLISHER.address,), (GRID,)
    ).encode()
    deployment = await deploy(
        sender,
        genesis,
        lambda data, chain_id, chain: make_engine(data, chain_id, chain).root(),
        operator=sender.address,
        terms=DeploymentTerms(finality_window_seconds=3600),
    )
    engine = make_engine(genesis, deployment.chain_id, deployment.chain)
    operator = LyingOperator(sender, deployment, engine, now_ns)
    await operator.open_market()
    await operator.post_batch()
    if lie is Lie.CHANGED_ORDER:
        operator.place(SELLER, Side.SELL, 10)
        operator.place_changed(BUYER, Side.BUY, 10)
        await operator.post_batch()
    else:
        operator.place(SELLER, Side.SELL, 10)
        operator.place(BUYER, Side.BUY, 10)
        await operator.post_batch(is_root_wrong=True)
    return deployment


class LyingOperator:
    """Writes a journal by hand and posts it; only what the caller wants to be wrong is wrong."""

    def __init__(self, sender: Sender, deployment: Deployment, engine: Engine, now_ns: int) -> None:
        self._sender = sender
        self._deployment = deployment
        self._engine = engine
        self._now_ns = now_ns
        self._separator = domain_separator(deployment.chain_id, deployment.chain)
        self._accounts: dict[Key, int] = {}
        self._nonces: dict[Key, int] = {}
        self._unposted: list[bytes] = []

    async def open_market(self) -> None:
        """Fund two traders through the vault, list a perpetual and mark it."""
        await mint_and_approve(self._sender, self._deployment, 2 * DEPOSIT_ATOMS)
        for trader in (SELLER, BUYER):
            made = await deposit(self._sender, self._deployment, trader.address, 0, DEPOSIT_ATOMS)
            self._accounts[trader] = made.account
            self._write_sound(Deposit(made.account, trader.address, 0, 0, DEPOSIT_ATOMS))
        self._write_sound(ListInstrument(1, InstrumentKind.PERPETUAL))
        publishers = Publishers.of_keys(self._separator, (PUBLISHER,))
        self._write_sound(publishers.index_price(1, self._now_ns, [INDEX_ATOMS]))
        self._write_sound(Remark(1))

    def write(self, command: Command, signature: bytes = UNSIGNED) -> Outcome:
        """Put a command into the journal, in a window of its own; return what becomes of it."""
        self._now_ns += 1
        entry = Entry(self._now_ns, self._now_ns, command, 0, signature).encode()
        (result,) = self._engine.apply([entry])
        self._unposted.append(entry)
        return result.outcome

    def place(self, trader: Key, side: Side, lots: int) -> None:
        """Write an order as its trader signed it."""
        command = self._order(trader, side, lots)
        self._write_sound(command, trader.sign(command_digest(self._separator, command)))

    def place_changed(self, trader: Key, side: Side, lots: int) -> None:
        """Write an order that is ten times as large as the one that its trader signed."""
        command = self._order(trader, side, lots)
        signature = trader.sign(command_digest(self._separator, command))
        outcome = self.write(replace(command, lots=10 * lots), signature)
        assert outcome == Outcome.void(Void.SIGNER_MISMATCH), outcome.name

    async def post_batch(self, is_root_wrong: bool = False) -> None:
        """Append what was written and claim its root, or one that differs in a bit."""
        position = await read_position(self._sender.rpc, self._deployment, self._sender)
        await send_append(self._sender, self._deployment, position, self._unposted)
        self._unposted = []
        root = self._engine.root()
        claimed = bytes((root[0] ^ is_root_wrong,)) + root[1:]
        call = CLAIM.encode(1, [claimed])
        await self._sender.send(self._deployment.chain, call, self._deployment.bond_wei)

    def _write_sound(self, command: Command, signature: bytes = UNSIGNED) -> None:
        outcome = self.write(command, signature)
        assert outcome.is_applied, f"{command.TAG.name}: {outcome.name}"

    def _order(self, trader: Key, side: Side, lots: int) -> Place:
        self._nonces[trader] = nonce = self._nonces.get(trader, 0) + 1
        return Place(
            account=self._accounts[trader],
            nonce=nonce,
            expires_ns=self._now_ns + 3600 * NS_PER_SECOND,
            instrument=PERPETUAL,
            side=side,
            price_ticks=PRICE_TICKS,
            lots=lots,
            max_fee_ppm=FEE_PPM_MAX,
        )


async def _chain_time_ns(rpc: AsyncRpc) -> int:
    block = await rpc.call("eth_getBlockByNumber", "latest", False)
    return int(block["timestamp"], 16) * NS_PER_SECOND
