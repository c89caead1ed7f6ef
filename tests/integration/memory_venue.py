"""A venue without sequencer or disk: a journal in memory, written by hand, on a local chain."""

from collections.abc import Sequence

from proofbook.api.signing import Key
from proofbook.chain.rpc import AsyncRpc
from proofbook.protocol.commands import Command, ListInstrument, Place, Remark, Tick, Withdraw
from proofbook.protocol.eip712 import command_digest, domain_separator
from proofbook.protocol.entry import UNSIGNED, Entry
from proofbook.protocol.genesis import Genesis, Terms, TokenTerms, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import NS_PER_SECOND, InstrumentKind, Side
from proofbook.protocol.outcomes import Outcome
from proofbook.risk.publishers import Publishers
from proofbook.settlement.deployment import Deployment, DeploymentTerms, deploy
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Sender
from proofbook.spec.transition import State

TERMS = Terms(100_000, 1_000_000, 100, 300)
GRID = UnderlyingGrid("BTC", 1, 1_000_000_000, TERMS, TERMS, Terms(100_000, 1_000_000))
FINALITY_SECONDS = 600
GOVERNANCE_DELAY_SECONDS = 900
USDC = 1_000_000
ALICE, PUBLISHER = Key(keccak(b"alice")), Key(keccak(b"publisher"))


class MemoryVenue:
    """Entries in a list, an engine that has applied them, and the contracts."""

    def __init__(self, deployment: Deployment, sender: Sender, now_ns: int) -> None:
        self.deployment = deployment
        self.sender = sender
        self.entries: list[bytes] = []
        self.engine = self.make_engine()
        self.now_ns = now_ns
        self.nonce = 0
        self.separator = domain_separator(deployment.chain_id, deployment.chain)

    @classmethod
    async def deploy(cls, rpc: AsyncRpc, tokens: tuple[TokenTerms, ...] = ()) -> "MemoryVenue":
        """Put the contracts on a fresh development chain."""
        chain_id = await rpc.chain_id()
        sender = Sender(rpc, DEVELOPMENT_KEYS[0], chain_id)
        block = await rpc.call("eth_getBlockByNumber", "latest", False)
        now_ns = int(block["timestamp"], 16) * NS_PER_SECOND
        publishers = (PUBLISHER.address,)
        genesis = Genesis(now_ns, bytes(20), bytes(20), publishers, (GRID,), tokens).encode()
        terms = DeploymentTerms(
            finality_window_seconds=FINALITY_SECONDS,
            governance_delay_seconds=GOVERNANCE_DELAY_SECONDS,
            proposers=(sender.address,),
        )
        deployment = await deploy(
            sender, genesis, lambda *place: State(*place).root(), sender.address, terms
        )
        return cls(deployment, sender, now_ns)

    def make_engine(self, _: int = 0) -> State:
        return State(self.deployment.genesis, self.deployment.chain_id, self.deployment.chain)

    def read(self, first_seq: int, max_entries: int) -> Sequence[bytes]:
        """What settlement sees of a journal."""
        return self.entries[first_seq - 1 : first_seq - 1 + max_entries]

    def inbox_position(self) -> int:
        return self.engine.world.header.inbox_position

    async def submit(self, command: Command) -> Outcome:
        """What the deposit watcher sees of a sequencer."""
        return self.write(command)

    def write(self, command: Command, key: Key | None = None, session: int = 0) -> Outcome:
        """Stamp, sign if a key is given, apply and journal a command."""
        self.now_ns += 1
        signature = key.sign(command_digest(self.separator, command)) if key else UNSIGNED
        return self.write_entry(Entry(self.now_ns, self.now_ns, command, session, signature))

    def write_entry(self, entry: Entry) -> Outcome:
        self.entries.append(entry.encode())
        return self.engine.apply([self.entries[-1]])[0].outcome

    def write_ticks(self, count: int) -> None:
        for _ in range(count):
            self.write(Tick())

    def list_perpetual(self) -> int:
        assert self.write(ListInstrument(1, InstrumentKind.PERPETUAL)).is_applied
        return instrument_id(1, 0)

    def mark_perpetual(self) -> None:
        """Publish an index and mark the perpetual at it."""
        publishers = Publishers.of_keys(self.separator, [PUBLISHER])
        for command in (publishers.index_price(1, self.now_ns, [80_000 * USDC]), Remark(1)):
            outcome = self.write(command)
            assert outcome.is_applied, outcome.name

    def order(self, account: int, price_ticks: int = 800_000) -> Place:
        """Return a command to buy one lot of the perpetual."""
        return Place(
            account, self._next_nonce(), self._expiry_ns(), instrument_id(1, 0), Side.BUY,
            price_ticks, 1, max_fee_ppm=1_000,
        )  # fmt: skip

    def withdraw(
        self, account: int, recipient: bytes, amount_atoms: int, token: int = 0
    ) -> Outcome:
        command = Withdraw(
            account, self._next_nonce(), self._expiry_ns(), token, recipient, amount_atoms
        )
        return self.write(command, ALICE)

    def _next_nonce(self) -> int:
        self.nonce += 1
        return self.nonce

    def _expiry_ns(self) -> int:
        return self.now_ns + 3600 * NS_PER_SECOND
