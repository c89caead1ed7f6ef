"""The margin report: every term of what an account owns and needs, as it is or with changes.

It changes nothing; who wants to know what an order would need asks here.
"""

from collections.abc import Iterator

from proofbook.protocol.limits import INSTRUMENTS_PER_ACCOUNT_MAX, POSITION_LOTS_MAX
from proofbook.protocol.margin_report import (
    Change,
    ChangesAsked,
    ExpiryReport,
    MarginReport,
    QuestionInvalid,
    UnderlyingReport,
)
from proofbook.spec import add_ons, collateral, margin
from proofbook.spec.accounts import cash_atoms
from proofbook.spec.exposure import Exposure
from proofbook.spec.portfolio import portfolio
from proofbook.spec.scenario_margin import Totals, UnderlyingTotals
from proofbook.spec.world import World


def explain(world: World, account: int, changes: ChangesAsked) -> MarginReport:
    """Return what an account owns and needs, with changes at their marks.

    Underlyings and expiries in which nothing can be lost are left out.

    Raises QuestionInvalid: no such account or instrument, or more than an account may hold.
    """
    if not world.account_exists(account) or not all(
        slot in world.instruments and _is_bounded(change) for slot, change in changes.items()
    ):
        raise QuestionInvalid
    if len(changes) > INSTRUMENTS_PER_ACCOUNT_MAX:
        raise QuestionInvalid
    asked = {slot: Exposure(*change) for slot, change in changes.items()}
    whole = portfolio(world, account, asked)
    return MarginReport(
        account,
        whole.mode,
        whole.equity_atoms,
        cash_atoms(world, account),
        collateral.value_atoms(world, whole.balances),
        whole.stale_low_atoms,
        whole.stale_high_atoms,
        margin.initial_margin_up(world, whole),
        margin.maintenance_margin_up(world, whole),
        margin.positions_initial_up(world, whole),
        add_ons.concentration_up(world, whole, whole.totals),
        add_ons.confidence_up(world, whole.totals),
        whole.reserve_atoms,
        tuple(_underlyings(whole.totals)),
    )


def _is_bounded(change: Change) -> bool:
    sizes = abs(change.lots), change.buys, change.sells
    return all(0 <= size <= POSITION_LOTS_MAX for size in sizes)


def _underlyings(totals: Totals) -> Iterator[UnderlyingReport]:
    for number, each in sorted(totals.items()):
        report = _underlying(number, each)
        if report.worst_loss_atoms or report.is_stale or report.expiries:
            yield report


def _underlying(number: int, totals: UnderlyingTotals) -> UnderlyingReport:
    columns = totals.columns
    expiries = (
        ExpiryReport(expiry, each.skew_loss, each.basis.size, each.naked)
        for expiry, each in sorted(totals.expiries.items())
    )
    return UnderlyingReport(
        number,
        columns.index(min(columns)),
        totals.worst_loss,
        totals.stale_legs > 0,
        tuple(report for report in expiries if any(report[1:])),
    )
