#!/usr/bin/env python3
"""Measure what the style asks for: lengths, names, and calls that have a place of their own.

Findings above their allowance in tests/tidy/allowed.json are printed, and the exit code is 1.
`--ratchet` lowers allowances to what is found today; it never raises one.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = "tests/tidy/allowed.json"

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_CHARACTERS_MAX = 100

CODE_FOLDERS = ("src", "tests", "tools", "typings", "benchmarks", "crates", "contracts", "web")
CODE_SUFFIXES = {".py", ".pyi", ".rs", ".sol", ".ts"}
TEXT_SUFFIXES = CODE_SUFFIXES | {".md", ".toml", ".sh", ".js", ".mjs", ".cjs", ".tsx"}
FOREIGN_FOLDERS = {"node_modules", "out", "cache", "target", "__pycache__"}

GENERATED = {
    "src/proofbook/protocol/limits.py",
    "src/proofbook/protocol/records.py",
    "src/proofbook/protocol/parameters.py",
    "src/proofbook/spec/normal_table.py",
    "crates/kernel/src/limits.rs",
    "crates/kernel/src/records.rs",
    "crates/kernel/src/parameters.rs",
    "crates/kernel/src/normal_table.rs",
    "contracts/src/Limits.sol",
    "web/src/protocol/limits.ts",
}

NAMELESS_STEMS = {"util", "utils", "helper", "helpers", "manager", "managers", "misc"}
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")

EXACT_FOLDERS = ("src/proofbook/protocol/", "src/proofbook/spec/")
PRINTING_FOLDERS = ("src/proofbook/cli/",)
CLOCK_PLACES = ("src/proofbook/cli/", "src/proofbook/sequencer/clock.py")
WALL_CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}

FUNCTION_STARTS = {
    ".rs": re.compile(r"\bfn\s+(\w+)"),
    ".sol": re.compile(r"\b(function\s+\w+|constructor|modifier\s+\w+|fallback|receive)\s*\("),
    ".ts": re.compile(r"\bfunction\s+(\w+)"),
}
OPAQUE = re.compile(
    r"//[^\n]*|/\*.*?\*/|r(#+)\".*?\"\1|\"(?:\\.|[^\"\\])*\"|'(?:\\.[^']*|[^'\\\n])'", re.DOTALL
)
"""Comments, texts and characters of Rust, Solidity, TypeScript, whose braces open no block."""


class Finding(NamedTuple):
    """Something above a limit: where, how much, and what the limit is."""

    subject: str
    value: int
    limit: int


Rule: TypeAlias = Callable[[Path], Iterator[Finding]]
Allowances: TypeAlias = dict[str, dict[str, int]]


# What is looked at


def code_files(root: Path, suffixes: set[str] = CODE_SUFFIXES) -> list[Path]:
    """Return the files of code that people wrote here."""
    found = (path for folder in CODE_FOLDERS for path in (root / folder).rglob("*"))
    return sorted(
        path
        for path in found
        if path.suffix in suffixes
        and path.is_file()
        and not FOREIGN_FOLDERS & set(path.relative_to(root).parts)
        and place(root, path) not in GENERATED
    )


def text_files(root: Path) -> list[Path]:
    """Return code, documents and settings."""
    documents = [*root.glob("*.md"), *root.glob("*.toml"), *root.glob("Makefile")]
    documents += (root / "docs").rglob("*.md")
    return sorted({*documents, *code_files(root, TEXT_SUFFIXES)})


def product_files(root: Path) -> list[Path]:
    """Return the modules of the package."""
    package = root / "src/proofbook"
    return [path for path in code_files(root, {".py"}) if path.is_relative_to(package)]


def place(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


# Lengths


def long_functions(root: Path) -> Iterator[Finding]:
    """Yield functions of more than 70 lines, docstrings not counted."""
    for path in code_files(root):
        text = path.read_text()
        lengths = python_lengths(text) if path.suffix == ".py" else block_lengths(text, path.suffix)
        for name, lines in lengths:
            if lines > FUNCTION_LINES_MAX:
                yield Finding(f"{place(root, path)}::{name}", lines, FUNCTION_LINES_MAX)


def python_lengths(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the lines of every function of a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, lines


def block_lengths(text: str, suffix: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the lines of every function with a body between braces."""
    pattern = FUNCTION_STARTS.get(suffix)
    if pattern is None:
        return
    code = OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in pattern.finditer(code):
        end = body_end(code, match.end())
        if end is not None:
            name = match[1].removeprefix("function").removeprefix("modifier").strip()
            yield name, code.count("\n", match.start(), end) + 1


def body_end(code: str, start: int) -> int | None:
    """Return where the braces of a function close; None if it has no body."""
    depth = brackets = 0
    for offset in range(start, len(code)):
        sign = code[offset]
        brackets += (sign in "([") - (sign in ")]")
        depth += (sign == "{") - (sign == "}")
        if sign == "}" and depth == 0:
            return offset
        if sign == ";" and depth == 0 and brackets <= 0:
            return None
    return None


def long_files(root: Path) -> Iterator[Finding]:
    """Yield files of more than 600 lines."""
    for path in code_files(root):
        lines = len(path.read_text().splitlines())
        if lines > FILE_LINES_MAX:
            yield Finding(place(root, path), lines, FILE_LINES_MAX)


