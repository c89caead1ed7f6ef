"""Traders of a random stream: their keys, accounts, nonces and sessions, and how they sign."""

from dataclasses import dataclass, field, replace
from random import Random

from coincurve import PrivateKey

from proofbook.protocol.commands import AcceptQuote, BlockTrade, Command, TraderCommand
from proofbook.protocol.eip712 import command_digest, domain_separator
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Event, SessionGranted, SessionRevoked
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import FIRST_USER_ACCOUNT

CHAIN_ID = 31337
CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
GENESIS_NS = 1_767_225_600 * 10**9  # 2026-01-01
SESSION_KEYS = 8
SESSION_SHARE = 0.3


def compact_signature(key: PrivateKey, digest: bytes) -> bytes:
    """Return 64 bytes: r and, in the top bit of s, the recovery bit."""
    signature = key.sign_recoverable(digest, hasher=None)
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
    """Traders with the sessions that they granted; `observe_session` follows the events."""

    def __init__(self, seed: int, traders: int, hostile_share: float) -> None:
        self.random = Random(seed)
        self.hostile_share = hostile_share
        self.separator = domain_separator(CHAIN_ID, CONTRACT)
        self.traders = [self._trader() for _ in range(traders)]
        self.accounts: dict[int, Trader] = {}
        self.session_keys = {address_of(key): key for key in self._keys(SESSION_KEYS)}
        self.sessions: dict[int, dict[int, Session]] = {}
        self.window_ns = GENESIS_NS
        self.received_ns = GENESIS_NS

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

    def _signed(self, command: Command) -> Entry:
        """Stamp a command; a trader's is signed by its owner or in one of his sessions."""
        entry = Entry(self.window_ns, self.received_ns, command)
        if not isinstance(command, TraderCommand):
            return entry
        sessions = self.sessions.get(command.account, {})
        session, key = 0, self.accounts.get(command.account, self.traders[0]).key
        if sessions and self.random.random() < SESSION_SHARE:
            session = self.random.choice(list(sessions))
            key = sessions[session].key
            sessions[session].nonce += self.random.choice((1, 1, 1, 1, 0, 30))
            command = replace(command, nonce=sessions[session].nonce)
        elif self.random.random() < self.hostile_share / 10:
            session = 1
        if isinstance(command, AcceptQuote | BlockTrade):
            command = self._countersigned(command)
        separator = self.separator
        if self.random.random() < self.hostile_share / 10:
            separator = domain_separator(1, CONTRACT)
        signature = compact_signature(key, command_digest(separator, command))
        return replace(entry, command=command, session=session, signature=signature)

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
