"""Imports go where ARCHITECTURE.md says that they go, and its table of folders misses none."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/proofbook"
TEXT = (ROOT / "ARCHITECTURE.md").read_text()

ALLOWED: dict[str, set[str]] = {
    "protocol": set(),
    "spec": {"protocol"},
    "api": {"protocol"},
    "chain": {"protocol"},
    "kernel": {"protocol", "_native"},
    "pricing": {"_native"},
    "sequencer": {"api", "protocol", "_native"},
    "queries": {"api", "protocol"},
    "history": {"api", "protocol", "queries"},
    "client": {"api", "protocol"},
    "ingress": {"api", "protocol", "history", "sequencer", "queries", "_native"},
    "settlement": {"api", "chain", "protocol"},
    "verification": {"api", "chain", "protocol", "kernel", "spec"},
    "risk": {"api", "protocol"},
    "liquidity": {"api", "protocol", "client"},
    "recovery": {"api", "protocol", "history", "queries", "sequencer"},
    "node": {"api", "protocol", "history", "ingress", "queries", "recovery", "sequencer"},
    "operation": {
        "api",
        "chain",
        "history",
        "ingress",
        "kernel",
        "node",
        "protocol",
        "recovery",
        "sequencer",
        "settlement",
    },
}
"""The table "Import rule" of ARCHITECTURE.md. What is not here may import anything."""

FREE = {"simulator", "cli"}
DOORS = {
    SOURCE / "ingress/ordinary.py",
    SOURCE / "kernel.py",
    SOURCE / "pricing.py",
    SOURCE / "sequencer/journal.py",
    SOURCE / "sequencer/receipts.py",
}


def part_of(path: Path) -> str:
    """Return the package or module under `proofbook` to which a file belongs."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the parts of `proofbook` that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = (node.module or "").split(".")
            if module[0] == "proofbook":
                yield from module[1:2] or [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (name[1] for name in names if name[0] == "proofbook" and len(name) > 1)


FILES = sorted(
    path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem != "__init__"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_keep_the_direction(path: Path) -> None:
    part = part_of(path)
    if part in FREE:
        return
    assert set(imported(path)) - {part} - ALLOWED[part] == set()


def test_extension_module_has_five_doors() -> None:
    users = {path for path in FILES if "_native" in set(imported(path))}
    assert users == DOORS


def test_reference_and_simulator_stay_out_of_production() -> None:
    users = {part_of(path) for path in FILES if {"spec", "simulator"} & set(imported(path))}
    assert users - {"spec", "simulator"} <= {"verification", "cli"}


def test_rule_of_the_document_names_every_part() -> None:
    rule = TEXT.split("**Import rule**")[1].split("\n## ")[0]
    named = {
        name
        for row in re.findall(r"^\| (.+?) \|", rule, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(ALLOWED) | FREE == {part_of(path) for path in FILES}


def test_table_of_folders_misses_none() -> None:
    packages = {
        f"src/proofbook/{path.name}/"
        for path in SOURCE.iterdir()
        if (path / "__init__.py").exists()
    }
    crates = {f"crates/{path.name}/" for path in (ROOT / "crates").iterdir() if path.is_dir()}
    assert {name for name in packages | crates if f"`{name}`" not in TEXT} == set()


def test_every_module_of_the_state_machine_is_in_the_reading_order() -> None:
    section = TEXT.split("## The state machine, module by module\n")[1].split("\n## ")[0]
    modules = {path.stem for path in (SOURCE / "spec").glob("*.py")} - {"__init__"}
    assert {name for name in modules if f"`{name}`" not in section} == set()


def test_what_a_newcomer_looks_for_is_where_the_document_says() -> None:
    section = TEXT.split("## Where is …\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.strip().splitlines()[2:]]
    for what, file_cell, names_cell in rows:
        files, names = (re.findall(r"`([^`]+)`", cell) for cell in (file_cell, names_cell))
        assert len(files) == 1 and names, f"{what.strip()}: one file, and what to look for in it"
        text = (ROOT / files[0]).read_text()
        missing = [name for name in names if not re.search(rf"\b{name}\b *[(<:=]", text)]
        assert missing == [], f"{what.strip()}: {files[0]} has them"
