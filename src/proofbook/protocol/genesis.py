"""The canonical bytes from which state 0 is built, with chain id and contract address."""

from dataclasses import dataclass
from struct import Struct

from proofbook.protocol.codec import Malformed, Reader
from proofbook.protocol.limits import PROTOCOL_VERSION, PUBLISHERS_MAX, TOKENS_MAX
from proofbook.protocol.terms import (
    FIRST_MARGIN_TERMS,
    FIRST_PARAMETERS,
    TickTable,
    grid_flaw,
    pack_tick_table,
    publishers_flaw,
    read_tick_table,
)
from proofbook.protocol.terms import MarginParameters as MarginParameters
from proofbook.protocol.terms import MarginTerms as MarginTerms
from proofbook.protocol.terms import Terms as Terms
from proofbook.protocol.terms import TokenTerms as TokenTerms

HEAD = Struct("<IQ32s20s20s")
UNDERLYING = Struct("<8sIQ")
TOKEN = Struct("<8sIBIQ")
UNDERLYINGS_MAX = 32
QUOTE_SYMBOL, QUOTE_DECIMALS = "USDC", 6


@dataclass(frozen=True, slots=True)
class UnderlyingGrid:
    """What an underlying may list, and on which terms.

    `tick_table` holds pairs (from ticks, step) for options, ascending: from that premium on a limit
    is a multiple of the step. Below the first pair every tick is allowed.
    """

    symbol: str
    quorum: int
    strike_step_atoms: int
    perpetual: Terms
    future: Terms
    option: Terms
    tick_table: TickTable = ()
    margin: MarginTerms = FIRST_MARGIN_TERMS

    @property
    def terms(self) -> tuple[Terms, Terms, Terms]:
        return self.perpetual, self.future, self.option

    def require_sound(self, publishers: int) -> None:
        """Refuse a grid that is out of range. Raises Malformed."""
        for name, terms in zip(("perpetual", "future", "option"), self.terms, strict=True):
            _require(terms.flaw(), f"{self.symbol} {name}")
        flaw = grid_flaw(self.quorum, self.strike_step_atoms, self.tick_table)
        _require(flaw or self.margin.flaw(), self.symbol)
        if self.quorum > publishers:
            raise Malformed(f"{self.symbol}: quorum {self.quorum} of {publishers} publishers")


@dataclass(frozen=True, slots=True)
class Genesis:
    """Everything that state 0 holds beside the domain of its signatures."""

    genesis_ns: int
    fund_owner: bytes
    fee_owner: bytes
    publishers: tuple[bytes, ...]
    underlyings: tuple[UnderlyingGrid, ...]
    tokens: tuple[TokenTerms, ...] = ()
    parameters: MarginParameters = FIRST_PARAMETERS
    image_hash: bytes = bytes(32)
    protocol_version: int = PROTOCOL_VERSION

    @property
    def named_tokens(self) -> list[tuple[str, int]]:
        """Symbol and decimals of each token by its number, USDC first."""
        tokens = [(token.symbol, token.decimals) for token in self.tokens]
        return [(QUOTE_SYMBOL, QUOTE_DECIMALS), *tokens]

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        head = HEAD.pack(
            self.protocol_version, self.genesis_ns, self.image_hash, self.fund_owner, self.fee_owner
        )
        publishers = bytes((len(self.publishers),)) + b"".join(self.publishers)
        underlyings = bytes((len(self.underlyings),)) + b"".join(
            map(_pack_underlying, self.underlyings)
        )
        tokens = bytes((len(self.tokens),)) + b"".join(map(_pack_token, self.tokens))
        return head + self.parameters.pack() + publishers + underlyings + tokens

    @classmethod
    def decode(cls, data: bytes) -> "Genesis":
        """Return the genesis that exactly these bytes hold. Raises Malformed."""
        reader = Reader(data)
        version, genesis_ns, image_hash, fund_owner, fee_owner = HEAD.unpack(reader.take(HEAD.size))
        if version != PROTOCOL_VERSION:
            raise Malformed(f"protocol version {version}, this program speaks {PROTOCOL_VERSION}")
        parameters = MarginParameters.read(reader)
        publishers = tuple(reader.take(20) for _ in range(reader.count(PUBLISHERS_MAX)))
        underlyings = tuple(_read_underlying(reader) for _ in range(reader.count(UNDERLYINGS_MAX)))
        tokens = tuple(_read_token(reader) for _ in range(reader.count(TOKENS_MAX)))
        if reader.offset != len(data):
            raise Malformed(f"{len(data) - reader.offset} bytes after the genesis")
        genesis = cls(
            genesis_ns, fund_owner, fee_owner, publishers, underlyings, tokens, parameters,
            image_hash,
        )  # fmt: skip
        genesis.require_sound()
        return genesis

    def require_sound(self) -> None:
        """Refuse values with which the state machine could overflow or divide inexactly.

        Raises Malformed.
        """
        _require(self.parameters.flaw(), "genesis")
        if not self.publishers or not self.underlyings:
            raise Malformed("no publishers or no underlyings")
        _require(publishers_flaw(self.publishers), "publishers")
        for grid in self.underlyings:
            grid.require_sound(len(self.publishers))
        for token in self.tokens:
            _require(token.flaw(len(self.underlyings)), token.symbol)
        symbols = {QUOTE_SYMBOL, *(token.symbol for token in self.tokens)}
        if len(symbols) <= len(self.tokens):
            raise Malformed("one symbol for two tokens")


def _require(flaw: str | None, what: str) -> None:
    """Refuse what has a flaw. Raises Malformed."""
    if flaw is not None:
        raise Malformed(f"{what}: {flaw}")


def _pack_underlying(u: UnderlyingGrid) -> bytes:
    head = UNDERLYING.pack(u.symbol.encode().ljust(8, b"\0"), u.quorum, u.strike_step_atoms)
    terms = b"".join(terms.pack() for terms in u.terms)
    return head + terms + pack_tick_table(u.tick_table) + u.margin.pack()


def _read_underlying(reader: Reader) -> UnderlyingGrid:
    symbol, quorum, step = UNDERLYING.unpack(reader.take(UNDERLYING.size))
    perpetual, future, option = (Terms.read(reader) for _ in range(3))
    table = read_tick_table(reader)
    margin = MarginTerms.read(reader)
    return UnderlyingGrid(_symbol(symbol), quorum, step, perpetual, future, option, table, margin)


def _pack_token(t: TokenTerms) -> bytes:
    symbol = t.symbol.encode().ljust(8, b"\0")
    return TOKEN.pack(symbol, t.underlying, t.decimals, t.haircut_ppm, t.cap_atoms)


def _read_token(reader: Reader) -> TokenTerms:
    symbol, *numbers = TOKEN.unpack(reader.take(TOKEN.size))
    return TokenTerms(_symbol(symbol), *numbers)


def _symbol(data: bytes) -> str:
    text = data.rstrip(b"\0")
    if not text.isalnum() or not text.isupper():
        raise Malformed(f"symbol {data!r} is not made of capital letters and digits")
    return text.decode()