def long_lines(root: Path) -> Iterator[Finding]:
    """Yield files with lines of more than 100 characters, and how many."""
    for path in code_files(root):
        count = sum(len(line) > LINE_CHARACTERS_MAX for line in path.read_text().splitlines())
        if count:
            yield Finding(place(root, path), count, 0)


# Names and words


def nameless_files(root: Path) -> Iterator[Finding]:
    """Yield files and folders whose name says nothing about what is in them."""
    for path in code_files(root):
        words = {Path(part).stem.lower() for part in path.relative_to(root).parts}
        if words & NAMELESS_STEMS:
            yield Finding(place(root, path), 1, 0)


def unfinished_work(root: Path) -> Iterator[Finding]:
    """Yield files with notes of work left to do."""
    for path in text_files(root):
        count = len(UNFINISHED.findall(path.read_text()))
        if count:
            yield Finding(place(root, path), count, 0)


# Calls that have a place of their own


def counted(
    root: Path,
    is_out_of_place: Callable[[ast.AST], bool],
    folders: tuple[str, ...],
    is_inside: bool,
) -> Iterator[Finding]:
    """Yield modules in which a node occurs inside, or outside, the folders, and how often."""
    for path in product_files(root):
        if place(root, path).startswith(folders) == is_inside:
            count = sum(map(is_out_of_place, ast.walk(ast.parse(path.read_text()))))
            if count:
                yield Finding(place(root, path), count, 0)


def is_print(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def is_wall_clock(node: ast.AST) -> bool:
    """Whether a node reads the time of day, or imports what would read it without its module."""
    if isinstance(node, ast.ImportFrom) and node.module == "time":
        return any(alias.name in ("time", "time_ns") for alias in node.names)
    if not isinstance(node, ast.Attribute):
        return False
    owner = node.value.attr if isinstance(node.value, ast.Attribute) else ""
    owner = node.value.id if isinstance(node.value, ast.Name) else owner
    return (owner, node.attr) in WALL_CLOCKS


def is_inexact(node: ast.AST) -> bool:
    """Whether a node makes a floating-point number."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float | complex)
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return isinstance(node.op, ast.Div)
    return isinstance(node, ast.Name) and node.id == "float"


def is_bare_except(node: ast.AST) -> bool:
    return isinstance(node, ast.ExceptHandler) and node.type is None


def is_search_for_oldest(node: ast.AST) -> bool:
    """Whether a node takes a key out by `next(iter(…))`: a dictionary steps over all lost ones."""
    keys = [node.slice] if isinstance(node, ast.Subscript) else []
    keys += node.args if isinstance(node, ast.Call) else []
    return any(ast.unparse(key).startswith("next(iter(") for key in keys)


def stray_prints(root: Path) -> Iterator[Finding]:
    """Yield modules beside the command line that print."""
    return counted(root, is_print, PRINTING_FOLDERS, is_inside=False)


def stray_clocks(root: Path) -> Iterator[Finding]:
    """Yield modules that read the time of day and are not given it."""
    return counted(root, is_wall_clock, CLOCK_PLACES, is_inside=False)


def inexact_numbers(root: Path) -> Iterator[Finding]:
    """Yield modules of the state machine with floating-point numbers."""
    return counted(root, is_inexact, EXACT_FOLDERS, is_inside=True)


def bare_excepts(root: Path) -> Iterator[Finding]:
    """Yield modules that catch whatever comes, interrupts included."""
    return counted(root, is_bare_except, ("src/",), is_inside=True)


def searches_for_oldest(root: Path) -> Iterator[Finding]:
    """Yield modules that make room in a dictionary as in a queue: an OrderedDict is one."""
    return counted(root, is_search_for_oldest, ("src/",), is_inside=True)


RULES: dict[str, Rule] = {
    "function-lines": long_functions,
    "file-lines": long_files,
    "line-characters": long_lines,
    "file-names": nameless_files,
    "unfinished": unfinished_work,
    "print": stray_prints,
    "wall-clock": stray_clocks,
    "inexact": inexact_numbers,
    "bare-except": bare_excepts,
    "oldest": searches_for_oldest,
}


# Allowances, which only shrink


def read_allowed(root: Path) -> Allowances:
    return json.loads((root / ALLOWED).read_text())


def excesses(rule: str, root: Path, allowed: Allowances) -> list[str]:
    """Return a sentence for every finding above its allowance."""
    return [
        f"{finding.subject}: {rule} {finding.value}, at most "
        f"{allowed.get(rule, {}).get(finding.subject, finding.limit)}"
        for finding in RULES[rule](root)
        if finding.value > allowed.get(rule, {}).get(finding.subject, finding.limit)
    ]


def ratcheted(root: Path, allowed: Allowances) -> Allowances:
    """Return the allowances lowered to what is found; those without a finding are gone."""
    lowered: Allowances = {}
    for rule, subjects in allowed.items():
        found = {finding.subject: finding.value for finding in RULES[rule](root)}
        left = {name: min(value, found[name]) for name, value in subjects.items() if name in found}
        if left:
            lowered[rule] = left
    return lowered


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--ratchet", action="store_true", help="lower the allowances to what is found today"
    )
    arguments = parser.parse_args()
    allowed = read_allowed(ROOT)
    if arguments.ratchet:
        allowed = ratcheted(ROOT, allowed)
        (ROOT / ALLOWED).write_text(json.dumps(allowed, indent=2, sort_keys=True) + "\n")
    found = [sentence for rule in RULES for sentence in excesses(rule, ROOT, allowed)]
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
