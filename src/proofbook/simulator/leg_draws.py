"""Draws of what traders agree on outside the books: quotes on request and blocks."""

from dataclasses import dataclass

from proofbook.protocol.commands import AcceptQuote, BlockTrade, Leg, RfqQuote
from proofbook.protocol.entry import UNSIGNED
from proofbook.simulator.account_draws import AccountDraws

LEGS_DRAWN = (1, 1, 2, 2, 3, 4)
QUOTE_LOTS = (1, 2, 5, 30)
BLOCK_LOTS = (25, 30, 50, 50, 1)
ABSENT_INSTRUMENT = 99
MAX_FEES_PPM = (1_000, 1_000, 1_000, 450)


@dataclass(slots=True)
class Listed:
    """An instrument that the workload may trade; the mark is in atoms per lot, 0 until marked."""

    identifier: int
    underlying: int
    kind: int
    expiry: int
    strike_atoms: int
    tick_value_atoms: int
    expiry_ns: int
    mark_atoms: int = 0


class LegDraws(AccountDraws):
    """A crowd whose traders also deal with each other. The makers' signatures come last."""

    def __init__(self, seed: int, traders: int, hostile_share: float) -> None:
        super().__init__(seed, traders, hostile_share)
        self.instruments: dict[int, Listed] = {}

    def _accept_quote(self) -> AcceptQuote:
        """Return a quote and its acceptance, mostly by whom it is meant for."""
        account, nonce, expires_ns = self._header()
        taker = self.random.choice((0, account, account, account, self._account()))
        fee = self.random.choice(MAX_FEES_PPM)
        maker = self._header(self._other_account(account))
        quote = RfqQuote(*maker, taker, fee, self._legs(QUOTE_LOTS))
        return AcceptQuote(account, nonce, expires_ns, fee, 0, UNSIGNED, quote)

    def _block_trade(self) -> BlockTrade:
        """Return a block that mostly has the size of one."""
        account, nonce, expires_ns = self._header()
        maker, maker_nonce, _ = self._header(self._other_account(account))
        fee, legs = self.random.choice(MAX_FEES_PPM), self._legs(BLOCK_LOTS)
        return BlockTrade(account, nonce, expires_ns, fee, maker, maker_nonce, 0, UNSIGNED, legs)

    def _other_account(self, account: int) -> int:
        others = [number for number in self.accounts if number != account]
        if not others or self.random.random() < 0.03:
            return account
        return self.random.choice(others)

    def _legs(self, sizes: tuple[int, ...]) -> tuple[Leg, ...]:
        """Return legs near their marks, in either direction."""
        marked = [listed for listed in self.instruments.values() if listed.mark_atoms > 0]
        if not marked:
            return (Leg(ABSENT_INSTRUMENT, 1, 1),)
        chosen = self.random.sample(marked, min(len(marked), self.random.choice(LEGS_DRAWN)))
        legs: list[Leg] = []
        for listed in sorted(chosen, key=lambda listed: listed.identifier):
            fair_ticks = max(2, listed.mark_atoms // listed.tick_value_atoms)
            width = max(1, fair_ticks // 100)
            lots = self.random.choice(sizes) * self.random.choice((1, -1))
            price_ticks = fair_ticks + self.random.randint(-width, width)
            legs.append(Leg(listed.identifier, lots, price_ticks))
        return tuple(legs)
