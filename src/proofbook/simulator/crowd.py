"""Traders of a random stream: their keys, accounts, nonces and sessions, and how they sign."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from coincurve import PrivateKey

from proofbook.protocol.commands import AcceptQuote, BlockTrade, Command, TraderCommand
from proofbook.protocol.eip712 import command_digest, domain_separator
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Event, SessionGranted, SessionRevoked
from proofbook.protocol.genesis import TokenTerms, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import FIRST_USER_ACCOUNT
from proofbook.simulator.listed import Listed

CHAIN_ID = 31337
CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
GENESIS_NS = 1_767_225_600 * 10**9  # 2026-01-01
SESSION_KEYS = 8
SESSION_SHARE = 0.3
PUBLISHERS_FIRST = 3
PUBLISHER_KEYS = 12
SPOT_ATOMS = (88_000_000_000, 3_000_000_000)
TOKENS = (
    TokenTerms("WBTC", 1, 8, 50_000, 10**12),
    TokenTerms("WETH", 2, 9, 50_000, 10**15),
)
DEBTORS = 8
"""So many accounts that have lately paid interest are remembered."""

WEAK_ACCOUNTS = 8
SETTLED_KEPT = 20


def compact_signature(key: PrivateKey, digest: bytes) -> bytes:
    """Return 64 bytes: r and, in the top bit of s, the recovery bit."""
    signature = key.sign_recoverable(  # pyright: ignore[reportUnknownMemberType]
        digest, hasher=None
    )
    head = signature[32] | signature[64] << 7
    return signature[:32] + bytes((head,)) + signature[33:64]


def address_of(key: PrivateKey) -> bytes:
    return keccak(key.public_key.format(compressed=False)[1:])[12:]


@dataclass(slots=True)
class Trader:
    """An owner with his accounts' numbers and last nonces."""

    key: PrivateKey
    owner: bytes
    nonces: dict[int, int] = field(default_factory=dict[int, int])


@dataclass(slots=True)
class Session:
    """A key that may sign for an account, and its last nonce."""

    key: PrivateKey
    nonce: int


