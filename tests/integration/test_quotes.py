"""Amendments, quotes, protections and deadlines through the whole node, by SDK and command line."""

import asyncio
from pathlib import Path

import pytest
from tests.integration.small_venue import FIRST_ACCOUNT, listed_venue, two_traders
from tests.integration.test_sessions import account_notice
from typer.testing import CliRunner, Result

from proofbook.api.actions import QuoteOutcome, QuoteRow
from proofbook.api.errors import ApiError, Refusal
from proofbook.api.schema import AccountNotice, SideName
from proofbook.cli import app
from proofbook.client import Client, Rejected, Trader
from proofbook.node import Node
from proofbook.protocol.commands import ListInstrument, Tick
from proofbook.protocol.limits import (
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    NS_PER_SECOND,
    InstrumentKind,
    Reject,
)

PERPETUAL = "BTC-PERP"
CALL_STRIKE_ATOMS = 60_000_000_000


def row(side: SideName, price: str, amount: str = "0.1") -> QuoteRow:
    return QuoteRow(instrument=PERPETUAL, side=side, price=price, amount=amount)


def outcomes(quotes: list[QuoteOutcome]) -> list[tuple[str, str | None, str | None]]:
    return [(quote.side, quote.price, quote.refused) for quote in quotes]


async def pass_time(node: Node, seconds: float) -> None:
    """Let some time go by, and the venue notice."""
    await asyncio.sleep(seconds)
    await node.sequencer.submit(Tick())


async def heard_until(client: Client, event: str) -> list[AccountNotice]:
    """Return the notices up to the first of an event."""
    heard: list[AccountNotice] = []
    async with asyncio.timeout(10):
        async for streamed in client.stream():
            heard.append(account_notice(streamed))
            if heard[-1].event == event:
                break
    return heard


async def refusal_of(trader: Trader, *quotes: QuoteRow) -> str | None:
    """Return why a batch is refused before it has a seq."""
    with pytest.raises(ApiError) as caught:
        await trader.quote(quotes)
    assert not isinstance(caught.value, Rejected)
    return caught.value.reason


def test_an_order_shrinks_where_it_stands_or_is_placed_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            order = (await maker.place(PERPETUAL, "buy", "59000", "0.5")).order or ""
            for amount in ("0.5", "0.3"):
                stood = await maker.amend(PERPETUAL, order, amount)
                assert (stood.order, stood.resting, stood.filled) == (order, amount, "0")
            assert (await client.book(PERPETUAL)).bids == [("59000", "0.3")]
            moved = await maker.amend(PERPETUAL, order, "0.4", "59100")
            assert moved.order not in (None, order) and moved.resting == "0.4"
            assert (await client.book(PERPETUAL)).bids == [("59100", "0.4")]
            await taker.place(PERPETUAL, "sell", "59500", "0.1")
            crossed = await maker.amend(PERPETUAL, moved.order or "", "0.4", "59500")
            assert (crossed.filled, crossed.resting) == ("0.1", "0.3")
            with pytest.raises(Rejected) as grown:
                await maker.amend(PERPETUAL, crossed.order or "", "9")
            assert grown.value.reason == Reject.LOTS_OUT_OF_RANGE.name
            with pytest.raises(Rejected) as gone:
                await maker.amend(PERPETUAL, order, "0.1")
            assert (gone.value.reason, gone.value.value) == (Reject.ORDER_NOT_FOUND.name, order)

    asyncio.run(scenario())


