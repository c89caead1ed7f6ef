"""The actions of one account: signed here, receipted by the venue, receipts checked and kept."""

from proofbook.api.schema import AccountReply
from proofbook.client.account_actions import AccountActions
from proofbook.client.deal_actions import DealActions
from proofbook.client.order_actions import OrderActions


class Trader(OrderActions, DealActions, AccountActions):
    """Acts for one session of one account. `receipts` keeps the last valid ones, by seq."""

    async def state(self) -> AccountReply:
        """Return cash, positions and open orders."""
        return await self.client.account(self.account)
