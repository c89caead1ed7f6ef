"""The site has every page once, is built without a warning, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tools.documentation import ROOT, read_navigation

OUTER_NAMES = {"SECURITY", "ARCHITECTURE", "CONTRIBUTING", "STYLE", "CHANGELOG", "README"}
BENCHMARKS = {"benchmarks/README", "benchmarks/NOTES"}
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["'](?:https?:)?//"""
    r"""|<link[^>]+rel=["'](?:stylesheet|preload|preconnect|icon)["'][^>]+href=["'](?:https?:)?//"""
    r"""|(?:@import\s+|url\()["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "tools/documentation.py"), "--output", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


def test_navigation_leads_to_every_page_once() -> None:
    written = {str(path.relative_to(ROOT).with_suffix("")) for path in ROOT.glob("docs/**/*.md")}
    assert Counter(read_navigation().pages()) == Counter(written | OUTER_NAMES | BENCHMARKS)


def test_every_page_is_built(site: Path) -> None:
    missing = [
        page
        for page in read_navigation().pages()
        if not (site / page).with_suffix(".html").exists()
    ]
    assert missing == []
    assert (site / "index.html").exists() and (site / "search.html").exists()


def test_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loading = {
        str(path.relative_to(site)): found
        for path in site.rglob("*")
        if path.suffix in {".html", ".css"} and (found := LOADED.findall(path.read_text()))
    }
    assert loading == {}
