"""Reading option chains: what is used, what is counted, what is refused."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.protocol.limits import EXPIRIES_PER_UNDERLYING_MAX, InstrumentKind
from proofbook.risk.market import grid_of, listing_plan
from proofbook.risk.snapshot import SnapshotFault, Unusable, read_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures" / "chains"
DATA = os.environ.get("PROOFBOOK_DATA")

BROKEN_ROWS = {
    "currency_unknown": 2,
    "duplicate": 2,
    "expired": 2,
    "expires_too_late": 1,
    "expires_too_soon": 1,
    "expiry_off_grid": 1,
    "field_missing": 3,
    "field_surplus": 1,
    "forward_not_positive": 1,
    "index_not_positive": 1,
    "not_a_number": 4,
    "option_type_unknown": 1,
    "price_out_of_range": 1,
    "quote_crossed": 1,
    "quote_negative": 1,
    "snapshot_time_differs": 1,
    "strike_not_positive": 2,
    "strike_off_grid": 1,
    "strike_out_of_range": 1,
    "time_invalid": 3,
    "volatility_out_of_range": 3,
}


def test_clean_file_gives_one_chain_per_currency() -> None:
    snapshot = read_snapshot(FIXTURES / "clean.csv")
    assert snapshot.rows_unusable == {}, "every row of the clean file is usable"
    assert [chain.symbol for chain in snapshot.chains] == ["BTC", "ETH"]
    bitcoin, ether = snapshot.chains
    assert bitcoin.index_atoms == 90_010_250_000, "index in quote atoms"
    assert bitcoin.expiries[0].forward_atoms == 90_250_500_000, "forward in quote atoms"
    assert bitcoin.strike_step_atoms == 5_000_000_000, "largest common step of the strikes"
    assert snapshot.taken_ns == 1_767_614_400_000_000_000, "2026-01-05 12:00 UTC"
    assert ether.options_count == 2


def test_prices_are_turned_from_coin_to_usd_and_absent_quotes_are_none() -> None:
    bitcoin, ether = read_snapshot(FIXTURES / "clean.csv").chains
    call = bitcoin.expiries[0].options[0]
    assert call.kind == InstrumentKind.CALL and call.bid_usd == pytest.approx(0.045 * 90_250.5)
    put = next(o for o in ether.expiries[0].options if o.kind == InstrumentKind.PUT)
    assert put.bid_usd is None and put.ask_usd is None, "empty and zero both mean no quote"


def test_broken_rows_are_counted_by_reason_and_leave_the_rest_alone() -> None:
    broken = read_snapshot(FIXTURES / "broken_rows.csv")
    assert broken.rows_unusable == BROKEN_ROWS
    assert broken.chains == read_snapshot(FIXTURES / "clean.csv").chains


def test_every_reason_but_the_limits_has_a_broken_row() -> None:
    limits = {Unusable.EXPIRY_LIMIT, Unusable.INSTRUMENT_LIMIT}
    assert {reason.value for reason in Unusable} - limits == set(BROKEN_ROWS)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("strike", "80_000", Unusable.NOT_A_NUMBER),
        ("implied_volatility", "\uff11", Unusable.NOT_A_NUMBER),
        ("implied_volatility", "10", Unusable.VOLATILITY_OUT_OF_RANGE),
    ],
)
def test_numbers_are_as_exchanges_write_them_and_fit_a_published_slice(
    column: str, value: str, reason: Unusable, tmp_path: Path
) -> None:
    with (FIXTURES / "clean.csv").open() as file:
        rows = list(csv.DictReader(file))
    row = max(rows, key=lambda row: row["expiry_datetime"])
    expiry = "2026-12-25T08:00:00+00:00"
    rows.append(row | {"expiry_datetime": expiry, column: value})
    with (tmp_path / "changed.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert read_snapshot(tmp_path / "changed.csv").rows_unusable == {reason: 1}


def test_the_farthest_expiries_above_the_limit_are_left_out() -> None:
    snapshot = read_snapshot(FIXTURES / "many_expiries.csv")
    (chain,) = snapshot.chains
    assert len(chain.expiries) == EXPIRIES_PER_UNDERLYING_MAX
    assert snapshot.rows_unusable == {"expiry_limit": 4}, "two expiries of two options each"


def test_a_file_cut_off_in_the_last_row_loses_that_row_only() -> None:
    truncated = read_snapshot(FIXTURES / "truncated.csv")
    assert truncated.rows_unusable == {"field_missing": 1}
    assert truncated.rows == read_snapshot(FIXTURES / "clean.csv").rows


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("empty.csv", "is empty"),
        ("binary.csv", "is no CSV text"),
        ("nul_bytes.csv", "is no CSV text"),
        ("other_columns.csv", "has no column timestamp"),
        ("heading_only.csv", "has a heading and no rows"),
        ("nothing_usable.csv", "none of its 2 rows is usable"),
        ("no_times.csv", "no row has a readable timestamp"),
        ("absent.csv", "No such file"),
        (".", "Is a directory"),
    ],
)
def test_a_file_that_is_no_chain_is_a_named_fault(name: str, problem: str) -> None:
    with pytest.raises(SnapshotFault) as caught:
        read_snapshot(FIXTURES / name)
    assert caught.value.problem.startswith(problem)
    assert name in str(caught.value) or name == ".", "the message names the file"


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 2000), junk=st.binary(max_size=12), cut=st.integers(0, 4000))
def test_any_damage_to_a_file_is_counted_or_refused_but_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: bytes, cut: int
) -> None:
    data = (FIXTURES / "clean.csv").read_bytes()
    path = tmp_path_factory.mktemp("damaged") / "chain.csv"
    path.write_bytes(data[:place] + junk + data[place + len(junk) : cut])
    try:
        snapshot = read_snapshot(path)
    except SnapshotFault:
        return
    used = sum(chain.options_count for chain in snapshot.chains)
    assert used + sum(snapshot.rows_unusable.values()) == snapshot.rows, "every row is accounted"


@pytest.mark.skipif(DATA is None, reason="PROOFBOOK_DATA names no folder of real option chains")
def test_real_chains_are_used_to_the_last_row() -> None:
    files = sorted(Path(DATA or "").glob("deribit_chains/*.csv"))
    assert files, "the folder holds option chains"
    for path in files:
        snapshot = read_snapshot(path)
        assert snapshot.rows_unusable == {}, path.name
        assert sum(chain.options_count for chain in snapshot.chains) == snapshot.rows
        assert len(listing_plan(snapshot)) == snapshot.rows + len(snapshot.chains)
        for chain in snapshot.chains:
            grid_of(chain, quorum=2)
