"""What a command line cannot be run with: one named line, no traceback, and before anything runs.

Exit codes 2 are of the usage errors and faults that docs and help promise.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proofbook.api.schema import BookReply
from proofbook.cli import app, orders
from proofbook.cli.demo import fault_in
from proofbook.cli.orders import book_table
from proofbook.cli.output import PlainConsole, say, write_or_exit
from proofbook.sequencer.journal import JournalIo

KEY = "11" * 32
RPC = ("--rpc", "http://127.0.0.1:1", "--contract", "0x" + "00" * 20)
URL = ("--url", "ws://127.0.0.1:1")
TRADER = (*URL, "--account", "3", "--key", KEY)
ORDER = ("order", "BTC-PERP", "buy", "1", "1")

WITH_JSON = {
    "demo": ("demo",),
    "up": ("up",),
    "bench": ("bench",),
    "bench risk": ("bench", "risk"),
    "bench capital": ("bench", "capital"),
    "stress": ("stress",),
    "verify": ("verify", *RPC),
    "order": (*ORDER, *TRADER),
    "amend": ("amend", "BTC-PERP", "7", "1", *TRADER),
    "cancel": ("cancel", *TRADER),
    "stop": (
        "stop",
        "BTC-PERP",
        "buy",
        "1",
        "1",
        "--when",
        "mark_at_or_above",
        "--at",
        "1",
        *TRADER,
    ),
    "cancel-stop": ("cancel-stop", "7", *TRADER),
    "quote": ("quote", "BTC-PERP", "buy", "1", "1", *TRADER),
    "protect": ("protect", "1", "5", *TRADER),
    "thaw": ("thaw", "1", *TRADER),
    "dead-man": ("dead-man", "60", *TRADER),
    "offer": ("offer", "BTC-PERP", "buy", "1", "1", *TRADER),
    "combo": ("combo", "BTC-PERP=1", "BTC-20991225=-1", *TRADER),
    "withdraw": ("withdraw", "1", *TRADER),
    "transfer": ("transfer", "4", "1", *TRADER),
    "move": ("move", "4", "BTC-PERP", "1", *TRADER),
    "grant": ("grant", "1", "0x" + "33" * 20, *TRADER),
    "revoke": ("revoke", "1", *TRADER),
    "book": ("book", "BTC-PERP", *URL),
    "account": ("account", "3", *URL),
    "instruments": ("instruments", *URL),
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def is_named(result: Result) -> bool:
    """Whether a run ended with code 2 and not with an exception of its own."""
    return result.exit_code == 2 and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", WITH_JSON)
def test_a_report_that_could_not_be_written_is_refused_at_once(
    command: str, tmp_path: Path
) -> None:
    in_no_folder = run(*WITH_JSON[command], "--json", str(tmp_path / "absent" / "x.json"))
    assert is_named(in_no_folder) and "is no folder" in in_no_folder.output
    a_folder = run(*WITH_JSON[command], "--json", str(tmp_path))
    assert is_named(a_folder) and "is a folder" in a_folder.output


def test_a_full_disk_ends_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        write_or_exit("{}", "/dev/full")
    assert ended.value.exit_code == 2
    assert "cannot write /dev/full: No space left on device" in capsys.readouterr().err


def test_faults_of_the_disk_are_named() -> None:
    fault = JournalIo("No space left on device", {})
    assert fault_in(ExceptionGroup("parts", [fault])) is fault


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e300", "soon"])
def test_a_demonstration_lasts_half_a_second_to_a_day(seconds: str) -> None:
    assert is_named(run("demo", "--seconds", seconds, "--snapshot", "/absent"))


@pytest.mark.parametrize("key", ["00" * 32, "ff" * 32, "1234", "zz" * 32])
def test_a_number_that_is_no_key_is_refused_and_not_shown(key: str) -> None:
    for command in ((*ORDER, *URL, "--account", "3"), ("deposit", "1", *RPC), ("claim", *RPC)):
        result = run(*command, "--key", key)
        assert is_named(result) and "private key" in result.output
        assert key not in result.output


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"account": 3, "legs": []}'])
def test_a_file_that_holds_no_offer_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "offer.json"
    path.write_text(text)
    for name in (path, tmp_path / "absent"):
        result = run("accept", str(name), *TRADER)
        assert is_named(result) and name.name in result.output


@pytest.mark.parametrize("legs", [["BTC-PERP=1"], ["A=1", "B"], ["A=1", "B=x"], ["A=1"] * 5])
def test_legs_of_a_combo_are_two_to_four_with_ratios(legs: list[str]) -> None:
    assert is_named(run("combo", *legs, *TRADER))


@pytest.mark.parametrize("account", ["0", "4294967296", "x"])
def test_accounts_have_32_bits(account: str) -> None:
    assert is_named(run("account", account, *URL))
    assert is_named(run(*ORDER, *URL, "--account", account, "--key", KEY))


@pytest.mark.parametrize(
    "url",
    [
        *("", "nowhere", "http://127.0.0.1:1", "ws://", "ws://127.0.0.1:1", "ws://127.0.0.1:99999"),
        *("ws://[::1", "ws://\u2603.example:1"),
    ],
)
def test_a_venue_that_is_not_there_is_named(url: str) -> None:
    result = run("instruments", "--url", url)
    assert is_named(result) and "cannot go on" in result.output


def test_a_name_too_long_for_any_file_is_named() -> None:
    name = "n" * 300
    for command in (
        ("instruments", *URL, "--json", name),
        ("publish", name, *URL, "--key", KEY),
        ("snapshots", "list", "--folder", name),
    ):
        result = run(*command)
        assert is_named(result) and "cannot look up" in result.output


def test_an_empty_name_is_no_folder_of_snapshots() -> None:
    result = run("snapshots", "list", "--folder", "")
    assert is_named(result) and "a folder has a name" in result.output


@dataclass
class Named:
    name: str


class Answering:
    """A client whose venue names an instrument as it likes."""

    def __init__(self, name: str) -> None:
        self.instruments = {name: Named(name)}

    async def __aenter__(self) -> "Answering":
        return self

    async def __aexit__(self, *_: object) -> None:
        return


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("[/]BTC", "[/]BTC"),
        ("[bold]BTC[/bold] :bomb:", "[bold]BTC[/bold] :bomb:"),
        ("\x1b]0;owned\x07\x1b[2JBTC\r\x9b", "?]0;owned??[2JBTC??"),
        ("\u202eCTB", "?CTB"),
    ],
)
def test_what_a_venue_names_is_shown_letter_by_letter(
    name: str, seen: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def connected(*_: object, **__: object) -> Answering:
        return Answering(name)

    monkeypatch.setattr(orders, "connect", connected)
    assert run("instruments", *URL).output == f"{seen}\n"
    table = book_table(BookReply(instrument=name, change_id=1, bids=[(name, "1")], asks=[]))
    PlainConsole().print(table)
    say("refused", name)
    shown = capsys.readouterr()
    assert shown.out.count(seen) == 2 and f"refused: {seen}" in shown.err


def test_snapshots_of_no_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "absent"):
        result = run("snapshots", "list", "--folder", str(tmp_path / name))
        assert is_named(result) and "is no folder" in result.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROOFBOOK_CHAIN_ID", "x"),
        ("PROOFBOOK_CHAIN_ID", "-1"),
        ("PROOFBOOK_CHAIN_ID", "9" * 30),
        ("PROOFBOOK_CONTRACT", "0x12"),
        ("PROOFBOOK_SEQUENCER", "0x" + "g" * 40),
    ],
)
def test_an_expected_venue_that_is_none_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    result = run("book", "BTC-PERP", *URL)
    assert is_named(result) and name in result.output


def test_a_good_configuration_is_told_as_json(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    chain = f'[chain]\nrpc = "http://x"\ncontract = "0x{"11" * 20}"\noperator_key_file = "o"\n'
    path.write_text(chain + '[sequencer]\nkey_file = "s"\n')
    result = run("serve", "--config", str(path), "--check", "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"config": str(path), "is_good": True}


def test_what_others_wrote_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("refused", "no instrument is named [bold] or [/x]")
    assert "named [bold] or [/x]" in capsys.readouterr().err