class Crowd:
    """Traders with the sessions that they granted, and all that a stream knows of its venue.

    The draws of each kind of command are a class of their own on top of this, and what several of
    them look up is here; only the passing of an expiry is made of others' draws, prices and
    liquidations. `Workload` puts all together. The order in which random numbers are taken, here
    too, is what a seed means.
    """

    def __init__(
        self, seed: int, traders: int, hostile_share: float, grids: tuple[UnderlyingGrid, ...]
    ) -> None:
        self.random = Random(seed)
        self.grids = grids
        self.hostile_share = hostile_share
        self.separator = domain_separator(CHAIN_ID, CONTRACT)
        self.traders = [self._trader() for _ in range(traders)]
        self.accounts: dict[int, Trader] = {}
        self.session_keys = {address_of(key): key for key in self._keys(SESSION_KEYS)}
        self.sessions: dict[int, dict[int, Session]] = {}
        self.window_ns = GENESIS_NS
        self.received_ns = GENESIS_NS
        self._know_publishers(self._keys(PUBLISHER_KEYS))
        self._know_money()
        self._know_books()

    def _know_publishers(self, keys: list[PrivateKey]) -> None:
        """Begin with the first publishers, and the first version of all that a governor sets."""
        self.publisher_keys = {address_of(key): key for key in keys}
        self.publishers: dict[int, PrivateKey] = dict(enumerate(keys[:PUBLISHERS_FIRST], 1))
        self.publisher_versions = Counter(dict.fromkeys(self.publishers, 1))
        self.terms_versions = Counter(dict.fromkeys(range(1, len(self.grids) + 1), 1))
        self.token_versions = Counter(dict.fromkeys(range(1, len(TOKENS) + 1), 1))
        self.schedule_versions: dict[int, int] = {}
        self.parameters_version = 1
        self.spot: list[int] = list(SPOT_ATOMS)
        self.published_ns = 0

    def _know_money(self) -> None:
        """Begin without accounts: nobody holds, owes, is weak or is sold up."""
        self.next_account = FIRST_USER_ACCOUNT
        self.held_lots: Counter[tuple[int, int]] = Counter()
        self.debtors: deque[int] = deque(maxlen=DEBTORS)
        self.conversions: set[int] = set()
        self.weak: deque[int] = deque(maxlen=WEAK_ACCOUNTS)
        self.auctions: set[int] = set()
        self.lapsed: set[int] = set()
        self.deleveraged: dict[int, int] = {}

    def _know_books(self) -> None:
        """Begin without instruments, on no way through an expiry or a crash."""
        self.instruments: dict[int, Listed] = {}
        self.expiries: dict[int, dict[int, int]] = {
            place + 1: {} for place in range(len(self.grids))
        }
        self.ended: set[int] = set()
        self.shut: set[int] = set()
        self.settled: deque[int] = deque(maxlen=SETTLED_KEPT)
        self.script: deque[tuple[int, Callable[[], Command]]] = deque()
        self.passings = 0

    def observe_session(self, event: Event) -> None:
        """Learn which keys an account has; one that a spoiled request granted is nobody's."""
        if not isinstance(event, SessionGranted | SessionRevoked):
            return
        sessions = self.sessions.setdefault(event.account, {})
        if isinstance(event, SessionGranted) and event.key in self.session_keys:
            sessions[event.session] = Session(self.session_keys[event.key], event.nonce_floor)
        else:
            sessions.pop(event.session, None)

    def _key(self) -> PrivateKey:
        return PrivateKey(self.random.randbytes(32))

    def _keys(self, count: int) -> list[PrivateKey]:
        return [self._key() for _ in range(count)]

    def _trader(self) -> Trader:
        key = self._key()
        return Trader(key, address_of(key))

    def header(self, account: int | None = None) -> tuple[int, int, int]:
        """Return account, nonce and expiry; nonces mostly rise and sometimes fall back."""
        number = self._account() if account is None else account
        trader = self.accounts.get(number)
        last = trader.nonces.get(number, 0) if trader else 0
        nonce = max(1, last + self.random.choice((1, 1, 1, 1, 1, 2, 3, -2, 40)))
        if trader:
            trader.nonces[number] = max(last, nonce)
        return number, nonce, self.window_ns + self.random.randrange(10**9)

    def _account(self) -> int:
        return self.random.choice(list(self.accounts)) if self.accounts else FIRST_USER_ACCOUNT

    def _bidder(self, target: int) -> int:
        """Return an account of another owner, mostly."""
        owner = self.accounts.get(target)
        others = [number for number, trader in self.accounts.items() if trader is not owner]
        return self.random.choice(others) if others else self._account()

    def _next_version(self, version: int) -> int:
        return version + self.random.choices((1, 0, 2), (18, 1, 1))[0]

    def _signed(self, command: Command) -> Entry:
        """Stamp a command; a trader's is signed by its owner or in one of his sessions."""
        entry = Entry(self.window_ns, self.received_ns, command)
        if not isinstance(command, TraderCommand):
            return entry
        signed: Any = command
        sessions = self.sessions.get(command.account, {})
        session, key = 0, self.accounts.get(command.account, self.traders[0]).key
        if sessions and self.random.random() < SESSION_SHARE:
            session = self.random.choice(list(sessions))
            key = sessions[session].key
            sessions[session].nonce += self.random.choice((1, 1, 1, 1, 0, 30))
            signed = replace(signed, nonce=sessions[session].nonce)
        elif self.random.random() < self.hostile_share / 10:
            session = 1
        if isinstance(command, AcceptQuote | BlockTrade):
            signed = self._countersigned(signed)
        separator = self.separator
        if self.random.random() < self.hostile_share / 10:
            separator = domain_separator(1, CONTRACT)
        signature = compact_signature(key, command_digest(separator, signed))
        return replace(entry, command=signed, session=session, signature=signature)

    def _countersigned(self, command: AcceptQuote | BlockTrade) -> AcceptQuote | BlockTrade:
        """Add the signature of the maker whom a command names, or of one of his sessions."""
        number = command.maker.account
        sessions = self.sessions.get(number, {})
        session, nonce = command.maker.session, command.maker.nonce
        key = self.accounts.get(number, self.traders[-1]).key
        if sessions and self.random.random() < SESSION_SHARE:
            session = self.random.choice(list(sessions))
            key = sessions[session].key
            sessions[session].nonce += 1
            nonce = sessions[session].nonce
        if isinstance(command, AcceptQuote):
            quote = replace(command.quote, nonce=nonce)
            command = replace(command, quote=quote, maker_session=session)
        else:
            command = replace(command, maker_nonce=nonce, maker_session=session)
        signature = compact_signature(key, command_digest(self.separator, command.maker.signed))
        return replace(command, maker_signature=signature)
