"""The method `submit`: commands as bytes, those that two traders sign among them."""

import asyncio
from pathlib import Path

import pytest
from tests.integration.small_venue import FIRST_ACCOUNT, listed_venue, two_traders

from proofbook.api.errors import ApiError
from proofbook.client import Rejected
from proofbook.client.connection import Refusal as RefusedReply
from proofbook.protocol.commands import AcceptQuote, CancelAll, Leg, RfqQuote, Tick
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.limits import Reject

PERPETUAL = "BTC-PERP"


def test_a_taker_accepts_what_a_maker_signed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            instrument = client.instruments[PERPETUAL].instrument
            legs = (Leg(instrument, 50, 120_000),)
            account, nonce, expires_ns = maker.head()
            quote = RfqQuote(account, nonce, expires_ns, FIRST_ACCOUNT + 1, 1_000, legs)
            signed = maker.sign(quote)
            accept = AcceptQuote(*taker.head(), 1_000, 0, signed, quote)
            reply = await taker.submit(accept)
            assert reply.events
            assert reply.receipt.seq in taker.receipts
            positions = (await taker.state()).positions
            assert [held.instrument for held in positions] == [PERPETUAL]
            with pytest.raises(ApiError) as refused:
                await taker.submit(AcceptQuote(*taker.head(), 1_000, 0, signed, quote))
            assert refused.value.reason == Reject.NONCE_USED.name, "a quote is taken once"

    asyncio.run(scenario())


def test_a_rejected_submission_names_its_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            instrument = client.instruments[PERPETUAL].instrument
            account, nonce, expires_ns = maker.head()
            legs = (Leg(instrument, 10**9, 120_000),)
            quote = RfqQuote(account, nonce, expires_ns, 0, 1_000, legs)
            accept = AcceptQuote(*taker.head(), 1_000, 0, maker.sign(quote), quote)
            with pytest.raises(Rejected) as caught:
                await taker.submit(accept)
            assert caught.value.reason == Reject.INSUFFICIENT_MARGIN.name

    asyncio.run(scenario())


@pytest.mark.parametrize(("data", "reason"), [
    (b"\x7f", "MALFORMED"), (command_bytes(Tick(0)), "INVALID_PARAMS"),
    (command_bytes(CancelAll(3, 1, 1)) + b"\x00", "MALFORMED"),
    (command_bytes(CancelAll(3, 1, 1))[:-1], "MALFORMED"),
    (command_bytes(CancelAll(3, 1, (1 << 64) - 1)), "SIGNATURE_INVALID"),
])  # fmt: skip
def test_bytes_that_are_no_signed_command_are_refused(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, _, _):
            seq = node.engine.seq
            with pytest.raises(RefusedReply) as refused:
                await client.connection.request("submit", {"command": "0x" + data.hex()})
            assert refused.value.error.data.reason == reason
            assert node.engine.seq == seq, "nothing was recorded"

    asyncio.run(scenario())
