"""A buyer of tokens that pay for debts: whoever waits for a discount gets it, if nobody is quicker.

The price of a sale falls from the index. The buyer names the limit that he wants; a sale that is
dearer is refused, and tried again.
"""

import asyncio
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from proofbook.api.actions import SubmitReply
from proofbook.api.errors import ApiError
from proofbook.api.schema import BalanceReply, SaleReply, TokenReply
from proofbook.client import Trader

LOOK_SECONDS = 1.0
PRICE_STEP = Decimal("0.000001")
"""An atom of USDC."""


class CollateralBuyer:
    """Buys at `discount` below the index or cheaper, for at most a share of the account's cash."""

    def __init__(
        self,
        trader: Trader,
        discount: float,
        share: float,
        tell: Callable[[SubmitReply], None],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._trader = trader
        self._part = 1 - Decimal(str(discount))
        self._share = Decimal(str(share))
        self._tell = tell
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Look again and again, until cancelled. Raises ConnectionLost, ReceiptInvalid."""
        while True:
            for sale in await self._trader.client.sales():
                for token in sale.tokens:
                    await self._buy(sale, token)
            await asyncio.sleep(self._look_seconds)

    async def _buy(self, sale: SaleReply, balance: BalanceReply) -> None:
        """Try to buy of one token; whatever is refused may be cheaper at the next look."""
        row = self._trader.client.token(balance.symbol)
        limit = (self._index(balance, row) * self._part).quantize(PRICE_STEP, ROUND_DOWN)
        if sale.account == self._trader.account or limit <= 0:
            return
        spendable = max(Decimal(0), Decimal((await self._trader.state()).cash)) * self._share
        affordable = (spendable / limit).quantize(Decimal(1).scaleb(-row.decimals), ROUND_DOWN)
        amount = min(Decimal(balance.amount), affordable)
        if amount <= 0:
            return
        try:
            reply = await self._trader.buy_collateral(
                sale.account, f"{amount:f}", balance.symbol, f"{limit:f}"
            )
        except ApiError:
            return
        self._tell(reply)

    def _index(self, balance: BalanceReply, row: TokenReply) -> Decimal:
        """Return the index of a token: what a balance counts for, with the haircut added back."""
        counted = Decimal(balance.amount) * (1 - Decimal(row.haircut))
        return Decimal(balance.value) / counted if counted > 0 else Decimal(0)
