"""The style holds, its allowances only shrink, and the tool that measures it is right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import tidy

from proofbook.protocol.limits import Reject, Void

ROOT = tidy.ROOT
ALLOWED = tidy.read_allowed(ROOT)


@pytest.mark.parametrize("rule", tidy.RULES)
def test_nothing_is_above_its_limit(rule: str) -> None:
    assert tidy.excesses(rule, ROOT, ALLOWED) == []


def test_allowances_are_no_higher_than_what_is_found() -> None:
    assert tidy.ratcheted(ROOT, ALLOWED) == ALLOWED, "run tools/tidy.py --ratchet"


def test_allowances_are_given_to_rules_that_exist() -> None:
    assert set(ALLOWED) <= set(tidy.RULES)


@pytest.mark.parametrize("tool", ["generate.py", "normal_table.py", "reference.py"])
def test_generated_copies_are_up_to_date(tool: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / tool), "--check"]
    check = subprocess.run(command, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


def test_generated_files_that_are_left_out_exist() -> None:
    assert all((ROOT / name).is_file() for name in tidy.GENERATED)


@pytest.mark.parametrize("reason", [*Reject, *Void], ids=lambda reason: reason.name)
def test_every_reason_is_named_in_the_documents_and_in_a_test(reason: Reject | Void) -> None:
    name = re.compile(rf"\b(VOID_)?{reason.name}\b")
    documents = [*(ROOT / "docs").rglob("*.md")]
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    for kind, paths in (("document", documents), ("test", tests)):
        assert any(name.search(path.read_text()) for path in paths), f"no {kind} names it"


# The tool itself, on trees that break one rule each


def tree(root: Path, path: str, text: str) -> Path:
    """A repository of one file."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return root


def values(rule: str, root: Path) -> list[int]:
    return [finding.value for finding in tidy.RULES[rule](root)]


PYTHON_BODY = "    x = 1\n"
UNFINISHED_NOTE = "FIX" + "ME"


@pytest.mark.parametrize(
    ("path", "head", "line", "tail"),
    [
        ("tools/a.py", "def f():\n", PYTHON_BODY, ""),
        ("tools/a.py", "class C:\n async def f(self):\n", PYTHON_BODY, ""),
        ("crates/a/src/lib.rs", 'fn f(a: &str) -> u8 {\n let b = "}";\n // }\n', " x();\n", "}\n"),
        ("crates/a/src/lib.rs", "trait T {\n fn g(a: [u8; 3]);\n}\nfn f() {\n", " '}';\n", "}\n"),
        ("contracts/src/A.sol", "contract A {\n function f() external {\n", " x;\n", " }\n}\n"),
        ("web/src/a.ts", "export function f(a: string): void {\n", " x();\n", "}\n"),
        ("contracts/src/A.sol", "contract A {\n constructor() {\n", " { /* } */ }\n", " }\n}\n"),
    ],
)
def test_long_functions_are_found(
    tmp_path: Path, path: str, head: str, line: str, tail: str
) -> None:
    """Whatever the language; the function's own lines are what counts."""
    own = len(re.split(r"(?:def|fn|function|constructor)\b(?!.*;\n)", head)[-1].splitlines())
    own += tail.startswith(("}", " }"))
    fits = tree(tmp_path / "fits", path, head + line * (70 - own) + tail)
    exceeds = tree(tmp_path / "exceeds", path, head + line * (71 - own) + tail)
    assert values("function-lines", fits) == []
    assert values("function-lines", exceeds) == [71]


def test_docstrings_do_not_make_a_function_long(tmp_path: Path) -> None:
    text = 'def f():\n    """One.\n' + "\n" * 80 + '    """\n' + PYTHON_BODY
    assert values("function-lines", tree(tmp_path, "tools/a.py", text)) == []


@pytest.mark.parametrize("path", ["src/a.py", "crates/a/src/lib.rs", "contracts/src/A.sol"])
def test_long_files_and_lines_are_found(tmp_path: Path, path: str) -> None:
    root = tree(tmp_path, path, "//\n" * 599 + "/" * 100 + "\n" if path[0] == "c" else "\n" * 600)
    assert values("file-lines", root) == values("line-characters", root) == []
    tree(tmp_path, path, "\n" * 599 + "#" * 101 + "\n" + "ü" * 100 + "\n")
    assert values("file-lines", root) == [601]
    assert values("line-characters", root) == [1]


