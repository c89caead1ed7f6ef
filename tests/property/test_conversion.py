"""Conversions, whatever is owed, bought and waited for: who pays, and that nothing is lost."""

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Leg, StartConversion
from proofbook.protocol.events import CollateralSold, decode_events
from proofbook.protocol.genesis import TokenTerms
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FEE_ACCOUNT,
    FUND_ACCOUNT,
    ArenaId,
    MarginMode,
)
from proofbook.protocol.records import AccountRecord, GlobalRecord, TokenRecord
from proofbook.protocol.terms import Terms
from proofbook.simulator.inspection import account, account_at, header, money, token
from proofbook.simulator.scene import GRID, MILLISECOND_NS, UNBOUND, USDC, WBTC, Scene
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State
from proofbook.spec.margin_report import explain
from proofbook.spec.positions import settle_variation

BITCOIN = 10**8
MARK = 800_000
PERPETUAL = 1
GRID_WITHOUT_FEES = replace(GRID, perpetual=Terms(100_000, 100_000))
OTHER = TokenTerms("CBTC", 1, 9, 200_000, 10**15)
"""A second claim on a bitcoin, with another haircut."""

ATOMS_ROUNDED = 4
"""What the values of two tokens lose by rounding when some of one is sold."""


def indebted(debt_usd: int, mode: MarginMode, rate_ppm: int) -> Scene:
    """Ann has two bitcoin, one of each kind, and owes; bob has her money, and cid his own."""
    parameters = replace(UNBOUND, debt_interest_ppm=rate_ppm)
    scene = Scene(Kernel, GRID_WITHOUT_FEES, (WBTC, OTHER), parameters)
    scene.deposit("ann", BITCOIN, token=1)
    scene.deposit("ann", 10 * BITCOIN, token=2)
    for name in ("bob", "cid"):
        scene.deposit(name, 10_000_000 * USDC)
    scene.open_perpetual()
    ticks = MARK - debt_usd // 2 * 10
    assert scene.block("ann", "bob", [Leg(PERPETUAL, -20_000, ticks)]).is_applied
    assert scene.block("ann", "bob", [Leg(PERPETUAL, 20_000, MARK)]).is_applied
    assert scene.set_margin_mode("ann", mode).is_applied or mode == MarginMode.PORTFOLIO
    return scene


def equity(scene: Scene) -> int:
    return scene.engine.margin(scene.accounts["ann"]).equity_atoms


def counted(scene: Scene) -> int:
    return scene.engine.margin(scene.accounts["ann"]).collateral_atoms


def fund(scene: Scene) -> int:
    return account_at(scene, FUND_ACCOUNT).cash_atoms


def conserved(scene: Scene) -> None:
    assert money(scene) == header(scene).custody_atoms
    records = [account_at(scene, number) for number in range(1, 3 + len(scene.accounts))]
    for number in (1, 2):
        held = sum(record.balances_atoms[number - 1] for record in records)
        assert held == token(scene, number).custody_atoms


