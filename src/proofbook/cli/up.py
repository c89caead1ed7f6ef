"""`proofbook up`: a venue that stays up on a local chain, with ten funded development accounts."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from proofbook.api.errors import ApiError
from proofbook.api.signing import Key
from proofbook.cli.demo import as_json, cancel_on_signals, fault_in, quiet_logs
from proofbook.cli.demonstration.development import DevelopmentTools
from proofbook.cli.demonstration.people import fund, meet
from proofbook.cli.demonstration.trading import Market, makers_needed, market_of
from proofbook.cli.demonstration.venue import (
    FUNDER_KEY,
    Venue,
    development_configuration,
    open_venue,
    publisher_secrets,
)
from proofbook.cli.output import (
    EXIT_FAULT,
    AddressesPath,
    PlainConsole,
    console_for,
    fault_among,
    say,
    write_text,
)
from proofbook.liquidity.desk import NotMarked
from proofbook.liquidity.tally import Tally
from proofbook.operation.configuration import Configuration, read_document
from proofbook.operation.errors import ConfigurationFault
from proofbook.operation.startup import give_back_large_blocks, set_aside
from proofbook.risk.chain import Snapshot
from proofbook.risk.generator import generate_snapshot
from proofbook.risk.snapshot import read_snapshot
from proofbook.sequencer.prices import PriceIntake
from proofbook.settlement.deposits import deposit, mint_and_approve
from proofbook.settlement.transactions import DEVELOPMENT_KEYS

DEPOSIT_ATOMS = 1_000_000_000_000
"""A million USDC for each development account."""

PUBLISH_SECONDS = 10.0
"""Between two prices, and between two rounds of quotes: every entry costs bytes on chain."""

BANNER = "proofbook, a development venue: everybody knows these keys, they hold nothing elsewhere"


@dataclass(frozen=True)
class DevelopmentAccount:
    """An account of the venue and of the chain, as anvil prints them."""

    account: int
    address: str
    key: str


@dataclass(frozen=True)
class Running:
    """What a newcomer needs to use the venue."""

    websocket: str
    http: str
    rpc: str
    chain_id: int
    contract: str
    sequencer: str
    vault: str
    journal: str
    tokens: dict[str, str]
    instruments: int
    accounts: list[DevelopmentAccount]
    publishers: list[str]


def up(
    snapshot: Annotated[
        Path | None, typer.Option(help="A Deribit option chain, CSV; else a small one is made up.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes what prices do.")] = 1,
    makers: Annotated[bool, typer.Option(help="Whether market makers quote everything.")] = True,
    history: Annotated[
        bool, typer.Option(help="Whether a history is kept: get_fills, get_candles and the like.")
    ] = True,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="To listen on; 0, the default: a free one."),
    ] = None,
    kept: Annotated[
        int | None, typer.Option(min=1, help="Receipts, answers and notices kept in memory.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A configuration as `serve` takes it; chain and keys are our own."),
    ] = None,
    json_path: AddressesPath = "",
) -> None:
    """Run a venue until Ctrl-C: a local chain, contracts, a node, an oracle, market makers."""
    console = console_for(json_path)
    quiet_logs()
    try:
        source = generate_snapshot(seed, time.time_ns()) if snapshot is None else None
        chain = source or read_snapshot(snapshot or Path())
        with TemporaryDirectory(prefix="proofbook-up-") as folder:
            parts = Parts(makers, configured(config, Path(folder), history, port, kept))
            asyncio.run(stay_up(chain, Path(folder), seed, parts, console, json_path))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped: nothing is left behind")
    except BaseException as error:
        fault = fault_among(error, (ConfigurationFault,)) or fault_in(error)
        if fault is None:
            raise
        say("cannot go on", fault)
        raise typer.Exit(EXIT_FAULT) from error


@dataclass(frozen=True)
class Parts:
    """What runs beside the venue, and how it runs itself."""

    makers: bool
    configuration: Configuration


def configured(
    path: Path | None, folder: Path, has_history: bool, port: int | None, kept: int | None
) -> Configuration:
    """Return how the venue runs: as the file says, and as the command line does beyond it.

    Raises ConfigurationFault.
    """
    more: dict[str, dict[str, Any]] = {"interface": {}, "sequencer": {}}
    if port is not None:
        more["interface"]["port"] = port
    if kept is not None:
        more["interface"]["notices_kept"] = more["sequencer"]["receipts_kept"] = kept
    named: Any = {} if path is None else read_document(path).get("history", {})
    is_set = not isinstance(named, dict) or "database" in named
    if not has_history:
        more["history"] = {"database": "", "follow": False}
    elif not is_set:
        more["history"] = {"database": str(folder / "history.db"), "follow": True}
    return development_configuration(path, more)


async def stay_up(
    snapshot: Snapshot, folder: Path, seed: int, parts: Parts, console: PlainConsole, json_path: str
) -> None:
    """Open a venue, say where it is, and keep its market going until cancelled or terminated."""
    cancel_on_signals()
    give_back_large_blocks()
    async with open_venue(snapshot, folder, parts.configuration) as venue:
        venue.node.doors.development = DevelopmentTools(venue)
        gather_seconds = parts.configuration.prices.gather_seconds
        venue.node.doors.prices = prices = PriceIntake(venue.node.sequencer, gather_seconds)
        accounts = await fund_development_accounts(venue)
        await venue.open_market(snapshot)
        market = await market_with_makers(venue, seed) if parts.makers else Market([], [])
        await market.open()
        running = describe(venue, accounts, folder / "journal")
        show(running, console)
        write_text(as_json(running), json_path)
        with set_aside():
            async with asyncio.TaskGroup() as group:
                group.create_task(venue.keep_publishing(seed, PUBLISH_SECONDS, asyncio.Event()))
                group.create_task(keep_quoting(market))
                group.create_task(prices.run())


async def keep_quoting(market: Market) -> None:
    """Follow the marks and the venue's time, at a pace that a venue can keep for days."""
    while True:
        await asyncio.sleep(PUBLISH_SECONDS)
        await asyncio.gather(*(maker.look_around() for maker in market.makers))
        with suppress(ApiError, NotMarked):  # an expiry may end meanwhile: the next round knows
            await market.open()