def test_an_amendment_names_a_price_and_the_instrument_of_its_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            today_ns = client.now_ns() // NS_PER_DAY * NS_PER_DAY
            expiry_ns = today_ns + 7 * NS_PER_DAY + EXPIRY_TIME_OF_DAY_NS
            call = ListInstrument(1, InstrumentKind.CALL, expiry_ns, CALL_STRIKE_ATOMS)
            assert (await node.sequencer.submit(call)).result.outcome.is_applied
            await client.refresh_instruments()
            option = next(name for name in client.instruments if name != PERPETUAL)
            order = (await maker.place(PERPETUAL, "buy", "59000", "0.5")).order or ""
            for instrument, price, reason in (
                (option, None, Reject.ORDER_NOT_FOUND),
                (PERPETUAL, "0", Reject.PRICE_OUT_OF_RANGE),
            ):
                with pytest.raises(ApiError) as refused:
                    await maker.amend(instrument, order, "0.1", price)
                assert refused.value.reason == reason.name
                assert not isinstance(refused.value, Rejected)

    asyncio.run(scenario())


def test_a_sliding_order_rests_beside_the_one_that_it_would_have_met(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await maker.place(PERPETUAL, "sell", "60000", "0.1")
            with pytest.raises(Rejected) as crossed:
                await taker.place(PERPETUAL, "buy", "60001", "0.1", post_only=True)
            assert crossed.value.reason == Reject.POST_ONLY_WOULD_CROSS.name
            await taker.place(PERPETUAL, "buy", "60001", "0.1", slide=True)
            assert (await client.book(PERPETUAL)).bids == [("59999.5", "0.1")]

    asyncio.run(scenario())


def test_quotes_replace_quotes_and_each_has_its_outcome(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            first = await maker.quote([row("sell", "60100"), row("buy", "59900")])
            assert outcomes(first.quotes) == [("sell", "60100", None), ("buy", "59900", None)]
            await taker.place(PERPETUAL, "sell", "60050", "0.2")
            second = await maker.quote([row("buy", "60050"), row("sell", "60200", "0.3")])
            crossing = Reject.POST_ONLY_WOULD_CROSS.name
            assert outcomes(second.quotes) == [("buy", None, crossing), ("sell", "60200", None)]
            book = await client.book(PERPETUAL)
            assert (book.bids, book.asks) == ([], [("60050", "0.2"), ("60200", "0.3")])
            slid = await maker.quote([row("buy", "60050")], slide=True)
            assert outcomes(slid.quotes) == [("buy", "60049.5", None)]
            out = await maker.quote([row("buy", "0", "0"), row("sell", "0", "0")])
            assert outcomes(out.quotes) == [("buy", None, None), ("sell", None, None)]
            assert (await maker.state()).open_orders == []
            twice = await refusal_of(maker, row("buy", "1"), row("buy", "2"))
            assert twice == Refusal.INVALID_PARAMS.name
            too_many = await refusal_of(maker, *[row("buy", "1")] * 33)
            assert too_many == Refusal.INVALID_PARAMS.name

    asyncio.run(scenario())


def test_a_protection_ends_quotes_in_the_books_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            quotes = [row("buy", "59900", "0.5"), row("sell", "60100", "0.5")]
            with pytest.raises(Rejected) as unknown:
                await maker.quote(quotes, protection=1)
            assert unknown.value.reason == Reject.PROTECTION_NOT_FOUND.name
            for number, interval_ns, value in ((5, NS_PER_SECOND, "5"), (1, 0, "0")):
                with pytest.raises(Rejected) as unsound:
                    await maker.set_protection(number, "0.3", interval_ns)
                assert unsound.value.reason == Reject.PROTECTION_OUT_OF_RANGE.name
                assert unsound.value.value == value
            await maker.set_protection(1, "0.3", 60 * NS_PER_SECOND)
            await maker.quote(quotes, protection=1)
            await client.subscribe([f"account.{FIRST_ACCOUNT}"])
            await taker.place(PERPETUAL, "sell", "59900", "0.1")
            (shown,) = (await maker.state()).protections
            assert (shown.limit, shown.used, shown.frozen_until_ns) == ("0.3", "0.1", "0")
            await taker.place(PERPETUAL, "sell", "59900", "0.3")
            book = await client.book(PERPETUAL)
            assert book.bids == [] and book.asks == [("59900", "0.1")], "only the taker's rest"
            assert (await maker.state()).open_orders == []
            frozen = await maker.quote([row("buy", "59000")], protection=1)
            assert outcomes(frozen.quotes) == [("buy", None, Reject.PROTECTION_FROZEN.name)]
            await maker.reset_protection(1)
            again = await maker.quote([row("buy", "59000")], protection=1)
            assert outcomes(again.quotes) == [("buy", "59000", None)]
            heard = await heard_until(client, "QUOTE_REFUSED")
            assert "PROTECTION_CHANGED" in [notice.event for notice in heard]
            assert heard[-1].fields["reason"] == Reject.PROTECTION_FROZEN.name

    asyncio.run(scenario())


def test_orders_end_at_the_deadline_of_their_account(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            await maker.place(PERPETUAL, "buy", "59000", "0.5")
            deadline_ns = client.now_ns() + 3600 * NS_PER_SECOND
            await maker.set_dead_man(deadline_ns)
            assert (await maker.state()).dead_man_ns == str(deadline_ns)
            await maker.set_dead_man(client.now_ns() + NS_PER_SECOND // 5)
            await pass_time(node, 0.05)
            assert len((await client.book(PERPETUAL)).bids) == 1, "it is still alive"
            await pass_time(node, 0.3)
            state = await maker.state()
            assert (await client.book(PERPETUAL)).bids == [] and state.open_orders == []
            assert all(held.open_buy_amount == "0" for held in state.positions), "or swept"
            await maker.place(PERPETUAL, "buy", "58000", "0.1")
            assert (await client.book(PERPETUAL)).bids == [("58000", "0.1")]
            with pytest.raises(Rejected) as late:
                await maker.set_dead_man(1)
            assert late.value.reason == Reject.DEADLINE_OUT_OF_RANGE.name
            await maker.set_dead_man(0)

    asyncio.run(scenario())


def test_orders_leave_the_books_when_their_time_is_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            expires_ns = client.now_ns() + NS_PER_SECOND // 5
            await maker.place(
                PERPETUAL, "buy", "59000", "0.5",
                time_in_force="good_till_time", expires_ns=expires_ns,
            )  # fmt: skip
            assert len((await client.book(PERPETUAL)).bids) == 1
            await pass_time(node, 0.3)
            assert (await client.book(PERPETUAL)).bids == []

    asyncio.run(scenario())


def test_the_command_line_amends_quotes_and_protects(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):

            async def run(*arguments: str) -> Result:
                who = ("--account", str(FIRST_ACCOUNT), "--key", (b"\x0b" * 32).hex())
                call = (*arguments, "--url", node.websocket_url, *who)
                return await asyncio.to_thread(CliRunner().invoke, app, call)

            order = (await maker.place(PERPETUAL, "buy", "58000", "0.5")).order or ""
            amended = await run("amend", PERPETUAL, order, "0.2", "--price", "58001")
            assert amended.exit_code == 0 and "0.2 rests" in amended.output, amended.output
            protected = await run("protect", "2", "1.5", "--interval", "10")
            assert protected.exit_code == 0, protected.output
            both = (PERPETUAL, "sell", "60500", "0.1", PERPETUAL, "buy", "59500", "0.1")
            quoted = await run("quote", *both, "--protection", "2", "--json", "-")
            assert quoted.exit_code == 0 and '"refused": null' in quoted.output, quoted.output
            assert (await client.book(PERPETUAL)).asks == [("60500", "0.1")]
            for arguments in (("thaw", "2"), ("dead-man", "60"), ("dead-man", "0")):
                done = await run(*arguments)
                assert done.exit_code == 0, done.output
            frozen = await run("thaw", "3")
            assert frozen.exit_code == 1 and "PROTECTION_NOT_FOUND" in frozen.output
            elsewhere = await run("quote", "ETH-PERP", "buy", "1", "1")
            assert elsewhere.exit_code == 2 and "ETH-PERP" in elsewhere.output

    asyncio.run(scenario())
