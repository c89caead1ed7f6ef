"""No input of clients makes an honest sequencer enter what is void.

The sequencer is the real one, over the kernel: its clients repeat messages, use nonces twice and in
any order, let messages expire, grant and revoke sessions, deal with each other.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.set_clock import SetClock

from proofbook.api.errors import Refused
from proofbook.api.signing import Key
from proofbook.kernel import Kernel
from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    BlockTrade,
    Cancel,
    CancelAll,
    Command,
    Deposit,
    GrantRequest,
    GrantSession,
    IndexObservation,
    IndexPrice,
    Leg,
    Place,
    RevokeRequest,
    RevokeSession,
    RfqQuote,
    SetPublisher,
    Tick,
    TraderCommand,
)
from proofbook.protocol.eip712 import command_digest, index_price_digest
from proofbook.protocol.entry import UNSIGNED
from proofbook.protocol.limits import NONCE_WINDOW, OutcomeKind, Side
from proofbook.sequencer.sequencer import Committed, Receipted, Sequencer
from proofbook.simulator.scene import SPOT_ATOMS, USDC, WIDEST_SCOPE, Scene, key_of
from proofbook.simulator.workload import address_of, compact_signature

NAMES = ("ann", "bob", "cid")
PHONES = ("phone", "watch")
"""Keys for sessions, of whichever account."""
MARK = 800_000
FAR_NS = 10**12
KINDS = (
    "place", "place", "post_only", "cancel", "cancel_all", "amend", "accept", "block", "grant",
    "revoke", "grant_request", "revoke_request", "set_publisher", "index", "deposit", "tick",
    "again", "again",
)  # fmt: skip


class Sent(NamedTuple):
    command: Command
    session: int
    signature: bytes


class Durable(NamedTuple):
    first_seq: int
    entry_hashes: Sequence[bytes]
    chain_hashes: Sequence[bytes]


class Memory:
    """A journal that forgets."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq

    async def append_group(
        self, entries: Sequence[bytes], expected_seq: int, mark: bytes
    ) -> Durable:
        self.last_seq += len(entries)
        hashes = [bytes(32)] * len(entries)
        return Durable(expected_seq, hashes, hashes)


