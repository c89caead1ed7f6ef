"""Every command writes JSON to standard output, against a venue of `proofbook up`."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.test_up import COMMAND, venue_up
from tests.unit.cli.test_every_command import LEAVES

from proofbook.cli.demonstration.venue import PROPOSER_KEY

OFFER = "offer.json"
HALT = "SetInstrument instrument=999 state=HALTED mode=CONTINUOUS"
SECONDS_MAX = 120.0
FOLLOW_SECONDS = 5.0

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("instruments", ()),
    ("deposit", ("5000", "--mint", "--subaccount", "1")),
    ("order", ("BTC-PERP", "buy", "50000", "0.1")),
    ("order", ("BTC-PERP", "buy", "50001", "0.1", "--post-only")),
    ("book", ("BTC-PERP",)),
    ("amend", ("BTC-PERP", "{order}", "0.05")),
    ("cancel", ("{order}",)),
    ("stop", ("BTC-PERP", "sell", "1", "0.1", "--when", "mark_at_or_below", "--at", "1000")),
    ("cancel-stop", ("{trigger}",)),
    ("protect", ("1", "2")),
    ("quote", ("BTC-PERP", "buy", "50000", "0.1", "--protection", "1")),
    ("thaw", ("1",)),
    ("dead-man", ("3600",)),
    ("cancel", ()),
    ("offer", ("BTC-PERP", "sell", "{mark}", "0.1", "--taker", "4")),
    ("accept", (OFFER,)),
    ("combo", ("{call}=1", "{put}=-1")),
    ("move", ("{sub}", "BTC-PERP", "0.05")),
    ("transfer", ("4", "1")),
    ("withdraw", ("1",)),
    ("grant", ("1", "0x" + "33" * 20)),
    ("revoke", ("1",)),
    ("account", ("3",)),
    ("positions", ("3",)),
    ("margin", ("3",)),
    ("simulate", ("--cash", "1000", "--trade", "BTC-PERP:buy:0.1")),
    ("limits", ()),
    ("trades", ("BTC-PERP",)),
    ("fills", ("3",)),
    ("orders", ("3",)),
    ("transactions", ("3",)),
    ("candles", ("BTC-PERP",)),
    ("sales", ()),
    ("publish", ("feed.csv",)),
    ("shock", ("BTC", "1%")),
    ("govern schedule", (HALT,)),
    ("govern pending", ()),
    ("govern cancel", ("{operation}",)),
    ("govern schedule", (HALT,)),
    ("warp", ("2h",)),
    ("govern execute", ("{operation}",)),
    ("claim", ()),
    ("tx show", ("1",)),
    ("receipts check", ("receipts.jsonl",)),
    ("verify", ()),
    ("history rebuild", ("--database", "mine.db")),
    ("history fills", ("--database", "mine.db")),
    ("history orders", ("--database", "mine.db")),
    ("history transactions", ("--database", "mine.db")),
    ("history candles", ("--database", "mine.db")),
    ("history export", ("out.parquet", "--table", "fills", "--database", "mine.db")),
    ("snapshots list", ("--folder", ".")),
    ("serve", ("--config", "venue.toml", "--check")),
)
"""In an order in which each finds what it needs; what stands in braces is of an answer before.

