"""Tokens that the venue takes, as genesis and the governor say, and what accounts hold of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from proofbook.api.display import ATOM_DIGITS, decimal_text, usdc_text
from proofbook.api.schema import BalanceReply, SaleReply, TokenReply
from proofbook.protocol.engine import Engine
from proofbook.protocol.genesis import QUOTE_SYMBOL
from proofbook.protocol.limits import FRACTION_ONE_PPM, QUOTE_TOKEN, TOKENS_MAX, ArenaId
from proofbook.protocol.records import AccountRecord, GlobalRecord, TokenRecord, UnderlyingRecord

PPM_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Token:
    """A token by its number; USDC has neither record nor haircut."""

    number: int
    symbol: str
    decimals: int
    record: TokenRecord | None = None

    def text(self, atoms: int) -> str:
        """Return atoms of the venue as people write them."""
        return decimal_text(atoms, self.decimals)


USDC = Token(QUOTE_TOKEN, QUOTE_SYMBOL, ATOM_DIGITS)


def tokens_of(engine: Engine) -> Iterator[Token]:
    """Yield USDC and every token that genesis names."""
    yield USDC
    for number in range(1, TOKENS_MAX + 1):
        record = TokenRecord.unpack(engine.read(ArenaId.TOKENS, number))
        if record.version:
            yield Token(number, record.symbol.rstrip(b"\0").decode(), record.decimals, record)


def token_numbered(engine: Engine, number: int) -> Token | None:
    """Return a token, or None if the venue does not take it."""
    return next((token for token in tokens_of(engine) if token.number == number), None)


def token_replies(engine: Engine) -> list[TokenReply]:
    """Return what the interface says of each token."""
    return [_token_reply(engine, token) for token in tokens_of(engine)]


def _token_reply(engine: Engine, token: Token) -> TokenReply:
    if token.record is None:
        header = GlobalRecord.unpack(engine.read(ArenaId.GLOBAL, 0))
        return TokenReply(
            token=token.number,
            symbol=token.symbol,
            decimals=token.decimals,
            underlying=None,
            haircut="0",
            cap=None,
            custody=token.text(header.custody_atoms),
        )
    return TokenReply(
        token=token.number,
        symbol=token.symbol,
        decimals=token.decimals,
        underlying=_underlying(engine, token.record).symbol.rstrip(b"\0").decode(),
        haircut=decimal_text(token.record.haircut_ppm, PPM_DIGITS),
        cap=token.text(token.record.cap_atoms),
        custody=token.text(token.record.custody_atoms),
    )


def balance_replies(engine: Engine, account: AccountRecord) -> list[BalanceReply]:
    """Return what an account holds beside USDC, and what it counts for."""
    return [
        BalanceReply(
            token=token.number,
            symbol=token.symbol,
            amount=token.text(atoms),
            value=usdc_text(_value_atoms(engine, token.record, atoms)),
        )
        for token in tokens_of(engine)
        if token.record and (atoms := account.balances_atoms[token.number - 1])
    ]


def sale_reply(engine: Engine, account: int) -> SaleReply:
    """Return what is for sale of an account."""
    record = AccountRecord.unpack(engine.read(ArenaId.ACCOUNTS, account))
    return SaleReply(
        account=account,
        begun_ns=str(record.conversion_ns),
        debt=usdc_text(max(0, -record.cash_atoms)),
        tokens=balance_replies(engine, record),
    )


def collateral_atoms(engine: Engine, account: AccountRecord) -> int:
    """Return what an account's tokens count for in its equity, in quote atoms."""
    return sum(
        _value_atoms(engine, token.record, account.balances_atoms[token.number - 1])
        for token in tokens_of(engine)
        if token.record
    )


def _value_atoms(engine: Engine, record: TokenRecord, atoms: int) -> int:
    """Return what atoms of a token count for. Rounds down, as in `spec.collateral`."""
    index_atoms = _underlying(engine, record).index_atoms
    value_atoms = atoms * index_atoms // 10**record.decimals
    return value_atoms * (FRACTION_ONE_PPM - record.haircut_ppm) // FRACTION_ONE_PPM


def _underlying(engine: Engine, record: TokenRecord) -> UnderlyingRecord:
    return UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, record.underlying))