async def fund_development_accounts(venue: Venue) -> list[DevelopmentAccount]:
    """Deposit a million USDC for each development key; return their accounts."""
    funder = venue.sender(FUNDER_KEY)
    amount_atoms = DEPOSIT_ATOMS * len(DEVELOPMENT_KEYS)
    await mint_and_approve(funder, venue.deployment, amount_atoms)
    accounts: list[DevelopmentAccount] = []
    for secret in DEVELOPMENT_KEYS:
        address = Key(secret).address
        made = await deposit(funder, venue.deployment, address, 0, DEPOSIT_ATOMS)
        hexes = ("0x" + data.hex() for data in (address, secret))
        accounts.append(DevelopmentAccount(made.account, *hexes))
    return accounts


async def market_with_makers(venue: Venue, seed: int) -> Market:
    """Return market makers that cover every instrument, funded and connected."""
    names = [f"maker {place}" for place in range(makers_needed(len(venue.listed)))]
    people = await meet(venue, await fund(venue, names), Tally())
    return market_of(venue, people, [], seed)


def describe(venue: Venue, accounts: list[DevelopmentAccount], journal: Path) -> Running:
    deployment = venue.deployment
    return Running(
        websocket=venue.node.websocket_url,
        http=venue.node.http_url,
        rpc=venue.chain.url,
        chain_id=deployment.chain_id,
        contract="0x" + deployment.chain.hex(),
        sequencer="0x" + venue.node.settings.key.address.hex(),
        vault="0x" + deployment.vault.hex(),
        journal=str(journal),
        tokens={token.symbol: "0x" + token.address.hex() for token in deployment.tokens},
        instruments=len(venue.listed),
        accounts=accounts,
        publishers=["0x" + secret.hex() for secret in publisher_secrets()],
    )


def show(running: Running, console: PlainConsole) -> None:
    """Print what a newcomer copies."""
    first = running.accounts[0]
    lines = [
        BANNER,
        "",
        f"WebSocket   {running.websocket}",
        f"HTTP        {running.http}",
        f"Ethereum    {running.rpc}   chain id {running.chain_id}",
        f"Chain       {running.contract}",
        f"Sequencer   {running.sequencer}",
        f"Vault       {running.vault}",
        *(f"{symbol:<11} {address}" for symbol, address in running.tokens.items()),
        f"Journal     {running.journal}",
        f"Instruments {running.instruments}",
        "",
        "Accounts, a million USDC each",
        *(f"({row.account:>2}) {row.address}  key {row.key}" for row in running.accounts),
        "",
        "Try",
        f"  export PROOFBOOK_URL={running.websocket} PROOFBOOK_JOURNAL={running.journal}",
        f"  export PROOFBOOK_RPC={running.rpc} PROOFBOOK_CHAIN_ID={running.chain_id}",
        f"  export PROOFBOOK_CONTRACT={running.contract}",
        f"  export PROOFBOOK_SEQUENCER={running.sequencer}",
        f"  export PROOFBOOK_ACCOUNT={first.account} PROOFBOOK_KEY={first.key}",
        f"  export PROOFBOOK_PUBLISHER_KEY={running.publishers[0]}",
        "  proofbook book BTC-PERP",
        "  proofbook order BTC-PERP buy 50000 0.1 --post-only",
        "  proofbook tx show 1",
        *(f"  proofbook deposit 1 --token {it} --mint" for it in list(running.tokens)[1:2]),
        "  proofbook verify",
        "",
        "Ctrl-C ends it.",
    ]
    console.print("\n".join(lines), soft_wrap=True)
