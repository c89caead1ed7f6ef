"""The tokens of a venue: as genesis counts them, and as their contracts do."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from proofbook.chain.contracts import VaultToken
from proofbook.protocol.genesis import Genesis
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, QUOTE_TOKEN
from proofbook.settlement.errors import AmountNotWhole, TokenNotFound, TokensMismatch

DEVELOPMENT_DECIMALS = {"WETH": 18}
"""On chain, of tokens that have more decimals there than the venue counts."""

FIRST_DEPOSIT_SHARE = 1_000
"""A first deposit is at least a thousandth of a token: an account takes room in the state."""


@dataclass(frozen=True)
class CustodyToken:
    """A token that the vault holds; one atom of the venue is `scale` of the contract's."""

    number: int
    symbol: str
    decimals: int
    address: bytes
    scale: int

    def atoms(self, amount: Decimal) -> int:
        """Return an amount in atoms of the venue. Raises AmountNotWhole."""
        atoms = amount.scaleb(self.decimals) if amount.is_finite() else Decimal(0)
        if not 0 < atoms <= AMOUNT_ATOMS_MAX or atoms != int(atoms):
            raise AmountNotWhole(amount, self.symbol, self.decimals)
        return int(atoms)

    def text(self, atoms: int) -> str:
        """Return atoms of the venue as people write them."""
        return f"{Decimal(atoms).scaleb(-self.decimals).normalize():f} {self.symbol}"


def custody_tokens(genesis: bytes, held: Sequence[VaultToken]) -> tuple[CustodyToken, ...]:
    """Return the tokens of a vault as genesis names them. Raises TokensMismatch."""
    named = Genesis.decode(genesis).named_tokens
    if len(named) != len(held):
        raise TokensMismatch(len(held), len(named))
    return tuple(
        CustodyToken(number, symbol, decimals, row.address, row.scale)
        for number, ((symbol, decimals), row) in enumerate(zip(named, held, strict=True))
    )


def token_called(tokens: Sequence[CustodyToken], symbol: str) -> CustodyToken:
    """Return the token with a symbol. Raises TokenNotFound."""
    for token in tokens:
        if token.symbol == symbol:
            return token
    raise TokenNotFound(symbol, [token.symbol for token in tokens])


def development_decimals(number: int, symbol: str, decimals: int) -> int:
    """Return the decimals of the contract that stands for a token on a development chain."""
    return decimals if number == QUOTE_TOKEN else DEVELOPMENT_DECIMALS.get(symbol, decimals)
