"""The bench of the pipeline at a small load: its report is whole, and what it says can be."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.sequencer.stages import RequestStage, WindowStages


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("bench")
    path, picture = folder / "pipeline.json", folder / "pipeline.png"
    options = ["--loads", "1", "--rounds", "1", "--seconds", "0.2", "--folder", str(folder)]
    command = ["bench", "pipeline", *options, "--json", str(path), "--plot", str(picture)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert picture.stat().st_size > 10_000, "a picture was drawn"
    return json.loads(path.read_text())


@pytest.mark.parametrize("kind", ["order", "batch"])
def test_every_load_has_latencies_beside_the_disk(report: dict[str, Any], kind: str) -> None:
    points = report[kind]["points"] + report[kind]["at_target"]
    assert len(points) == 2, "one load, one round"
    for point in points:
        for name in ("latency_us", "fdatasync_us", "sent_late_us"):
            row = point[name]
            assert row["count"] > 0
            assert 0 < row["p50"] <= row["p90"] <= row["p99"] <= row["p999"] <= row["most"]
        stages = {name.removesuffix("_ns") for name in WindowStages._fields[2:]}
        assert set(point["stages_us"]) == stages | set(RequestStage)
        admitted, answered = point["stages_us"]["admit"], point["latency_us"]["count"]
        assert admitted["count"] >= answered and point["stages_us"]["send"]["count"] > 0
        assert point["answered_per_second"] > 0


def test_what_is_sent_is_good(report: dict[str, Any]) -> None:
    """At the first load, below what the venue takes, nothing is refused."""
    for kind in ("order", "batch"):
        assert report[kind]["points"][0]["refused"] == {}


def test_processor_time_has_stages(report: dict[str, Any]) -> None:
    for kind in ("order", "batch"):
        cost = report[kind]["cpu_us"]
        assert cost["all"] > 0 and cost["stages"]["event loop"] >= 0
    assert report["signature_check_us"] > 0


def test_bytes_on_chain_are_those_of_the_encoding(report: dict[str, Any]) -> None:
    assert report["order"]["cpu_us"]["entry_bytes"]["place"] == 139
    assert report["batch"]["cpu_us"]["entry_bytes"]["quote_batch"] == 451
    bytes_kept = [row["is_kept"] for row in report["promises"] if "bytes" in row["promise"]]
    assert bytes_kept == [True, True]
