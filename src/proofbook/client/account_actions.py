"""What a trader does with money, positions and sessions."""

from collections.abc import Sequence

from proofbook.api.actions import ALL_MARKETS, ReceiptedReply, SubmitReply, WithdrawReply
from proofbook.api.convert import action_mask, hex_text
from proofbook.api.display import token_atoms, usdc_atoms
from proofbook.api.schema import ActionName
from proofbook.client.signer import Signer
from proofbook.client.steps import lots_of
from proofbook.protocol.commands import (
    BuyCollateral,
    GrantSession,
    PositionTransfer,
    RevokeSession,
    Transfer,
    Withdraw,
)
from proofbook.protocol.genesis import QUOTE_SYMBOL
from proofbook.protocol.limits import INDEX_ATOMS_MAX


class AccountActions(Signer):
    """Moves what one account holds, and says who else may act for it."""

    async def withdraw(
        self, amount: str, recipient: bytes | None = None, token: str = QUOTE_SYMBOL
    ) -> WithdrawReply:
        """Withdraw a token to an address, by default the key's own. Units  whole tokens.

        Raises TokenUnknown.
        """
        target = self.key.address if recipient is None else recipient
        row = self.client.token(token)
        atoms = token_atoms(amount, row.decimals)
        command = Withdraw(*self.head(), row.token, target, atoms)
        params = {"amount": amount, "recipient": hex_text(target), "token": row.token}
        return await self.act("withdraw", command, params, WithdrawReply)

    async def transfer(
        self, recipient: int, amount: str, token: str = QUOTE_SYMBOL
    ) -> ReceiptedReply:
        """Move money to another account. Units  whole tokens. Raises TokenUnknown."""
        row = self.client.token(token)
        atoms = token_atoms(amount, row.decimals)
        command = Transfer(*self.head(), recipient, row.token, atoms)
        params = {"recipient": recipient, "amount": amount, "token": row.token}
        return await self.act("transfer", command, params, ReceiptedReply)

    async def buy_collateral(
        self, target: int, amount: str, token: str, price_max: str | None = None
    ) -> SubmitReply:
        """Buy of a token that is for sale, at most what repays its account's debt.

        Units   amount in whole tokens; price_max in USDC a token, None for any: never more than its
                index.
        Raises  TokenUnknown.
        """
        row = self.client.token(token)
        atoms = token_atoms(amount, row.decimals)
        limit_atoms = INDEX_ATOMS_MAX if price_max is None else usdc_atoms(price_max)
        command = BuyCollateral(*self.head(), target, row.token, atoms, limit_atoms)
        return await self.submit(command)

    async def position_transfer(
        self, recipient: int, instrument: str, amount: str
    ) -> ReceiptedReply:
        """Move a position, or part of one, to another account of the owner, at the mark."""
        row = self.client.instruments[instrument]
        command = PositionTransfer(*self.head(), recipient, row.instrument, lots_of(amount, row))
        params = {"recipient": recipient, "instrument": instrument, "amount": amount}
        return await self.act("position_transfer", command, params, ReceiptedReply)

    async def grant_session(
        self,
        slot: int,
        key: bytes,
        actions: Sequence[ActionName],
        expires_ns: int,
        *,
        markets: int = int(ALL_MARKETS),
        notional_cap: str = "0",
    ) -> ReceiptedReply:
        """Let a key act for the account from a slot of its own, 1 to 7, until `expires_ns`.

        Bit n of `markets` stands for underlying n. A cap of "0" is none.
        Units notional_cap in USDC.
        """
        command = GrantSession(
            *self.head(),
            session=slot,
            key=key,
            actions=action_mask(actions),
            markets=markets,
            notional_cap_atoms=usdc_atoms(notional_cap),
            session_expires_ns=expires_ns,
        )
        params = {
            "slot": slot,
            "key": hex_text(key),
            "actions": list(actions),
            "markets": str(markets),
            "notional_cap": notional_cap,
            "session_expires_ns": str(expires_ns),
        }
        return await self.act("grant_session", command, params, ReceiptedReply)

    async def revoke_session(self, slot: int) -> ReceiptedReply:
        """End the session of a slot."""
        command = RevokeSession(*self.head(), session=slot)
        return await self.act("revoke_session", command, {"slot": slot}, ReceiptedReply)
