"""Every command and program on the pages of docs/ runs, against a venue of `proofbook up`."""

import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.docs.snippets import ROOT, RUN, blocks, not_shown, run
from tools.documentation import read_navigation

PAGES = [ROOT / f"{page}.md" for page in read_navigation().pages() if page.startswith("docs/")]
"""In the order in which one reads: the first pages meet a venue on which nobody has traded."""

NOT_RUN_MAX = 8
START_SECONDS_MAX = 180.0
LANGUAGES = {"", "json", "toml", "text", *RUN}
TYPED = ("proofbook ", "make ", "python ", "export ", "curl ", ".venv/", "$ ")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


PAGES_THAT_RUN = [page for page in PAGES if any(block.is_run for block in blocks(page))]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that a development venue asks its reader to export."""
    folder = tmp_path_factory.mktemp("venue")
    written, log = folder / "up.json", folder / "up.log"
    command = [sys.executable, "-m", "proofbook.cli", "up", "--json", str(written)]
    with log.open("wb") as sink:
        venue = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not written.is_file() or not written.read_text().endswith("}\n"):
            assert venue.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield variables(json.loads(written.read_text()))
    finally:
        venue.terminate()
        venue.wait()


def variables(running: dict[str, object]) -> dict[str, str]:
    """Return what the venue's own words say to export."""
    first = running["accounts"][0]  # type: ignore[index]
    return {
        "PROOFBOOK_URL": str(running["websocket"]),
        "PROOFBOOK_RPC": str(running["rpc"]),
        "PROOFBOOK_CHAIN_ID": str(running["chain_id"]),
        "PROOFBOOK_CONTRACT": str(running["contract"]),
        "PROOFBOOK_SEQUENCER": str(running["sequencer"]),
        "PROOFBOOK_JOURNAL": str(running["journal"]),
        "PROOFBOOK_ACCOUNT": str(first["account"]),
        "PROOFBOOK_KEY": str(first["key"]),
        "PROOFBOOK_PUBLISHER_KEY": str(running["publishers"][0]),  # type: ignore[index]
    }


@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=named)
def test_what_a_page_says_runs(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    written = blocks(page)
    ran = run(written, tmp_path, environment)
    last = list(ran.outputs)[-1]
    assert ran.status == 0, f"{named(page)}:{last}: status {ran.status}\n{ran.outputs[last]}"
    for before, shown in pairwise(written):
        if shown.language == "text" and before.is_run:
            missing = not_shown(shown, ran.outputs[before.line])
            printed = ran.outputs[before.line]
            assert missing == [], f"{named(page)}:{shown.line} shows more than\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_is_typed_is_marked_as_such(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"line {block.line}: {block.language}"
        if block.language == "":
            typed = [line for line in block.text.splitlines() if line.startswith(TYPED)]
            assert typed == [], f"line {block.line}: mark the block as `sh`"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_shown_can_be_read(page: Path) -> None:
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    left_out = [
        block
        for page in PAGES
        for block in blocks(page)
        if block.language in RUN and not block.is_run
    ]
    assert len(left_out) <= NOT_RUN_MAX
    reasons = [block.why_not_run or "" for block in left_out]
    assert all(reason.endswith(".") for reason in reasons)
