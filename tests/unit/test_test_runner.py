"""The counting of what the test runners print."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "tools/test.py"


def load_runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("test_runner", SOURCE)
    assert spec is not None and spec.loader is not None, "the tool is a plain module"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = load_runner()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("22 passed in 0.76s\n", (22, 0)),
        ("1 failed, 5 passed, 2 deselected in 61.20s (0:01:01)\n", (5, 1)),
        ("=== 3 passed, 1 warning, 2 errors in 0.10s ===\n", (3, 2)),
        ("9 failed, 10112 passed, 7 skipped in 744.92s (0:12:24)\n", (10_112, 9)),
        ("bringing up nodes...\n", (0, 0)),
        ("no tests ran in 0.01s\n", (0, 0)),
        ("test_of_5 passed in time\n", (0, 0)),
    ],
)
def test_pytest_lines_are_counted(line: str, expected: tuple[int, int]) -> None:
    assert RUNNER.count_pytest(line) == expected, "passed and failed, errors as failures"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "test result: ok. 15 passed; 0 failed; 0 ignored; 0 measured; finished in 0.2s\n",
            (15, 0),
        ),
        ("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured\n", (3, 2)),
        ("test tests::result ... ok\n", (0, 0)),
    ],
)
def test_cargo_lines_are_counted(line: str, expected: tuple[int, int]) -> None:
    assert RUNNER.count_cargo(line) == expected, "passed and failed of one crate"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("602 passed, 1 failed\n", (602, 1)),
        ("entry: 60 inputs kept\n", (0, 0)),
    ],
)
def test_fuzz_lines_are_counted(line: str, expected: tuple[int, int]) -> None:
    assert RUNNER.count_fuzz(line) == expected, "only the closing line is counted"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# pass 69\n", (69, 0)),
        ("# fail 2\n", (0, 2)),
        ("# cancelled 1\n", (0, 1)),
        ("# Subtest: 3 of them pass 1\n", (0, 0)),
    ],
)
def test_node_lines_are_counted(line: str, expected: tuple[int, int]) -> None:
    assert RUNNER.count_node(line) == expected, "what was cancelled did not pass"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Ran 3 test suites in 1.2s (2.0s CPU time): 40 tests passed, 1 failed, 0 skipped\n",
            (40, 1),
        ),
        ("Ran 1 test suite in 12ms (1ms CPU time): 2 tests passed, 0 failed, 0 skipped\n", (2, 0)),
        ("Ran 2 tests for test/unit/Vault.t.sol:VaultTest\n", (0, 0)),
    ],
)
def test_forge_lines_are_counted(line: str, expected: tuple[int, int]) -> None:
    assert RUNNER.count_forge(line) == expected, "only the total is counted"


def test_a_step_that_dies_counts_as_one_failure(capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-c", "print('1 passed in 0.1s'); raise SystemExit(3)"]
    step = RUNNER.Step("dying", command, count=RUNNER.count_pytest)
    assert RUNNER.run_all([step]) == 1, "the exit code"
    output = capfd.readouterr().out
    assert output.splitlines()[-1] == "1 passed, 1 failed", "the closing line stands alone"


def test_sums_run_over_all_steps(capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-c", "print('2 passed in 0.1s')"]
    step = RUNNER.Step("fine", command, count=RUNNER.count_pytest)
    assert RUNNER.run_all([step, step]) == 0, "the exit code"
    assert capfd.readouterr().out.splitlines()[-1] == "4 passed, 0 failed", "the sums"


def test_a_fault_of_forge_is_a_fault_of_the_step() -> None:
    """The wrapper that npm installs answers 0 to everything."""
    command = [str(RUNNER.FORGE), "no-such-command"]
    assert subprocess.run(command, capture_output=True).returncode != 0
