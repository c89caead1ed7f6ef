"""Offers between two traders, and combos, through the whole node."""

import asyncio
from pathlib import Path

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    PUBLISHER_KEYS,
    USDC,
    listed_venue,
    publish,
    two_traders,
)
from tests.integration.test_keeper import has_waiting, soon
from tests.integration.test_sessions import account_notice
from typer.testing import CliRunner, Result

from proofbook.api.actions import ComboLegRow, DealLeg
from proofbook.api.display import OutOfRange
from proofbook.api.errors import ApiError, Refusal
from proofbook.cli import app
from proofbook.client import Client, Rejected
from proofbook.node import Node
from proofbook.protocol.commands import ListInstrument, Remark
from proofbook.protocol.events import InstrumentListed, decode_events
from proofbook.protocol.limits import EXPIRY_TIME_OF_DAY_NS, NS_PER_DAY, InstrumentKind, Reject
from proofbook.risk.publishers import Publishers

PERPETUAL = "BTC-PERP"


def leg(price: str = "60000", amount: str = "0.1") -> DealLeg:
    return DealLeg(instrument=PERPETUAL, side="buy", price=price, amount=amount)


async def list_future(node: Node, client: Client) -> str:
    """List a dated future, marked at a forward of 60,100; return its name."""
    sequencer = node.sequencer
    today_ns = sequencer.clock.now_ns() // NS_PER_DAY * NS_PER_DAY
    expiry_ns = today_ns + 7 * NS_PER_DAY + EXPIRY_TIME_OF_DAY_NS
    listed = await sequencer.submit(ListInstrument(1, InstrumentKind.FUTURE, expiry_ns))
    (event,) = decode_events(listed.result.events)
    assert isinstance(event, InstrumentListed)
    publishers = Publishers.of_keys(sequencer.separator, PUBLISHER_KEYS)
    forwards = [[60_100 * USDC]] * len(PUBLISHER_KEYS)
    curve = publishers.forward_curve(1, sequencer.clock.now_ns(), [expiry_ns], forwards)
    for command in (curve, Remark(event.expiry)):
        outcome = (await sequencer.submit(command)).result.outcome
        assert outcome.is_applied, outcome.name
    await client.refresh_instruments()
    return next(name for name in client.instruments if name != PERPETUAL)


def test_an_offer_is_accepted_once_and_both_hear_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await client.subscribe([f"account.{FIRST_ACCOUNT}"])
            offer = maker.offer([leg()], taker=FIRST_ACCOUNT + 1)
            deal = await taker.accept(offer)
            (fill,) = deal.fills
            assert (fill.side, fill.price, fill.amount, fill.fee) == ("buy", "60000", "0.1", "3")
            assert [row.amount for row in (await maker.state()).positions] == ["-0.1"]
            heard = account_notice(await anext(client.stream()))
            assert heard.event == "QUOTE_ACCEPTED"
            assert (await client.book(PERPETUAL)).bids == [], "no book has changed"
            with pytest.raises(ApiError) as again:
                await taker.accept(offer)
            assert again.value.reason == Reject.NONCE_USED.name
            with pytest.raises(Rejected) as other:
                await maker.accept(maker.offer([leg()], taker=FIRST_ACCOUNT + 1))
            assert other.value.reason == Reject.COUNTERPARTY_INVALID.name
            with pytest.raises(ApiError) as twice:
                await taker.accept(maker.offer([leg(), leg()]))
            assert twice.value.reason == Refusal.INVALID_PARAMS.name

    asyncio.run(scenario())


def test_a_combo_trades_below_zero_and_moves_its_legs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            future = await list_future(node, client)
            legs = [
                ComboLegRow(instrument=future, ratio=-1),
                ComboLegRow(instrument=PERPETUAL, ratio=1),
            ]
            name = (await maker.create_combo(legs)).instrument
            shown = client.instruments[name]
            assert shown.kind == "combo"
            assert {row.instrument: row.ratio for row in shown.legs} == {PERPETUAL: 1, future: -1}
            assert (await client.ticker(name)).mark == "-100", "the sum of its legs"
            await maker.place(name, "sell", "-99.5", "0.1")
            assert (await client.book(name)).asks == [("-99.5", "0.1")]
            await client.subscribe([f"account.{FIRST_ACCOUNT + 1}"])
            bought = await taker.place(name, "buy", "-99", "0.1")
            assert [fill.price for fill in bought.fills] == ["-99.5"]
            held = {row.instrument: row.amount for row in (await taker.state()).positions}
            assert (held[PERPETUAL], held[future]) == ("0.1", "-0.1")
            stream = client.stream()
            heard = [account_notice(await anext(stream)) for _ in range(3)]
            assert sorted(notice.event for notice in heard) == [
                "FILLED",
                "LEG_FILLED",
                "LEG_FILLED",
            ]
            with pytest.raises(Rejected) as exists:
                await taker.create_combo(legs)
            assert exists.value.reason == Reject.INSTRUMENT_EXISTS.name
            with pytest.raises(OutOfRange):
                await taker.place(name, "buy", "-9999999999", "0.1")

    asyncio.run(scenario())


def test_a_stop_on_a_combo_follows_the_marks_of_its_legs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            future = await list_future(node, client)
            legs = [
                ComboLegRow(instrument=PERPETUAL, ratio=1),
                ComboLegRow(instrument=future, ratio=-1),
            ]
            name = (await maker.create_combo(legs)).instrument
            for condition, price in (("mark_at_or_above", "-50"), ("mark_at_or_below", "-150")):
                await taker.place_trigger(
                    name, condition, price, "buy", "-50", "0.1",
                )  # fmt: skip
            await publish(node, 60_040)
            await asyncio.sleep(0.1)
            assert await has_waiting(taker, 2)()
            await publish(node, 60_050)
            await soon(has_waiting(taker, 1))
            await publish(node, 59_950)
            await soon(has_waiting(taker, 0))

    asyncio.run(scenario())


def test_the_command_line_offers_and_accepts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            future = await list_future(node, client)

            async def run(trader: int, *arguments: str) -> Result:
                secret = bytes((11 + trader,)) * 32
                who = ("--account", str(FIRST_ACCOUNT + trader), "--key", secret.hex())
                call = (*arguments, "--url", node.websocket_url, *who)
                return await asyncio.to_thread(CliRunner().invoke, app, call)

            path = str(tmp_path / "offer.json")
            legs = (PERPETUAL, "sell", "59999", "0.1", future, "buy", "60100", "0.1")
            offered = await run(0, "offer", *legs, "--json", path)
            assert offered.exit_code == 0, offered.output
            accepted = await run(1, "accept", path)
            assert accepted.exit_code == 0, accepted.output
            assert f"sell 0.1 {PERPETUAL} at 59999" in accepted.output
            held = {row.instrument: row.amount for row in (await maker.state()).positions}
            assert held == {PERPETUAL: "0.1", future: "-0.1"}
            again = await run(1, "accept", path)
            assert again.exit_code == 1 and Reject.NONCE_USED.name in again.output
            combo = await run(0, "combo", f"{PERPETUAL}=1", f"{future}=-1")
            assert combo.exit_code == 0 and "BTC-COMBO" in combo.output, combo.output

    asyncio.run(scenario())