def test_generated_and_foreign_files_are_left_out(tmp_path: Path) -> None:
    for path in ("contracts/src/Limits.sol", "contracts/node_modules/a/A.sol"):
        tree(tmp_path, path, "/" * 200)
    assert values("line-characters", tmp_path) == []


@pytest.mark.parametrize("path", ["src/utils.py", "tests/helpers/a.py", "crates/a/src/manager.rs"])
def test_names_that_say_nothing_are_found(tmp_path: Path, path: str) -> None:
    assert values("file-names", tree(tmp_path, path, "")) == [1]


@pytest.mark.parametrize("path", ["src/a.py", "docs/a.md", "Makefile", "contracts/src/A.sol"])
def test_unfinished_work_is_found(tmp_path: Path, path: str) -> None:
    assert values("unfinished", tree(tmp_path, path, f"# {UNFINISHED_NOTE}: later\n")) == [1]


@pytest.mark.parametrize(
    ("rule", "path", "text", "count"),
    [
        ("print", "src/proofbook/node.py", "print(1)", 1),
        ("print", "src/proofbook/node.py", "console.print(1)", 0),
        ("print", "src/proofbook/cli/up.py", "print(1)", 0),
        ("wall-clock", "src/proofbook/node.py", "time.time()", 1),
        ("wall-clock", "src/proofbook/node.py", "now = time.time_ns", 1),
        ("wall-clock", "src/proofbook/node.py", "from time import time_ns", 1),
        ("wall-clock", "src/proofbook/node.py", "datetime.datetime.now()", 1),
        ("wall-clock", "src/proofbook/node.py", "time.monotonic()", 0),
        ("wall-clock", "src/proofbook/sequencer/clock.py", "time.time_ns()", 0),
        ("inexact", "src/proofbook/spec/a.py", "float(1)", 1),
        ("inexact", "src/proofbook/protocol/a.py", "x = 1.5", 1),
        ("inexact", "src/proofbook/protocol/a.py", "x = 1 / 2", 1),
        ("inexact", "src/proofbook/protocol/a.py", "x /= 2", 1),
        ("inexact", "src/proofbook/protocol/a.py", "x = 1 // 2", 0),
        ("inexact", "src/proofbook/risk/a.py", "x = 1.5", 0),
        ("oldest", "src/proofbook/a.py", "del kept[next(iter(kept))]", 1),
        ("oldest", "src/proofbook/a.py", "kept.pop(next(iter(kept)))", 1),
        ("oldest", "src/proofbook/a.py", "self._forget(next(iter(self._kept)), 1)", 1),
        ("oldest", "src/proofbook/a.py", "kept.popitem(last=False)", 0),
        ("oldest", "src/proofbook/a.py", "first = next(iter(kept))", 0),
        ("bare-except", "src/proofbook/a.py", "try:\n a()\nexcept:\n b()", 1),
        ("bare-except", "src/proofbook/a.py", "try:\n a()\nexcept OSError:\n b()", 0),
    ],
)
def test_calls_out_of_their_place_are_found(
    tmp_path: Path, rule: str, path: str, text: str, count: int
) -> None:
    assert sum(values(rule, tree(tmp_path, path, text + "\n"))) == count


def test_allowances_shrink_and_never_grow(tmp_path: Path) -> None:
    root = tree(tmp_path, "src/a.py", ("#" * 101 + "\n") * 3)
    assert tidy.ratcheted(root, {"line-characters": {"src/a.py": 9}}) == {
        "line-characters": {"src/a.py": 3}
    }
    assert tidy.ratcheted(root, {"line-characters": {"src/a.py": 2}}) == {
        "line-characters": {"src/a.py": 2}
    }
    assert tidy.ratcheted(root, {"line-characters": {"src/gone.py": 1}}) == {}
    assert tidy.excesses("line-characters", root, {"line-characters": {"src/a.py": 2}}) == [
        "src/a.py: line-characters 3, at most 2"
    ]