class Clients:
    """Who sends what, drawn step by step."""

    def __init__(self, random: Random, scene: Scene) -> None:
        self.random = random
        self.scene = scene
        self.clock = SetClock(scene.window_ns + 1)
        self.nonces: Counter[tuple[str, int]] = Counter()
        self.publisher_version = 1
        self.sent: list[Sent] = []

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def head(self, name: str, key: str, session: int) -> tuple[int, int, int]:
        """Return account, a nonce near those of the key, and an end that may be near."""
        account = self.scene.accounts[name]
        first = self.scene.window_ns if session else 0
        step = self.pick(1, 1, 1, 1, 0, 2, -1, NONCE_WINDOW + 1)
        self.nonces[key, account] = max(1, self.nonces[key, account] + step)
        end_ns = self.clock.time_ns + self.pick(FAR_NS, FAR_NS, FAR_NS, 0, 2, 10)
        return account, first + self.nonces[key, account], end_ns

    def next(self) -> Sent:
        """Return what somebody sends: something new, or something old once more."""
        kind = self.pick(*KINDS)
        if kind == "again" and self.sent:
            return self.pick(*self.sent[-20:])
        name, session = self.pick(*NAMES), self.pick(0, 0, 0, 1, 2)
        key = self.pick(*PHONES) if session else name
        command = self.command(kind, name, key, session)
        signature = UNSIGNED
        if isinstance(command, TraderCommand):
            signature = self.sign(key, command)
        else:
            session = 0
        self.sent.append(Sent(command, session, signature))
        return self.sent[-1]

    def sign(self, key: str, signed: TraderCommand | RfqQuote) -> bytes:
        return compact_signature(key_of(key), command_digest(self.scene.separator, signed))

    def command(self, kind: str, name: str, key: str, session: int) -> Command:
        if kind in ("deposit", "grant_request", "revoke_request", "set_publisher", "index"):
            return self.unsigned(kind, name)
        if kind in ("tick", "again"):
            return Tick(self.scene.accounts[name])
        head = self.head(name, key, session)
        if kind in ("accept", "block"):
            return self.deal(kind, head)
        slot = self.pick(1, 2)
        return {
            "place": Place(*head, 1, self.pick(*Side), MARK, 1, max_fee_ppm=1_000),
            "post_only": Place(
                *head, 1, self.pick(*Side), MARK, 1, post_only=1, max_fee_ppm=1_000
            ),
            "cancel": Cancel(*head, order=self.pick(*range(8))),
            "cancel_all": CancelAll(*head),
            "amend": Amend(*head, self.pick(*range(8)), 0, 1),
            "grant": GrantSession(*head, slot, address_of(key_of(key)), **WIDEST_SCOPE),
            "revoke": RevokeSession(*head, slot),
        }[kind]  # fmt: skip

    def unsigned(self, kind: str, name: str) -> Command:
        account, owner = self.scene.accounts[name], address_of(key_of(name))
        if kind == "deposit":
            return Deposit(account, owner, 0, 0, 5)
        if kind == "grant_request":
            key = address_of(key_of(self.pick(*PHONES)))
            return GrantRequest(account, owner, self.pick(1, 2), key, **WIDEST_SCOPE)
        if kind == "revoke_request":
            return RevokeRequest(account, owner, self.pick(1, 2))
        if kind == "set_publisher":
            self.publisher_version += 1
            key = address_of(key_of(self.pick("publisher", "printer")))
            return SetPublisher(1, self.publisher_version, key)
        signer, now_ns = self.pick("publisher", "printer"), self.clock.time_ns
        digest = index_price_digest(self.scene.separator, 1, now_ns, SPOT_ATOMS)
        row = IndexObservation(1, SPOT_ATOMS, compact_signature(key_of(signer), digest))
        return IndexPrice(1, now_ns, (row,))

    def deal(self, kind: str, head: tuple[int, int, int]) -> Command:
        maker, session = self.pick(*NAMES), self.pick(0, 0, 1)
        key = self.pick(*PHONES) if session else maker
        account, nonce, end_ns = self.head(maker, key, session)
        legs = (Leg(1, 1, MARK),)
        if kind == "accept":
            quote = RfqQuote(account, nonce, end_ns, 0, 1_000, legs)
            return AcceptQuote(*head, 1_000, session, self.sign(key, quote), quote)
        terms = BlockTrade(*head, 1_000, account, nonce, session, bytes(64), legs)
        return replace(terms, maker_signature=self.sign(key, terms))


def venue(random: Random) -> tuple[Clients, Sequencer]:
    scene = Scene(Kernel)
    for name in NAMES:
        scene.deposit(name, 1_000_000 * USDC)
    scene.open_perpetual()
    for session, phone in enumerate(PHONES, 1):
        scene.owners[phone] = phone
        scene.grant(random.choice(NAMES), phone, session)
    clients = Clients(random, scene)
    for name in NAMES:
        clients.nonces[name, scene.accounts[name]] = scene.nonces.get(name, 0)
    journal = Memory(scene.engine.seq)
    sequencer = Sequencer(scene.engine, journal, clients.clock, Key(b"\x07" * 32), epoch=1)
    return clients, sequencer


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_no_input_of_clients_makes_an_entry_void(seed: int) -> None:
    asyncio.run(story(Random(seed)))


async def story(random: Random) -> None:
    clients, sequencer = venue(random)
    seen: list[Committed] = []
    sequencer.subscribe(seen.append)
    running = asyncio.create_task(sequencer.run())
    for _ in range(6):
        answers: list[asyncio.Future[Receipted]] = []
        for _ in range(random.randint(1, 14)):
            with contextlib.suppress(Refused):
                answers.append(sequencer.enqueue(*clients.next()))
            clients.clock.time_ns += clients.pick(0, 1, 1, 3)
        clients.clock.time_ns += clients.pick(0, 1, 20)
        for result in await asyncio.gather(*answers, return_exceptions=True):
            if isinstance(result, BaseException):
                assert isinstance(result, Refused), result
                assert result.reason != "ENTRY_VOID", result
    sequencer.stop()
    await running
    outcomes = [result.outcome for committed in seen for result in committed.results]
    assert not [outcome.name for outcome in outcomes if outcome.kind == OutcomeKind.VOID]
