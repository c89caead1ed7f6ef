"""Transactions of one account: signed here, one at a time, awaited until they are in a block."""

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from proofbook.api.development import DEVELOPMENT_CHAIN_ID
from proofbook.chain.errors import ChainRefused, TransactionReverted
from proofbook.chain.rpc import AsyncRpc, from_hex, to_hex
from proofbook.settlement.errors import DevelopmentKeyRefused, NonceTaken, TransactionTimedOut

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

REFUSED_BY_PRICE_OR_NONCE = ("nonce too low", "underpriced", "less than block base fee")
TRANSACTION_GAS_MAX = 1 << 24  # gas: the cap of EIP-7825
FEE_BUMP_PERCENT = 125  # of the fees before: nodes ask for at least 110 to replace a transaction

# Keys of the mnemonic "test test … junk": development chains fund them and everybody knows them.
DEVELOPMENT_KEYS: tuple[bytes, ...] = tuple(
    bytes.fromhex(text)
    for text in (
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
        "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
        "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
        "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
        "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
        "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
        "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
    )
)


class Receipt(NamedTuple):
    """What became of a mined transaction that was not reverted."""

    transaction_hash: bytes
    block_number: int
    gas_used: int
    contract: bytes


@dataclass(frozen=True)
class Patience:
    """How long to wait for a block, s, when to offer more, and how much at most, wei a gas."""

    poll_seconds: float = 0.02
    bump_after_seconds: float = 45.0
    give_up_after_seconds: float = 600.0
    receipt_lag_seconds: float = 3.0
    price_max_wei: int | None = None