purchases = st.lists(
    st.tuples(
        st.integers(0, 400_000),  # ms since the one before
        st.sampled_from((1, 2)),
        st.one_of(st.integers(1, 11 * BITCOIN), st.integers(1, 10**6)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 100_000),
    st.integers(40_000, 90_000),
    st.sampled_from(MarginMode),
    st.sampled_from((0, 100_000, 1_000_000)),
    purchases,
)
def test_while_a_debtor_is_solvent_nobody_else_pays(
    debt_usd: int, price_usd: int, mode: MarginMode, rate_ppm: int, bought: list[tuple[int, ...]]
) -> None:
    """An accomplice buys all at the lowest prices: the fund has what it had, and interest.

    A sale never takes equity below zero, nor more than its share of it; without equity it brings
    at least what the highest discount leaves. Nothing is lost of any token.
    """
    scene = indebted(debt_usd, mode, rate_ppm)
    for wait_ms, number, amount in bought:
        scene.wait(wait_ms * MILLISECOND_NS)
        assert scene.publish_index(price_usd * USDC).is_applied
        with scene.window():
            scene.submit(StartConversion(scene.accounts["ann"]))
            before, basis, paid = equity(scene), counted(scene), fund(scene)
            outcome = scene.buy_collateral("cid", "ann", amount, token=number)
            after = equity(scene)
        conserved(scene)
        if not outcome.is_applied:
            assert (after, fund(scene)) == (before, paid)
            continue
        sold = next(event for event in scene.events() if isinstance(event, CollateralSold))
        if before >= 0:
            assert after >= -ATOMS_ROUNDED
            left = max(0, counted(scene))
            assert after * basis >= before * left - ATOMS_ROUNDED * basis, "its share at most"
            if after >= 0:
                assert fund(scene) >= paid
        worth = sold.amount_atoms * price_usd * USDC // 10 ** (8 if number == 1 else 9)
        assert sold.paid_atoms * 10 >= worth * 9
        cash = account(scene, "ann").cash_atoms
        assert cash <= worth // max(1, sold.amount_atoms) + 1, "no more is sold than repays"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100_000), st.integers(30_000, 90_000), st.integers(0, 300_000))
def test_what_a_conversion_costs_others_is_bounded(
    debt_usd: int, price_usd: int, wait_ms: int
) -> None:
    """Everything sold: the fund owes the debt less 90 % of the index value, or nothing at all."""
    scene = indebted(debt_usd, MarginMode.PORTFOLIO, 0)
    assert scene.publish_index(price_usd * USDC).is_applied
    scene.submit(StartConversion(scene.accounts["ann"]))
    scene.wait(wait_ms * MILLISECOND_NS)
    assert scene.publish_index(price_usd * USDC).is_applied
    for number in (1, 2):
        scene.buy_collateral("cid", "ann", AMOUNT_ATOMS_MAX, token=number)
    owed = debt_usd // 2 * 2 * USDC
    lost = max(0, owed - 2 * price_usd * USDC * 9 // 10)
    assert -fund(scene) - account_at(scene, FEE_ACCOUNT).cash_atoms <= lost
    conserved(scene)


@pytest.mark.parametrize("seed", [3, 4])
def test_tokens_are_conserved_in_streams_with_sales(seed: int) -> None:
    """After each sale of a random, partly hostile stream, balances add up to what is in custody."""
    workload = Workload(seed)
    kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT)
    sales = 0
    while sales < 20:
        entry = workload.next_entry()
        result = kernel.apply([entry])[0]
        workload.observe(entry, result)
        if any(isinstance(event, CollateralSold) for event in decode_events(result.events)):
            sales += 1
            tokens_add_up(kernel)


def tokens_add_up(kernel: Kernel) -> None:
    """Compare balances with custody; debts with the sum that the header keeps."""
    records = list[AccountRecord]()
    while not records or records[-1].owner != bytes(20) or len(records) <= FEE_ACCOUNT:
        records.append(AccountRecord.unpack(kernel.read(ArenaId.ACCOUNTS, len(records) + 1)))
    for number in (1, 2):
        ledger = TokenRecord.unpack(kernel.read(ArenaId.TOKENS, number))
        assert sum(each.balances_atoms[number - 1] for each in records) == ledger.custody_atoms
    debts = sum(max(0, -each.cash_atoms) for each in records)
    assert GlobalRecord.unpack(kernel.read(ArenaId.GLOBAL, 0)).debt_atoms == debts


@pytest.mark.parametrize("seed", [5, 6])
def test_settled_variation_changes_neither_equity_nor_margin(seed: int) -> None:
    """Of any account at any time, in the window in which it is settled.

    But for what has its final mark: it counts for concentration until it is closed.
    """
    workload = Workload(seed, hostile_share=0.02)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    moved = 0
    for _ in range(40):
        for _ in range(50):
            entry = workload.next_entry()
            workload.observe(entry, state.apply([entry])[0])
        for number in sorted(workload.accounts):
            settled = deepcopy(state.world)
            settle_variation(settled, number)
            before, after = (explain(world, number, {}) for world in (state.world, settled))
            moved += before.cash_atoms != after.cash_atoms
            closed_atoms = before.concentration_atoms - after.concentration_atoms
            fallen_atoms = before.maintenance_atoms - after.maintenance_atoms
            assert min(closed_atoms, fallen_atoms) >= 0
            assert closed_atoms or not fallen_atoms
            as_before = after._replace(
                cash_atoms=before.cash_atoms,
                concentration_atoms=before.concentration_atoms,
                initial_atoms=after.initial_atoms + closed_atoms,
                maintenance_atoms=before.maintenance_atoms,
            )
            assert as_before == before
    assert moved > 20, "something is settled"
