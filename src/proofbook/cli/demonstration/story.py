"""The order of events of a demonstration."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from proofbook.cli.demonstration import leaving, people, proving, trading
from proofbook.cli.demonstration.crowd import CrowdPlan
from proofbook.cli.demonstration.crowding import crowd
from proofbook.cli.demonstration.expiring import let_expire
from proofbook.cli.demonstration.parade import Stage, parade
from proofbook.cli.demonstration.report import Report, Settled, receipt_times
from proofbook.cli.demonstration.trading import PUBLISH_SECONDS
from proofbook.cli.demonstration.venue import Venue, open_venue
from proofbook.liquidity.tally import Tally
from proofbook.risk.chain import Snapshot


class Display(Protocol):
    """Shows how far the story is."""

    def step(self, text: str) -> None:
        """Begin a step."""
        ...

    async def during(self, seconds: float, tally: Tally) -> None:
        """Show the counts of a running market for some seconds."""
        ...


@dataclass(frozen=True)
class Plan:
    """What to demonstrate."""

    snapshot: Snapshot
    source: str
    seconds: float
    seed: int
    folder: Path


async def tell(plan: Plan, display: Display) -> Report:
    """Run the whole line once and report what came of it.

    Raises DemonstrationFault, SettlementFault, ChainFault, ConnectionLost.
    """
    display.step("starting a local chain, deploying the contracts, starting a venue")
    async with open_venue(plan.snapshot, plan.folder) as venue:
        return await Story(plan, display, venue).tell()


class Story:
    """A demonstration on a running venue."""

    def __init__(self, plan: Plan, display: Display, venue: Venue) -> None:
        self.plan = plan
        self.display = display
        self.venue = venue
        self.tally = Tally()
        self.began = time.monotonic()
        self.orders_per_second = 0.0

    async def tell(self) -> Report:
        """Trade, leave, prove."""
        await self.open_market()
        accounts = await self.fund()
        deposited_atoms = await people.balance_atoms(self.venue, self.venue.deployment.vault)
        await self.trade(accounts)
        members = await people.meet(self.venue, accounts, self.tally)
        try:
            closed = await self.leave(members)
            shown = await self.parade(members)
        finally:
            await people.part(members)
        settled = await self.expire(accounts)
        everybody = await people.meet(self.venue, accounts, self.tally)
        everybody += await people.meet_institutions(self.venue, Tally())
        try:
            withdrawn_atoms = await self.withdraw(everybody)
        finally:
            await people.part(everybody)
        return await self.prove(deposited_atoms, withdrawn_atoms, closed, shown, settled)

    async def open_market(self) -> None:
        count = sum(chain.options_count + 1 for chain in self.plan.snapshot.chains)
        self.display.step(f"listing and marking {count:,} instruments")
        await self.venue.open_market(self.plan.snapshot)

    async def fund(self) -> dict[str, int]:
        names = trading.names_needed(len(self.venue.listed))
        self.display.step(f"depositing for {len(names)} market makers and takers")
        return await people.fund(self.venue, names)

    async def trade(self, accounts: dict[str, int]) -> None:
        self.display.step("market makers quote every instrument")
        plan = CrowdPlan(
            url=self.venue.node.websocket_url,
            accounts=accounts,
            vegas_ticks=trading.all_vegas_ticks(self.venue),
            seconds=self.plan.seconds,
            seed=self.plan.seed,
        )
        async with crowd(plan, self.tally) as traders:
            await traders.until_quoted()
            started, orders_before = time.monotonic(), self.tally.orders
            self.display.step(f"trading for {self.plan.seconds:g} seconds")
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.venue.keep_publishing(self.plan.seed, PUBLISH_SECONDS, stop))
                group.create_task(self.display.during(self.plan.seconds, self.tally))
                await traders.until_over()
                stop.set()
        seconds = time.monotonic() - started
        self.orders_per_second = (self.tally.orders - orders_before) / seconds

    async def leave(self, members: list[people.Person]) -> int:
        self.display.step("cancelling all orders, closing all positions through the books")
        await leaving.cancel_everything(self.venue, members)
        return await leaving.close_positions(members)

    async def withdraw(self, everybody: list[people.Person]) -> int:
        self.display.step("withdrawing everybody, waiting for finality, paying from the vault")
        await leaving.withdraw_everything(everybody)
        return await leaving.pay_out(self.venue, everybody)

    async def parade(self, members: list[people.Person]) -> list[str]:
        """Show every kind of order in a book that is empty by now."""
        self.display.step("showing every kind of order once")
        ada, bob = members[:2]
        rows = ada.client.instruments.values()
        row = next(row for row in rows if row.kind == "perpetual")
        mark_ticks = round((await ada.desk.fair(row)).mark_ticks)
        shown = await parade(Stage(self.venue, ada, bob, row, mark_ticks))
        await leaving.cancel_everything(self.venue, [ada, bob])
        await leaving.close_positions([ada, bob])
        return shown

    async def expire(self, accounts: dict[str, int]) -> Settled | None:
        """Let the next expiry come, with an option held to its end."""
        self.display.step("putting the clock forward to the next expiry, which the node settles")
        return await let_expire(self.venue, accounts)

    async def prove(
        self,
        deposited_atoms: int,
        withdrawn_atoms: int,
        closed: int,
        shown: list[str],
        settled: Settled | None,
    ) -> Report:
        self.display.step("verifying from the chain alone")
        is_verified = await proving.is_verified(self.venue)
        self.display.step("letting an operator lie, twice, and verifying that")
        lies = await proving.catch_lies(self.venue, self.display.step)
        errors = [fit.weighted_rmse_points for o in self.venue.observations for fit in o.fits]
        return Report(
            source=self.plan.source,
            orders=self.tally.orders,
            fills=self.tally.fills,
            rejections=dict(sorted(self.tally.rejections.items())),
            instruments=len(self.venue.listed),
            rows_unusable=self.plan.snapshot.rows_unusable,
            batches=await leaving.batches_claimed(self.venue),
            entries=self.venue.node.engine.seq,
            verified=is_verified,
            lies_caught=lies,
            deposited_atoms=deposited_atoms,
            withdrawn_atoms=withdrawn_atoms,
            atoms_lost=deposited_atoms - withdrawn_atoms,
            positions_closed=closed,
            shown=shown,
            settled=settled,
            receipt_ms=receipt_times(self.tally.receipt_ns),
            orders_per_second=round(self.orders_per_second, 1),
            surface_error_points=round(float(np.median(errors)), 3),
            seconds=round(time.monotonic() - self.began, 1),
        )
