#!/usr/bin/env python3
"""Run every check of the project and close with `N passed, N failed`, summed over all runners.

Each step streams its output. A step that ends badly without counting a failure counts as one.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
FORGE = ROOT / "contracts/tools/forge"
TSC = ROOT / "web/node_modules/.bin/tsc"

CARGO_LINE = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")
FORGE_LINE = re.compile(r"^Ran \d+ test suites? .*: (\d+) tests passed, (\d+) failed,")
NODE_LINE = re.compile(r"^# (pass|fail|cancelled) (\d+)$")
FUZZ_LINE = re.compile(r"^(\d+) passed, (\d+) failed$")
PYTEST_LINE = re.compile(r"^=*\s*(?:\d+ \w+(?:, )?)+ in [\d.]+s")
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

WORKERS = ["-n", "auto", "--maxprocesses", "8", "--dist", "loadfile", "--no-loadscope-reorder"]
"""A worker for each core. The tests of a file share a venue: they stay together, and in order."""


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0

    def plus(self, other: "Count") -> "Count":
        return Count(self.passed + other.passed, self.failed + other.failed)


class Step(NamedTuple):
    """One command and how the lines that it prints are counted."""

    name: str
    command: list[str]
    folder: Path = ROOT
    count: Callable[[str], Count] = lambda _line: Count()
    environment: tuple[tuple[str, str], ...] = ()


def count_cargo(line: str) -> Count:
    match = CARGO_LINE.match(line)
    return Count(int(match[1]), int(match[2])) if match else Count()


def count_forge(line: str) -> Count:
    match = FORGE_LINE.match(line)
    return Count(int(match[1]), int(match[2])) if match else Count()


def count_node(line: str) -> Count:
    match = NODE_LINE.match(line)
    if match is None:
        return Count()
    return Count(passed=int(match[2])) if match[1] == "pass" else Count(failed=int(match[2]))


def count_fuzz(line: str) -> Count:
    match = FUZZ_LINE.match(line)
    return Count(int(match[1]), int(match[2])) if match else Count()


def count_pytest(line: str) -> Count:
    if not PYTEST_LINE.match(line):
        return Count()
    words = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}
    failed = words.get("failed", 0) + words.get("error", 0) + words.get("errors", 0)
    return Count(words.get("passed", 0), failed)


def lint_steps() -> list[Step]:
    """Return the checks that run no test."""
    clippy = ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--quiet"]
    clippy += ["--", "-D", "warnings"]
    contracts, own_cache = ROOT / "contracts", (("FOUNDRY_PROFILE", "lint"),)
    python = [
        folder for folder in ("src", "tests", "tools", "benchmarks") if (ROOT / folder).is_dir()
    ]
    return [
        Step("ruff", [str(BIN / "ruff"), "check", *python]),
        Step("ruff format", [str(BIN / "ruff"), "format", "--check", *python]),
        Step("generated files", [str(BIN / "python"), "tools/generate.py", "--check"]),
        Step("pyright", [str(BIN / "pyright")]),
        Step("cargo fmt", ["cargo", "fmt", "--all", "--check"]),
        Step("cargo clippy", clippy),
        Step("tsc", [str(TSC), "--noEmit"], ROOT / "web"),
        Step("forge fmt", [str(FORGE), "fmt", "--check"], contracts),
        Step("forge lint", [str(FORGE), "lint"], contracts, environment=own_cache),
    ]


def test_steps(is_slow: bool) -> list[Step]:
    """Return the test runners; the slow ones run only what is too long for every change."""
    pytest, contracts = [str(BIN / "pytest"), "--color=no", *WORKERS], ROOT / "contracts"
    if is_slow:
        profile = (("FOUNDRY_PROFILE", "slow"),)
        return [
            Step("forge test, slow", [str(FORGE), "test"], contracts, count_forge, profile),
            Step("fuzz", [str(BIN / "python"), "tools/fuzz.py"], count=count_fuzz),
            Step("pytest, slow", [*pytest, "-m", "slow"], count=count_pytest),
        ]
    cargo = ["cargo", "test", "--workspace", "--locked"]
    return [
        Step("cargo test", cargo, count=count_cargo),
        Step("forge test", [str(FORGE), "test"], contracts, count_forge),
        Step("node test", ["npm", "test", "--silent"], ROOT / "web", count_node),
        Step("pytest", pytest, count=count_pytest),
    ]


def run(step: Step) -> Count:
    """Run one step, passing its output through, and return its count."""
    print(f"── {step.name}: {' '.join(Path(word).name for word in step.command[:3])} …", flush=True)
    started = time.monotonic()
    environment = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
    process = subprocess.Popen(
        step.command,
        cwd=step.folder,
        env=environment | dict(step.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None, "the pipe was asked for"
    count = Count()
    with process.stdout:
        for line in process.stdout:
            print(line, end="", flush=True)
            count = count.plus(step.count(ESCAPES.sub("", line)))
    if process.wait() != 0 and count.failed == 0:
        count = count.plus(Count(failed=1))
    verdict = "FAILED" if count.failed else "ok"
    print(f"── {step.name}: {verdict} in {time.monotonic() - started:.1f} s", flush=True)
    return count


def run_all(steps: Iterable[Step]) -> int:
    """Run the steps, all of them even after a failure, and return the exit code."""
    total, failures = Count(), []
    for step in steps:
        count = run(step)
        total = total.plus(count)
        if count.failed:
            failures.append(step.name)
    if failures:
        print(f"failed: {', '.join(failures)}")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--lint", action="store_true", help="only the checks that run no test")
    group.add_argument("--slow", action="store_true", help="only the long runs")
    arguments = parser.parse_args()
    if arguments.lint:
        return run_all(lint_steps())
    if arguments.slow:
        return run_all(test_steps(is_slow=True))
    return run_all([*lint_steps(), *test_steps(is_slow=False)])


if __name__ == "__main__":
    sys.exit(main())
