"""What a rehearsal came to, as JSON has it: the same for the same seed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from proofbook.simulator.rehearsal.rehearsal import LATENCY_NS, Rehearsal
from proofbook.simulator.rehearsal.stage import USD

NS_PER_MS = 10**6
PERCENTILES = (50, 99, 100)


def report(rehearsal: Rehearsal, seed: int) -> dict[str, Any]:
    """Return the report of a rehearsal that is over."""
    stage, tally, track = rehearsal.stage, rehearsal.tally, rehearsal.track
    scenario = stage.scenario
    return {
        "scenario": scenario.name,
        "seed": seed,
        "seconds": scenario.seconds,
        "steps": scenario.steps,
        "spot_usd": {
            "first": scenario.first_price_usd,
            "lowest": round(min(track.spot_usd), 2),
            "last": round(track.spot_usd[-1], 2),
        },
        "volatility_highest": round(max(track.volatility), 4),
        "accounts": _accounts(rehearsal),
        "liquidation": {
            "orders_ended": tally.unbacked,
            "slices": tally.slices,
            "slices_unfilled": tally.slices_unfilled,
            "value_usd": _usd(tally.value_atoms),
            "slippage_usd": _usd(tally.slippage_atoms),
            "slippage_ppm": tally.slippage_ppm,
            "fees_usd": _usd(tally.fees_atoms),
            "latency_ms": LATENCY_NS // NS_PER_MS,
            "mark_to_first_slice_ms": _percentiles(tally.first_step_ns),
            "mark_to_covered_ms": _percentiles(tally.covered_ns),
        },
        "auctions": {
            "begun": tally.auctions,
            "begun_against_the_fund": tally.auctions_insolvent,
            "running_at_the_end": track.auctions[-1],
            "bids_taken": tally.auction_bids_taken,
            "premiums_usd": _usd(tally.premiums_atoms),
            "premiums_from_the_fund_usd": _usd(tally.fund_premiums_atoms),
        },
        "deleveraging": {
            "begun": tally.deleveragings,
            "holders": len(tally.deleveraged),
            "value_usd": _usd(tally.deleveraged_atoms),
            "charged_usd": _usd(tally.charges_atoms),
        },
        "debts": {
            "covered_usd": _usd(tally.covered_debts_atoms),
            "most_beyond_the_fund_usd": _usd(tally.uncovered_atoms),
            "left_usd": _usd(rehearsal.debts_atoms()),
        },
        "expiries": {
            "settled": tally.expiries,
            "positions": tally.settled_positions,
            "value_usd": _usd(tally.settled_atoms),
        },
        "withdrawals": {
            "paid_usd": _usd(tally.withdrawn_atoms),
            "withheld_usd": _usd(tally.withheld_atoms),
        },
        "fund_usd": {
            "first": round(track.fund_usd[0], 2),
            "lowest": round(min(track.fund_usd), 2),
            "last": round(track.fund_usd[-1], 2),
        },
        "recounts": len(rehearsal.ledgers),
        "atoms_lost": max(abs(ledger.atoms_lost) for ledger in rehearsal.ledgers),
        "applied": dict(sorted(tally.applied.items())),
        "rejected": dict(sorted(tally.rejected.items())),
    }


def _accounts(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return how many took part, and what became of them."""
    crowd, tally = rehearsal.crowd, rehearsal.tally
    return {
        "traders": len(crowd.traders),
        "makers": len(crowd.makers),
        "bidders": len(crowd.bidders),
        "liquidated": len(tally.liquidated),
        "liquidated_by_role": _by_role(rehearsal),
        "whale_liquidated": crowd.whale in tally.liquidated,
        "below_at_the_end": tally.below,
    }


def _by_role(rehearsal: Rehearsal) -> dict[str, int]:
    """Return how many of each kind of trader were liquidated."""
    liquidated = rehearsal.tally.liquidated
    roles = Counter(t.role for t in rehearsal.crowd.traders if t.account in liquidated)
    return dict(sorted(roles.items()))


def _usd(atoms: int) -> float:
    return round(atoms / USD, 2)


def _percentiles(times_ns: Sequence[int]) -> dict[str, float]:
    """Return nearest ranks in ms; of no times none."""
    ranked = sorted(times_ns)
    return {
        f"p{share}": round(ranked[max(0, -(-share * len(ranked) // 100) - 1)] / NS_PER_MS, 3)
        for share in PERCENTILES
        if ranked
    }
