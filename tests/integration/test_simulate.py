"""Margin explained, and margin of what nobody has traded, through the interface."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.small_venue import FIRST_ACCOUNT, listed_venue, two_traders
from typer.testing import CliRunner, Result

from proofbook.api.errors import ApiError
from proofbook.api.margin import OrderLeg, TradeLeg
from proofbook.cli import app
from proofbook.client import Client, Trader
from proofbook.protocol.limits import CORE_COLUMNS
from proofbook.queries.margins import column_words

PERPETUAL = "BTC-PERP"
RANGE_PPM = 160_000
SHOWN = ("spot +16 %", "loss 9,600.00", "+10,200.00", "-5,200.00", "SHORT")
"""Of a lot sold short with 5,000 USDC: 9,600 at the worst move, 600 for the basis."""
Act = Callable[[Client, Trader, Trader], Awaitable[None]]


def on_venue(folder: Path, act: Act) -> None:
    async def scenario() -> None:
        async with listed_venue(folder) as node, two_traders(node) as traders:
            await act(*traders)

    asyncio.run(scenario())


def test_a_trade_is_judged_as_if_it_had_been_made(tmp_path: Path) -> None:
    async def act(client: Client, maker: Trader, taker: Trader) -> None:
        account = FIRST_ACCOUNT + 1
        trade = TradeLeg(instrument=PERPETUAL, side="buy", amount="2", price="61000")
        asked = await client.simulate([trade], account=account)
        assert asked.before == await client.margin(account)
        assert (asked.before.initial, asked.before.underlyings) == ("0", [])
        await maker.place(PERPETUAL, "sell", "61000", "2")
        await taker.place(PERPETUAL, "buy", "61000", "2", max_fee_ppm=500)
        made = await client.margin(account)
        fee = 61_000 * 2 * 500 // 10**6
        assert made.initial == asked.after.initial
        assert made.underlyings == asked.after.underlyings
        assert float(made.equity) == float(asked.after.equity) - fee
        (bitcoin,) = made.underlyings
        assert (bitcoin.underlying, bitcoin.worst) == ("BTC", "spot -16 %, volatility up")
        assert float(bitcoin.loss) == 2 * 60_000 * 0.16

    on_venue(tmp_path, act)


def test_an_order_is_judged_as_if_it_stood(tmp_path: Path) -> None:
    async def act(client: Client, maker: Trader, taker: Trader) -> None:
        order = OrderLeg(
            instrument=PERPETUAL, side="buy", price="60500", amount="3", max_fee_ppm=700
        )
        asked = await client.simulate(orders=[order], account=FIRST_ACCOUNT)
        await maker.place(PERPETUAL, "buy", "60500", "3", max_fee_ppm=700)
        assert await client.margin(FIRST_ACCOUNT) == asked.after
        assert asked.after.reserve == "1627.05", "adverse to the mark, and the fee"
        assert asked.after.covers_initial

    on_venue(tmp_path, act)


def test_a_portfolio_of_nobody_needs_its_cash(tmp_path: Path) -> None:
    async def act(client: Client, maker: Trader, taker: Trader) -> None:
        trade = TradeLeg(instrument=PERPETUAL, side="sell", amount="1")
        short = (await client.simulate([trade], cash="5000")).after
        enough = (await client.simulate([trade], cash="50000")).after
        assert (short.equity, enough.equity) == ("5000", "50000")
        assert (short.covers_initial, short.covers_maintenance) == (False, False)
        assert (enough.covers_initial, enough.covers_maintenance) == (True, True)

    on_venue(tmp_path, act)


def test_bad_questions_have_names(tmp_path: Path) -> None:
    async def act(client: Client, maker: Trader, taker: Trader) -> None:
        async def reason(method: str = "simulate", **params: Any) -> str:
            with pytest.raises(ApiError) as refused:
                await client.ask(dict, method, **params)
            return refused.value.reason

        leg = {"instrument": PERPETUAL, "side": "buy", "amount": "1"}
        assert await reason(trades=[leg | {"instrument": "X"}]) == "INSTRUMENT_NOT_FOUND"
        assert await reason(trades=[leg | {"amount": "0"}]) == "LOTS_OUT_OF_RANGE"
        assert await reason(trades=[leg | {"amount": "0.0001"}]) == "AMOUNT_OFF_LOT"
        assert await reason(trades=[leg | {"amount": "999999999999"}]) == "INVALID_PARAMS"
        assert await reason(trades=[leg | {"price": "0.1"}]) == "PRICE_OFF_TICK"
        assert await reason(orders=[leg]) == "INVALID_PARAMS"
        assert await reason(trades=[leg | {"side": "up"}]) == "INVALID_PARAMS"
        assert await reason(trades=[leg], cash="-1") == "AMOUNT_OUT_OF_RANGE"
        assert await reason(trades=[leg], account=99) == "ACCOUNT_NOT_FOUND"
        assert await reason("get_margin", account=0) == "ACCOUNT_NOT_FOUND"
        assert await reason("get_margin", account=2**32 - 1) == "ACCOUNT_NOT_FOUND"

    on_venue(tmp_path, act)


def test_the_commands_show_it(tmp_path: Path) -> None:
    async def act(client: Client, maker: Trader, taker: Trader) -> None:
        async def proofbook(*arguments: str) -> Result:
            words = [*arguments, "--url", client.connection.url]
            return await asyncio.to_thread(CliRunner().invoke, app, words)

        shown = await proofbook("margin", str(FIRST_ACCOUNT))
        assert shown.exit_code == 0
        assert "maintenance margin" in shown.output
        path = tmp_path / "portfolio.json"
        leg = {"instrument": PERPETUAL, "side": "sell", "amount": "1"}
        path.write_text(json.dumps({"cash": "5000", "trades": [leg]}))
        for words in (
            ["--file", str(path)],
            ["--cash", "5000", "--trade", f"{PERPETUAL}:sell:1"],
            ["--cash", "5000", "--trade", f"{PERPETUAL}:sell:1:60000"],
        ):
            report = tmp_path / "report.json"
            shown = await proofbook("simulate", *words, "--json", str(report))
            assert shown.exit_code == 0, shown.output
            assert all(words in shown.output for words in SHOWN), shown.output
            assert json.loads(report.read_text())["after"]["equity"] == "5000"
        for words in (
            [],
            ["--trade", PERPETUAL],
            ["--order", f"{PERPETUAL}:sell:1"],
            ["--trade", f"{PERPETUAL}:up:1"],
            ["--file", str(tmp_path / "none")],
            ["--file", str(report)],
        ):
            assert (await proofbook("simulate", *words)).exit_code == 2, words
        order = f"{PERPETUAL}:buy:1:60000"
        assert (await proofbook("simulate", "--order", order, "--account", "99")).exit_code == 1

    on_venue(tmp_path, act)


def test_every_column_has_words_of_its_own() -> None:
    words = [column_words(column, RANGE_PPM) for column in range(CORE_COLUMNS + 8)]
    assert len(set(words)) == len(words)
    assert words[0] == "spot -16 %, volatility up"
    assert words[13] == "spot unmoved, volatility unmoved"
    assert words[26] == "spot +16 %, volatility down"
    assert words[27] == "spot -66 %, volatility up, weighted"
    assert words[-1] == "spot +500 %, volatility up, weighted"
