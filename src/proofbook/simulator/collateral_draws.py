"""Draws about money: what comes in and goes out of each token, and what the governor says of it."""

from proofbook.protocol.commands import (
    BuyCollateral,
    Deposit,
    SettleVariation,
    SetToken,
    StartConversion,
    Transfer,
    Withdraw,
)
from proofbook.protocol.events import (
    ConversionEnded,
    ConversionStarted,
    Deposited,
    Event,
    InterestPaid,
    TokenChanged,
)
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, QUOTE_TOKEN
from proofbook.simulator.crowd import TOKENS, Crowd

TOKEN_NUMBERS = (QUOTE_TOKEN, 1, 2, 3)
TOKEN_WEIGHTS = (14, 3, 3, 0.3)
"""Mostly USDC; rarely a token that the venue does not take."""

DEPOSIT_POWERS = {QUOTE_TOKEN: (8, 12), 1: (5, 9), 2: (7, 11), 3: (0, 18)}
"""Between which powers of ten an amount lies."""


class CollateralDraws(Crowd):
    """A crowd whose money is of several tokens."""

    def observe_money(self, event: Event) -> None:
        """Learn accounts as they are made, and what is said of tokens."""
        if isinstance(event, Deposited) and event.is_new:
            owner = next((t for t in self.traders if t.owner == event.owner), None)
            if owner:
                self.accounts[event.account] = owner
            self.next_account = event.account + 1
        elif isinstance(event, TokenChanged):
            self.token_versions[event.token] = event.version

    def observe_debt(self, event: Event) -> None:
        """Remember who owed lately, and whose tokens are for sale."""
        if isinstance(event, InterestPaid) and event.account not in self.debtors:
            self.debtors.append(event.account)
        elif isinstance(event, ConversionStarted):
            self.conversions.add(event.account)
        elif isinstance(event, ConversionEnded):
            self.conversions.discard(event.account)

    def _debtor(self) -> int:
        accounts = [*self.debtors, *sorted(self.conversions)]
        if not accounts or self.random.random() < 0.1:
            return self._account()
        return self.random.choice(accounts)

    def _start_conversion(self) -> StartConversion:
        return StartConversion(self._debtor())

    def _settle_variation(self) -> SettleVariation:
        return SettleVariation(self._debtor())

    def _buy_collateral(self) -> BuyCollateral:
        """Buy of what is for sale, mostly from another owner and at any price."""
        target = self.random.choice(sorted(self.conversions) or [self._account()])
        token = self.random.choice((1, 1, 1, 2, 2, 2, 3))
        amount = int(10 ** self.random.uniform(2, 10))
        price = self.random.choice((AMOUNT_ATOMS_MAX, AMOUNT_ATOMS_MAX, 10**9))
        return BuyCollateral(*self.header(self._bidder(target)), target, token, amount, price)

    def _token(self) -> int:
        return self.random.choices(TOKEN_NUMBERS, TOKEN_WEIGHTS)[0]

    def _deposit(self) -> Deposit:
        trader = self.random.choice(self.traders)
        token = self._token()
        owned = [number for number, owner in self.accounts.items() if owner is trader]
        amount = int(10 ** self.random.uniform(*DEPOSIT_POWERS[token]))
        if owned and self.random.random() < 0.6:
            return Deposit(self.random.choice(owned), trader.owner, 0, token, amount)
        return Deposit(self.next_account, trader.owner, 0, token, amount)

    def _withdraw(self) -> Withdraw:
        amount = int(10 ** self.random.uniform(0, 12))
        return Withdraw(*self.header(), self._token(), self.random.randbytes(20), amount)

    def _transfer(self) -> Transfer:
        amount = int(10 ** self.random.uniform(0, 11))
        return Transfer(*self.header(), self._account(), self._token(), amount)

    def _set_token(self) -> SetToken:
        token = self.random.randint(1, len(TOKENS))
        terms = TOKENS[token - 1]
        haircut_ppm = self.random.choice((0, 50_000, 200_000, 1_000_000))
        cap_atoms = self.random.choice((terms.cap_atoms, terms.cap_atoms, terms.cap_atoms // 100))
        version = self._next_version(self.token_versions[token])
        return SetToken(token, version, haircut_ppm, cap_atoms)