What was withdrawn is final two hours later, and what was scheduled due.
"""

SALE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("deposit", ("2", "--token", "WBTC", "--mint", "--subaccount", "2")),
    ("order", ("BTC-PERP", "sell", "{mark}", "8", "--account", "4", "--key", "{second_key}")),
    ("order", ("BTC-PERP", "buy", "{mark}", "8", "--account", "{sub}")),
    ("shock", ("BTC", "-9%")),
)
"""Leaves an account with two bitcoin, a loss that they cover, and a debt: they are for sale."""

FOLLOWERS = {
    "buyer": ("--discount", "1"),
    "history follow": ("--database", "mine.db"),
    "snapshots keep": (
        *("--folder", "snapshots", "--journal", "{journal}"),
        *("--rpc", "{rpc}", "--contract", "{contract}"),
    ),
}
"""Commands that go on until Ctrl-C, and write then."""

CATCHING = ("history follow", "snapshots keep")
"""Those that show when they are ready for it; the other one starts before them, and faster."""

ELSEWHERE = {
    "up": "test_up.py",
    "demo": "test_demo.py",
    "stress": "test_stress.py",
    **{name: "tests/unit/cli, test_bench_…" for name in LEAVES if name.startswith("bench")},
}
"""Commands that need another venue, or that are one, and who runs them with `--json`."""


def test_every_command_is_run_with_json_by_somebody() -> None:
    run = {name for name, _ in STEPS} | {"buy-collateral"} | set(FOLLOWERS) | set(ELSEWHERE)
    assert run == set(LEAVES)


def catches(process_id: int, number: signal.Signals) -> bool:
    """Whether a process handles a signal itself."""
    status = Path(f"/proc/{process_id}/status").read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> number - 1 & 1)


class Live:
    """A venue that is up, a folder to work in, and what the answers before have told."""

    def __init__(self, running: dict[str, Any], folder: Path) -> None:
        self.running = running
        self.folder = folder
        first = running["accounts"][0]
        self.environment = os.environ | {
            "PROOFBOOK_URL": running["websocket"],
            "PROOFBOOK_RPC": running["rpc"],
            "PROOFBOOK_CHAIN_ID": str(running["chain_id"]),
            "PROOFBOOK_CONTRACT": running["contract"],
            "PROOFBOOK_SEQUENCER": running["sequencer"],
            "PROOFBOOK_JOURNAL": running["journal"],
            "PROOFBOOK_ACCOUNT": str(first["account"]),
            "PROOFBOOK_KEY": first["key"],
            "PROOFBOOK_RECEIPTS": str(folder / "receipts.jsonl"),
        }
        self.known: dict[str, str] = {key: running[key] for key in ("rpc", "contract", "journal")}
        self.known["second_key"] = running["accounts"][1]["key"]

    def run(self, name: str, arguments: tuple[str, ...]) -> Any:
        """Run a command to its end; return the JSON that it writes."""
        command = [*COMMAND, *name.split(), *self.filled(arguments), "--json", "-"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | self.instead_of(name),
            capture_output=True, text=True, check=False, timeout=SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == 0 and done.stdout, f"{name}: {done.stderr}"
        return self.learned(name, json.loads(done.stdout))

    def run_until_interrupted(self, commands: dict[str, tuple[str, ...]]) -> None:
        """Run commands that go on, together; interrupt them at work, each writes JSON then."""
        with ExitStack() as stack:
            running = {
                name: stack.enter_context(self.started(name, arguments))
                for name, arguments in commands.items()
            }
            self.until_they_catch(signal.SIGTERM, [running[name] for name in CATCHING])
            time.sleep(FOLLOW_SECONDS)
            for name, process in running.items():
                process.send_signal(signal.SIGINT)
                output, error = process.communicate(timeout=SECONDS_MAX)
                assert process.returncode == 0 and output, f"{name}: {error}"
                json.loads(output)

    def until_they_catch(
        self, number: signal.Signals, running: list[subprocess.Popen[str]]
    ) -> None:
        """Wait until processes have handlers of their own, which Python does not make."""
        deadline = time.monotonic() + SECONDS_MAX
        for process in running:
            while not catches(process.pid, number):
                assert process.poll() is None and time.monotonic() < deadline, process.args
                time.sleep(0.05)

    @contextmanager
    def started(self, name: str, arguments: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
        """A command at work; it ends with the block, however that ends."""
        command = [*COMMAND, *name.split(), *self.filled(arguments), "--json", "-"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def until_for_sale(self) -> None:
        """Wait until the venue has found out whose tokens pay for a debt."""
        deadline = time.monotonic() + SECONDS_MAX
        while not self.run("sales", ()):
            assert time.monotonic() < deadline, "nothing is for sale"

    def mark(self, instrument: str) -> str:
        """Return the mark, on a whole unit."""
        params = {"instrument": instrument}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "get_ticker", "params": params}
        reply = httpx.post(self.running["http"], json=asked, trust_env=False).json()
        return str(round(float(reply["result"]["mark"])))

    def filled(self, arguments: tuple[str, ...]) -> list[str]:
        return [argument.format(**self.known) for argument in arguments]

    def instead_of(self, name: str) -> dict[str, str]:
        """Return whose key signs, where it is not the first account's."""
        second = self.running["accounts"][1]
        if name == "accept":
            return {"PROOFBOOK_ACCOUNT": str(second["account"]), "PROOFBOOK_KEY": second["key"]}
        if name == "publish":
            return {"PROOFBOOK_KEY": self.running["publishers"][0]}
        return {"PROOFBOOK_KEY": "0x" + PROPOSER_KEY.hex()} if name.startswith("govern") else {}

    def learned(self, name: str, answer: Any) -> Any:
        """Note what later steps name."""
        if name == "instruments":
            rows = [row for row in answer if row["underlying"] == "BTC"]
            for kind in ("call", "put"):
                self.known[kind] = next(row["name"] for row in rows if row["kind"] == kind)
        elif name == "deposit":
            self.known["sub"] = str(answer["account"])
        elif name == "offer":
            (self.folder / OFFER).write_text(json.dumps(answer))
        elif name == "tx show":
            assert answer["entry"]["outcome"] == "APPLIED"
        elif name in ("claim", "govern execute"):
            assert answer, "what was withdrawn is paid, what was scheduled happens"
        self.known |= {
            key: str(answer[key])
            for key in ("order", "trigger", "operation")
            if isinstance(answer, dict) and answer.get(key)
        }
        return answer


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "feed.csv").write_text("underlying,index\nBTC,88000\n")
    for name in ("operator", "sequencer"):
        path = folder / f"{name}.key"
        path.touch(0o600)
        path.write_text("11" * 32)
    with venue_up(folder) as (_, running):
        (folder / "venue.toml").write_text(
            f"""
[chain]
rpc = "{running["rpc"]}"
contract = "{running["contract"]}"
operator_key_file = "operator.key"
[sequencer]
key_file = "sequencer.key"
"""
        )
        yield Live(running, folder)


