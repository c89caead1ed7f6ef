"""The actions of one account: signed here, receipted by the venue, receipts checked and kept."""

import time
from collections.abc import Sequence
from struct import error as PackingError
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from proofbook.api.convert import action_mask, from_hex, hex_text, receipt_from_reply
from proofbook.api.display import (
    NANO_DIGITS,
    amount_lots,
    position_lots,
    price_ticks,
    steps_exact,
    usdc_atoms,
)
from proofbook.api.receipts import Receipt, names_entry, verify
from proofbook.api.schema import (
    ALL_MARKETS,
    AccountReply,
    ActionName,
    InstrumentReply,
    OrderTypeName,
    PlaceReply,
    ReceiptedReply,
    ReceiptReply,
    SelfTradePreventionName,
    SideName,
    TimeInForceName,
    WithdrawReply,
)
from proofbook.api.signing import Key
from proofbook.client.connection import Refusal, api_error
from proofbook.client.errors import NotEncodable, ReceiptInvalid, Rejected
from proofbook.protocol.commands import (
    Cancel,
    CancelAll,
    GrantSession,
    Place,
    PositionTransfer,
    RevokeSession,
    TraderCommand,
    Transfer,
    Withdraw,
)
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.limits import (
    NS_PER_SECOND,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from proofbook.client.client import Client

EXPIRES_AFTER_NS = 60 * NS_PER_SECOND
"""How long a message stays valid: longer than a slow venue takes, short enough to be forgotten."""
LABEL_BYTES = 8

Reply = TypeVar("Reply", PlaceReply, ReceiptedReply, WithdrawReply)


class Nonces:
    """Nonces that rise: the current millisecond, or one more than the last."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last = max(time.time_ns() // 1_000_000, self._last + 1)
        return self._last


class Trader:
    """Signs for one session of one account. `receipts` keeps every valid receipt, by seq."""

    def __init__(self, client: "Client", key: Key, account: int, session: int = 0) -> None:
        self.client = client
        self.key = key
        self.account = account
        self.session = session
        self.receipts: dict[int, Receipt] = {}
        self._nonces = Nonces()

    async def state(self) -> AccountReply:
        """Return cash, positions and open orders."""
        return await self.client.account(self.account)

    async def place(
        self,
        instrument: str,
        side: SideName,
        price: str,
        amount: str,
        *,
        time_in_force: TimeInForceName = "good_till_cancelled",
        post_only: bool = False,
        reduce_only: bool = False,
        max_fee_ppm: int | None = None,
        label: str = "",
        order_type: OrderTypeName = "limit",
        self_trade_prevention: SelfTradePreventionName = "cancel_maker",
        group: int = 0,
        expires_ns: int | None = None,
    ) -> PlaceReply:
        """Place an order; the default fee limit is what the instrument charges.

        The price of a market order is the worst that is taken. `expires_ns` ends a good-till-time
        order; for all others it bounds the message, by default shortly.
        Units  price in USDC per unit, amount in units of the underlying.
        Raises OffStep, OutOfRange, NotEncodable, ApiError (Rejected with a receipt),
        ReceiptInvalid, ConnectionLost.
        """
        row = self.client.instruments[instrument]
        fee_ppm = max(row.maker_fee_ppm, row.taker_fee_ppm) if max_fee_ppm is None else max_fee_ppm
        account, nonce, default_expires_ns = self._head()
        command = Place(
            account,
            nonce,
            default_expires_ns if expires_ns is None else expires_ns,
            instrument=row.instrument,
            side=Side[side.upper()],
            price_ticks=ticks_of(price, row),
            lots=lots_of(amount, row),
            time_in_force=TimeInForce[time_in_force.upper()],
            post_only=PostOnly(post_only),
            reduce_only=reduce_only,
            max_fee_ppm=fee_ppm,
            label=label.encode().ljust(LABEL_BYTES, b"\0"),
            order_type=OrderType[order_type.upper()],
            self_trade_prevention=SelfTradePrevention[self_trade_prevention.upper()],
            group=group,
        )
        params = {
            "instrument": instrument,
            "side": side,
            "price": price,
            "amount": amount,
            "time_in_force": time_in_force,
            "post_only": post_only,
            "reduce_only": reduce_only,
            "max_fee_ppm": fee_ppm,
            "label": label,
            "order_type": order_type,
            "self_trade_prevention": self_trade_prevention,
            "group": group,
        }
        return await self._act("place", command, params, PlaceReply)

    async def cancel(self, order: str | int) -> ReceiptedReply:
        """Cancel a resting order by its number."""
        command = Cancel(*self._head(), order=int(order))
        return await self._act("cancel", command, {"order": str(order)}, ReceiptedReply)

    async def cancel_all(self) -> ReceiptedReply:
        """Cancel every resting order of the account at once."""
        return await self._act("cancel_all", CancelAll(*self._head()), {}, ReceiptedReply)

    async def withdraw(self, amount: str, recipient: bytes | None = None) -> WithdrawReply:
        """Withdraw USDC to an address, by default the key's own. Units  USDC."""
        target = self.key.address if recipient is None else recipient
        command = Withdraw(
            *self._head(), token=0, recipient=target, amount_atoms=usdc_atoms(amount)
        )
        params = {"amount": amount, "recipient": hex_text(target)}
        return await self._act("withdraw", command, params, WithdrawReply)

    async def transfer(self, recipient: int, amount: str) -> ReceiptedReply:
        """Move money to another account. Units  USDC."""
        command = Transfer(
            *self._head(), recipient=recipient, token=0, amount_atoms=usdc_atoms(amount)
        )
        params = {"recipient": recipient, "amount": amount}
        return await self._act("transfer", command, params, ReceiptedReply)

    async def position_transfer(
        self, recipient: int, instrument: str, amount: str
    ) -> ReceiptedReply:
        """Move a position, or part of one, to another account of the owner, at the mark."""
        row = self.client.instruments[instrument]
        command = PositionTransfer(*self._head(), recipient, row.instrument, lots_of(amount, row))
        params = {"recipient": recipient, "instrument": instrument, "amount": amount}
        return await self._act("position_transfer", command, params, ReceiptedReply)

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
        Units  notional_cap in USDC.
        """
        command = GrantSession(
            *self._head(),
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
        return await self._act("grant_session", command, params, ReceiptedReply)

    async def revoke_session(self, slot: int) -> ReceiptedReply:
        """End the session of a slot."""
        command = RevokeSession(*self._head(), session=slot)
        return await self._act("revoke_session", command, {"slot": slot}, ReceiptedReply)

    def signed_params(self, command: TraderCommand, params: dict[str, Any]) -> dict[str, Any]:
        """Return a method's params with what every signed method carries."""
        signature = self.key.sign(command_digest(self.client.separator, command))
        head = {
            "account": command.account,
            "nonce": str(command.nonce),
            "expires_ns": str(command.expires_ns),
            "session": self.session,
            "signature": hex_text(signature),
        }
        return head | params

    def _head(self) -> tuple[int, int, int]:
        return self.account, self._nonces.next(), self.client.now_ns() + EXPIRES_AFTER_NS

    async def _act(
        self, method: str, command: TraderCommand, params: dict[str, Any], shape: type[Reply]
    ) -> Reply:
        try:
            signed = self.signed_params(command, params)
            body = command_bytes(command, self.session, from_hex(signed["signature"]))
        except (PackingError, OverflowError) as fault:
            raise NotEncodable(method, str(fault)) from None
        try:
            raw = await self.client.connection.request(method, signed)
        except Refusal as refusal:
            if refusal.error.data.receipt is None:
                raise api_error(refusal.error) from None
            receipt = self._keep(refusal.error.data.receipt, body)
            raise Rejected(refusal.error, receipt) from None
        reply = msgspec.json.decode(raw, type=shape)
        self._keep(reply.receipt, body)
        return reply

    def _keep(self, reply: ReceiptReply, body: bytes) -> Receipt:
        """Keep a receipt that is the sequencer's and of this command. Raises ReceiptInvalid."""
        receipt = receipt_from_reply(reply)
        if not names_entry(receipt, body):
            raise ReceiptInvalid(receipt, "its entry hash is of another entry")
        if not verify(receipt, self.client.separator, self.client.sequencer):
            raise ReceiptInvalid(receipt, "it is not signed by the sequencer")
        self.receipts[receipt.seq] = receipt
        return receipt


def ticks_of(price: str, instrument: InstrumentReply) -> int:
    """Return a price in ticks. Raises OffStep, OutOfRange."""
    return price_ticks(price, usdc_atoms(instrument.price_step))


def lots_of(amount: str, instrument: InstrumentReply) -> int:
    """Return a size in lots. Raises OffStep, OutOfRange."""
    return amount_lots(amount, steps_exact(instrument.amount_step, 1, NANO_DIGITS))


def held_lots(amount: str, instrument: InstrumentReply) -> int:
    """Return the size of a position in lots, negative when short. Raises OffStep."""
    return position_lots(amount, steps_exact(instrument.amount_step, 1, NANO_DIGITS))
