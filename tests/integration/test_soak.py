"""A soak runs a venue of its own and tells how its memory grew; what it tells is computed right."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.simulator.soak import abuse
from proofbook.simulator.soak.samples import Sample, read_metrics, slope, warm_from

METRICS = """\
# TYPE proofbook_seq gauge
proofbook_seq 42.0
# TYPE proofbook_tasks gauge
proofbook_tasks 7.0
# TYPE proofbook_kept gauge
proofbook_kept{what="receipts"} 10.0
proofbook_kept{what="books"} 3.0
# TYPE proofbook_kept_max gauge
proofbook_kept_max{what="receipts"} 20.0
# TYPE process_open_fds gauge
process_open_fds 9.0
"""


def test_metrics_are_read_by_name_and_label() -> None:
    gauges, kept, kept_max = read_metrics(METRICS)
    assert gauges == {"seq": 42, "tasks": 7}
    assert kept == {"receipts": 10, "books": 3} and kept_max == {"receipts": 20}


def test_a_straight_line_has_its_slope_and_no_error() -> None:
    found = slope(range(60), [1_000 + second for second in range(60)])
    assert found is not None
    assert found.kib_per_minute == pytest.approx(60) and found.error == pytest.approx(0, abs=0.01)


def test_noise_around_nothing_has_an_error_that_covers_its_slope() -> None:
    random = np.random.default_rng(1)
    apart = sum(
        abs(found.kib_per_minute) < 2 * found.error
        for _ in range(200)
        if (found := slope(range(120), random.normal(0, 100, 120).tolist())) is not None
    )
    assert apart > 180, "nine of ten lines through noise are within two errors of level"


def test_neighbours_that_err_together_make_the_error_larger() -> None:
    random = np.random.default_rng(1)
    noise = np.repeat(random.normal(0, 10, 30), 10)
    together = slope(range(300), noise.tolist())
    apart = slope(range(300), random.permutation(noise).tolist())
    assert together is not None and apart is not None and together.error > 2 * apart.error


def test_too_few_samples_have_no_slope() -> None:
    assert slope(range(7), range(7)) is None


def sample(second: float, receipts: int) -> Sample:
    kept = {"receipts": receipts, "answer_bytes": 0}
    return Sample(second, 1, 1, 1, {}, kept, {"receipts": 100, "answer_bytes": 1 << 20})


def test_a_venue_is_warm_when_all_is_full_and_never_later_than_at_half_time() -> None:
    filling = [sample(second, min(100, 10 * second)) for second in range(61)]
    assert warm_from(filling, 0) == 10
    assert warm_from(filling, 20) == 20, "not before the abuse has begun"
    assert warm_from([sample(second, second) for second in range(61)], 0) == 30


@pytest.mark.slow
def test_a_short_soak_counts_every_abuse_and_loses_no_honest_client(tmp_path: Path) -> None:
    path, picture = tmp_path / "soak.json", tmp_path / "soak.png"
    arguments = [
        "bench", "soak", "--minutes", "0.75", "--commands", "60", "--abuse", "20",
        "--kept", "256", "--json", str(path), "--plot", str(picture),
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(path.read_text())
    answers = report["answers"]
    assert set(answers["abuse"]) >= set(abuse.KINDS) - {"slow_reader"}
    assert set(answers["honest"]["honest"]) == {"SERVED"}, "nobody honest was refused"
    refused = {"SIGNATURE_INVALID", "RATE_LIMITED"}
    assert set(answers["abuse"]["signature_spam"]) <= refused
    assert "APPLIED" in answers["load"]["quote_batch"]
    assert all(each["kept"] <= each["most"] for each in report["kept"].values() if each["most"]), (
        "nothing is kept beyond its limit"
    )
    assert report["resident_growth"]["venue"] is not None
    assert picture.stat().st_size > 10_000