def test_every_command_writes_one_json_document_against_a_live_venue(live: Live) -> None:
    live.known["mark"] = live.mark("BTC-PERP")
    for name, arguments in STEPS:
        live.run(name, arguments)
    live.run_until_interrupted(FOLLOWERS)


def test_a_token_that_pays_for_a_debt_of_a_live_venue_is_bought(live: Live) -> None:
    live.known["mark"] = live.mark("BTC-PERP")
    for name, arguments in SALE:
        live.run(name, arguments)
    live.until_for_sale()
    another = ("--account", "4", "--key", "{second_key}")
    bought = live.run("buy-collateral", ("{sub}", "0.1", "--token", "WBTC", *another))
    assert "COLLATERAL_SOLD" in [row["event"] for row in bought["events"]]


def test_time_is_put_forward_over_three_expiries_of_a_live_venue(live: Live) -> None:
    expiries_ns = sorted({int(row["expiry_ns"]) for row in live.run("instruments", ())
                          if row["expiry_ns"]})[:3]  # fmt: skip
    assert len(expiries_ns) == 3
    until = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(expiries_ns[-1] // 10**9 + 3_600))
    warped = live.run("warp", (until,))
    assert warped["settled"] == 3 and int(warped["now_ns"]) > expiries_ns[-1]
    live.run("verify", ())
    live.run("order", ("BTC-PERP", "buy", "50000", "0.1"))