@dataclass(frozen=True)
class Fees:
    """Prices of gas, wei. Without a tip the chain knows only one price."""

    price_wei: int
    tip_wei: int | None

    def bumped(self) -> "Fees":
        """Return fees with which a transaction replaces itself; rounded up."""
        tip_wei = None if self.tip_wei is None else -(-self.tip_wei * FEE_BUMP_PERCENT // 100)
        return Fees(-(-self.price_wei * FEE_BUMP_PERCENT // 100), tip_wei)

    def at_least(self, other: "Fees") -> "Fees":
        """Return the higher of both prices, each by itself."""
        tips = [tip for tip in (self.tip_wei, other.tip_wei) if tip is not None]
        return Fees(max(self.price_wei, other.price_wei), max(tips, default=None))

    def at_most(self, price_max_wei: int | None) -> "Fees":
        """Return these prices, or the most that may be paid."""
        if price_max_wei is None:
            return self
        tip_wei = None if self.tip_wei is None else min(self.tip_wei, price_max_wei)
        return Fees(min(self.price_wei, price_max_wei), tip_wei)

    def fields(self) -> dict[str, Any]:
        if self.tip_wei is None:
            return {"gasPrice": self.price_wei}
        return {
            "type": 2,
            "maxFeePerGas": self.price_wei,
            "maxPriorityFeePerGas": self.tip_wei,
            "accessList": [],
        }


class Sender:
    """An account with its key.

    One transaction at a time: the next one waits until the one before is in a block, so that no gap
    in the nonces can arise.
    """

    def __init__(
        self, rpc: AsyncRpc, key: bytes, chain_id: int, patience: Patience | None = None
    ) -> None:
        # Here, for it takes as long to load as all the rest of a command that sends no transaction.
        from eth_account import Account

        self._account: LocalAccount = Account.from_key(key)
        self.address = from_hex(self._account.address)
        if key in DEVELOPMENT_KEYS and chain_id != DEVELOPMENT_CHAIN_ID:
            raise DevelopmentKeyRefused(self.address, chain_id)
        self.rpc = rpc
        self.chain_id = chain_id
        self.patience = patience or Patience()
        self._turn = asyncio.Lock()

    async def nonce(self, block: int | str = "latest") -> int:
        """Return the number of transactions mined up to a block."""
        tag = hex(block) if isinstance(block, int) else block
        count = await self.rpc.call("eth_getTransactionCount", to_hex(self.address), tag)
        return int(count, 16)

    async def send(
        self,
        contract: bytes | None,
        data: bytes,
        value_wei: int = 0,
        nonce: int | None = None,
    ) -> Receipt:
        """Send a transaction (contract None: deploy) and return when it is in a block.

        With a nonce given, at most one transaction with it is ever mined: a caller who read the
        nonce together with the state that it decided upon cannot do the same thing twice.
        Raises TransactionReverted, NonceTaken, TransactionTimedOut, ChainFault.
        """
        async with self._turn:
            call = {"from": to_hex(self.address), "data": to_hex(data), "value": hex(value_wei)}
            if contract is not None:
                call["to"] = to_hex(contract)
            gas = int(await self.rpc.call("eth_estimateGas", call), 16)
            if nonce is None:
                nonce = await self.nonce()
            fields = {
                "chainId": self.chain_id,
                "nonce": nonce,
                "gas": min(gas + gas // 4, TRANSACTION_GAS_MAX),
                "value": value_wei,
                "data": data,
            }
            if contract is not None:
                fields["to"] = contract
            receipt = await self._until_mined(fields, nonce)
        if int(receipt["status"], 16) != 1:
            raise await self._revert_reason(call, int(receipt["blockNumber"], 16))
        return Receipt(
            from_hex(receipt["transactionHash"]),
            int(receipt["blockNumber"], 16),
            int(receipt["gasUsed"], 16),
            from_hex(receipt["contractAddress"] or "0x"),
        )

    async def _until_mined(self, fields: dict[str, Any], nonce: int) -> dict[str, Any]:
        """Broadcast, offer more when it takes long, and return the receipt.

        What is offered next replaces what was offered before, and is worth what a new one would be:
        however far prices have risen meanwhile, one step follows them.
        """
        fees = await self._fees()
        hashes: list[bytes] = []
        began = time.monotonic()
        while (waited := time.monotonic() - began) <= self.patience.give_up_after_seconds:
            offered = fees.at_most(self.patience.price_max_wei)
            signed = self._account.sign_transaction({**fields, **offered.fields()})
            if await self._broadcast(bytes(signed.raw_transaction)):
                hashes.append(bytes(signed.hash))
            receipt = await self._watch(hashes, nonce)
            if receipt is not None:
                return receipt
            fees = fees.bumped().at_least(await self._fees())
        raise TransactionTimedOut(self.address, nonce, waited)

    async def _watch(self, hashes: list[bytes], nonce: int) -> dict[str, Any] | None:
        """Return the receipt of one of the transactions, None if it is time to offer more.

        Raises NonceTaken when the nonce is used and none of them appears.
        """
        until = time.monotonic() + self.patience.bump_after_seconds
        used_since = None
        while (now := time.monotonic()) < until:
            receipt = await self._receipt(hashes)
            if receipt is not None:
                return receipt
            if await self.nonce() > nonce:
                # Nodes count a transaction a moment before they find its receipt.
                used_since = now if used_since is None else used_since
                if not hashes or now - used_since > self.patience.receipt_lag_seconds:
                    raise NonceTaken(self.address, nonce)
            await asyncio.sleep(self.patience.poll_seconds)
        return None

    async def _broadcast(self, raw: bytes) -> bool:
        """Hand a transaction to the node; False if it takes none at this price.

        One with this nonce may stand in its way, or the price of gas be higher than what we offer.
        """
        try:
            await self.rpc.call("eth_sendRawTransaction", to_hex(raw))
        except ChainRefused as error:
            reason = error.message.lower()
            if "already known" in reason or "already imported" in reason:
                return True
            if any(known in reason for known in REFUSED_BY_PRICE_OR_NONCE):
                return False
            raise
        return True

    async def _receipt(self, hashes: list[bytes]) -> dict[str, Any] | None:
        for transaction_hash in hashes:
            receipt = await self.rpc.call("eth_getTransactionReceipt", to_hex(transaction_hash))
            if receipt is not None:
                return receipt
        return None

    async def _fees(self) -> Fees:
        block = await self.rpc.call("eth_getBlockByNumber", "latest", False)
        if "baseFeePerGas" not in block:
            return Fees(int(await self.rpc.call("eth_gasPrice"), 16), None)
        tip_wei = int(await self.rpc.call("eth_maxPriorityFeePerGas"), 16)
        return Fees(2 * int(block["baseFeePerGas"], 16) + tip_wei, tip_wei)

    async def _revert_reason(self, call: dict[str, str], block_number: int) -> Exception:
        """Return why a mined transaction failed, as far as a call on the state before shows."""
        try:
            await self.rpc.call("eth_call", call, hex(block_number - 1))
        except TransactionReverted as error:
            return error
        return TransactionReverted(None, b"", f"failed in block {block_number}, not when repeated")
