#!/usr/bin/env python3
"""Build the site of the documentation from Markdown; any warning, a broken link first, fails.

Pages stay plain Markdown that reads well in the repository: what a site needs beyond it, its
navigation, is in docs/navigation.toml and given to Sphinx as the pages are read. Nothing is
downloaded, and the site loads nothing from elsewhere.
"""

import argparse
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "target/site"
NAVIGATION = ROOT / "docs/navigation.toml"
STYLE = ROOT / "docs/site.css"

FRONT_DOOR = '<!doctype html><meta http-equiv="refresh" content="0; url={front}.html">\n'
FONTS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
FONTS_OF_CODE = "ui-monospace, 'Cascadia Mono', 'Noto Sans Mono', 'DejaVu Sans Mono', monospace"


class Part(NamedTuple):
    """Pages under one heading of the navigation, by path without suffix."""

    title: str
    pages: list[str]


class Navigation(NamedTuple):
    front: str
    parts: list[Part]
    below: dict[str, list[str]]

    def pages(self) -> Iterator[str]:
        """Yield every page in the order in which one reads."""
        yield self.front
        for part in self.parts:
            for page in part.pages:
                yield page
                yield from self.below.get(page, [])


def read_navigation() -> Navigation:
    """Return the navigation, with patterns of pages below others resolved."""
    read = tomllib.loads(NAVIGATION.read_text())
    below = {
        page: sorted(
            str(path.relative_to(ROOT).with_suffix("")) for path in ROOT.glob(f"{names}.md")
        )
        for page, names in read["below"].items()
    }
    return Navigation(read["front"], [Part(**part) for part in read["parts"]], below)


def toctree(pages: list[str], caption: str = "") -> str:
    """Return the directive by which Sphinx learns of pages; it shows nothing on the page itself."""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *(f"/{page}" for page in pages), "```", ""])


def directives(navigation: Navigation) -> dict[str, str]:
    """Return what is added to the text of a page, by page."""
    whole = "".join(toctree(part.pages, part.title) for part in navigation.parts)
    return {navigation.front: whole} | {
        page: toctree(pages) for page, pages in navigation.below.items()
    }


def configuration(navigation: Navigation) -> dict[str, Any]:
    """Return Sphinx's settings: those pages, their links checked, the theme with local fonts."""
    fonts = {"font-stack": FONTS, "font-stack--monospace": FONTS_OF_CODE}
    return {
        "project": "Proofbook",
        "extensions": ["myst_parser"],
        "include_patterns": [f"{page}.md" for page in navigation.pages()],
        "exclude_patterns": [
            ".*",
            "target",
            "**/node_modules",
            "crates",
            "src",
            "tests",
            "vectors",
        ],
        "root_doc": navigation.front,
        "highlight_language": "none",
        "myst_heading_anchors": 4,
        "nitpicky": True,
        "smartquotes": False,
        "html_theme": "furo",
        "html_title": "Proofbook",
        "html_theme_options": {"light_css_variables": fonts, "dark_css_variables": fonts},
        "html_static_path": [str(STYLE)],
        "html_css_files": [STYLE.name],
        "html_copy_source": False,
        "html_show_copyright": False,
        "html_show_sphinx": False,
    }


def build(output: Path) -> int:
    """Build the site anew and return the exit code."""
    from sphinx.application import Sphinx

    navigation = read_navigation()
    added = directives(navigation)
    if output.exists():
        shutil.rmtree(output)
    app = Sphinx(
        srcdir=ROOT,
        confdir=None,
        outdir=output,
        doctreedir=ROOT / "target/site-doctrees",
        buildername="html",
        confoverrides=configuration(navigation),
        status=None,
        warning=sys.stderr,
        freshenv=True,
        warningiserror=True,
    )

    def add_directives(_app: Sphinx, page: str, content: list[str]) -> None:
        content[0] += added.get(page, "")

    app.connect("source-read", add_directives)
    app.build(force_all=True)
    (output / "index.html").write_text(FRONT_DOOR.format(front=navigation.front))
    return app.statuscode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder, made anew")
    output = parser.parse_args().output.resolve()
    status = build(output)
    if status == 0:
        print(f"{len(list(read_navigation().pages()))} pages: {output / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
