"""What holds of every command, whoever adds one: JSON on request, one line for what is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proofbook.cli import COMMANDS, app, load

KEY = "11" * 32
PROGRAM = Path(sys.executable).parent / "proofbook"
NOWHERE = "ws://127.0.0.1:1"
NO_CHAIN = "http://127.0.0.1:1"

ARGUMENTS = {
    "INSTRUMENT": "BTC-PERP", "ACCOUNT": "3", "ORDER": "7", "TRIGGER": "7", "PROTECTION": "1",
    "RECIPIENT": "4", "SLOT": "1", "AMOUNT": "1", "buy|sell": "buy", "PRICE": "1",
    "UNDERLYING": "BTC", "MOVE": "5%", "SPAN|TIMESTAMP": "8h", "SECONDS": "60", "LIMIT": "5",
    "ADDRESS": "0x" + "33" * 20, "OPERATION": "0x" + "44" * 32, "KEY": "0x" + "33" * 20,
    "[ORDER]": "7", "COMMAND": "SetInstrument instrument=5 state=HALTED mode=CONTINUOUS",
}  # fmt: skip
"""A good value for each argument, by its metavar."""
SPECIAL: dict[str, tuple[str, ...]] = {
    "combo": ("BTC-PERP=1", "BTC-20991225=-1"),
    "stop": ("BTC-PERP", "buy", "1", "1", "--when", "mark_at_or_above", "--at", "1"),
    "tx show": ("1",),
    "dead-man": ("60",),
    "protect": ("1", "5"),
    "offer": ("BTC-PERP", "buy", "1", "1"),
    "buy-collateral": ("3", "1", "--token", "WETH"),
    "quote": ("BTC-PERP", "buy", "1", "1"),
    "simulate": ("--trade", "BTC-PERP:buy:1"),
    "accept": ("offer.json",),
    "publish": ("feed.json",),
}


FILES = {
    "offer.json": {
        "account": 4, "nonce": "1", "expires_ns": "2", "signature": "0x" + "55" * 64,
        "legs": [{"instrument": "BTC-PERP", "side": "buy", "price": "1", "amount": "1"}],
    },
    "feed.json": {"underlying": "BTC", "index": "60000"},
}  # fmt: skip
"""What commands read that are given a file."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands run in a folder that has the files."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)


def leaves() -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    for name in COMMANDS:
        command = load(name)
        below = getattr(command, "commands", {})
        for under in below.values():
            yield f"{name} {under.name}", under
        if not below or getattr(command, "invoke_without_command", False):
            yield name, command


LEAVES = dict(leaves())


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def arguments(name: str) -> tuple[str, ...]:
    """Return good values for the arguments of a command."""
    if name in SPECIAL:
        return SPECIAL[name]
    given = [p for p in LEAVES[name].params if p.param_type_name == "argument"]
    return tuple(ARGUMENTS[p.metavar or p.name.upper()] for p in given)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "300"})


def is_a_line(result: Result) -> bool:
    """Whether a run ended by itself with a fault's code, told on standard error alone."""
    is_ended = result.exit_code in (1, 2) and isinstance(result.exception, SystemExit)
    return is_ended and not result.stdout and "Traceback" not in result.stderr


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_writes_json_on_request(name: str) -> None:
    assert "--json" in options(LEAVES[name]), f"{name} cannot write JSON"


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_says_what_it_does(name: str) -> None:
    shown = run(*name.split(), "--help")
    assert shown.exit_code == 0 and len(LEAVES[name].help or "") > 20


ASKING = [
    name
    for name, command in LEAVES.items()
    if "--url" in options(command) and "--rpc" not in options(command)
]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ASKING)
def test_a_venue_that_is_not_there_is_named_by_every_command_that_asks_one(name: str) -> None:
    taken = options(LEAVES[name])
    more = ["--url", NOWHERE, "--json", "-"]
    more += ["--account", "3"] if "--account" in taken else []
    more += ["--key", KEY] if "--key" in taken else []
    result = run(*name.split(), *arguments(name), *more)
    assert is_a_line(result), result.output
    assert "cannot go on" in result.stderr and "127.0.0.1:1" in result.stderr


OF_THE_CHAIN = [
    name
    for name, command in LEAVES.items()
    if {"--rpc", "--contract"} <= options(command) and not name.startswith(("history", "receipts"))
]


@pytest.mark.parametrize("name", OF_THE_CHAIN)
def test_a_chain_that_is_not_there_is_named_by_every_command_that_reads_it(name: str) -> None:
    more = ["--rpc", NO_CHAIN, "--contract", "0x" + "00" * 20, "--json", "-"]
    more += ["--key", KEY] if "--key" in options(LEAVES[name]) else []
    result = run(*name.split(), *arguments(name), *more)
    assert is_a_line(result) and "127.0.0.1:1" in result.stderr, result.output


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--config", "/absent.toml"),
        ("up", "--config", "/absent.toml"),
        ("up", "--snapshot", "/absent.csv"),
        ("demo", "--snapshot", "/absent.csv"),
        ("history", "fills", "--database", "/absent.db"),
        ("receipts", "check", "/absent", "--rpc", NO_CHAIN, "--contract", "0x" + "00" * 20),
        ("accept", "/absent", "--url", NOWHERE, "--account", "3", "--key", KEY),
        ("stress", "--scenario", "/absent.csv"),
        ("publish", "/absent.csv", "--url", NOWHERE, "--key", KEY),
    ],
)
def test_a_file_that_is_not_there_is_named(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert is_a_line(result) and "/absent" in result.stderr, result.output


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", [n for n in LEAVES if "--key" in options(LEAVES[n])])
def test_a_key_that_is_none_is_refused_and_not_shown(name: str) -> None:
    more = ["--key", "zz" * 32]
    more += ["--account", "3"] if "--account" in options(LEAVES[name]) else []
    more += ["--url", NOWHERE] if "--url" in options(LEAVES[name]) else []
    if "--rpc" in options(LEAVES[name]):
        more += ["--rpc", NO_CHAIN, "--contract", "0x" + "00" * 20]
    result = run(*name.split(), *arguments(name), *more)
    assert is_a_line(result) and "private key" in result.stderr, result.output
    assert "zz" * 32 not in result.output


def test_a_shell_completes_commands_and_their_subcommands() -> None:
    def completed(words: str, place: int) -> list[str]:
        variables = {"COMP_WORDS": words, "COMP_CWORD": str(place)}
        environment = os.environ | variables | {"_PROOFBOOK_COMPLETE": "complete_bash"}
        command = [str(Path(sys.executable).parent / "proofbook")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout.split()

    assert completed("proofbook lim", 1) == ["limits"]
    assert completed("proofbook govern ", 2) == ["schedule", "execute", "cancel", "pending"]
    script = subprocess.run(
        [str(PROGRAM), "--show-completion", "bash"],
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert script.returncode == 0 and "complete_bash" in script.stdout, script.stderr


def test_commands_that_send_no_transaction_start_without_what_signs_them() -> None:
    """Its packages took as long to load as all others of a command together."""
    script = "import sys; from proofbook.cli import load; load('order'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
    assert "proofbook.client" in loaded.split() and "eth_account" not in loaded.split()
