"""`proofbook bench recovery` on a tiny stream: both ways back, and what the report says."""

import json
from pathlib import Path

from typer.testing import CliRunner

from proofbook.cli import app


def test_report_has_both_ways_back_and_what_they_consist_of(tmp_path: Path) -> None:
    path = tmp_path / "recovery.json"
    words = "bench recovery --entries 2000 --tail 500 --rounds 1 --json"
    result = CliRunner().invoke(app, [*words.split(), str(path)])
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    steps = {
        "read_files", "open", "kernel", "kernel_and_signatures", "journal", "snapshot_and_tail",
        "sealed_journal", "snapshot_and_sealed_tail", "claims", "claims_from_snapshot",
        "history", "history_from_snapshot",
    }  # fmt: skip
    assert set(report["seconds"]) == set(report["entries_per_second"]) == steps
    assert report["entries"] >= 2_000 and report["tail_entries"] == 500
    assert report["snapshot"]["bytes"] > 0 and report["journal_bytes"] > 0
    assert report["promise"]["seconds_at_most"] == round(report["entries"] / 200_000, 3)
    assert "a start from the journal" in result.output
