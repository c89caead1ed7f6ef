"""`proofbook verify`: replay a venue from its chain and say what is wrong."""

import json
from typing import Annotated

import typer
from rich.progress import Progress, TextColumn
from rich.table import Table

from proofbook.api.signing import ADDRESS_BYTES
from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import Rpc, from_hex
from proofbook.cli.output import (
    EXIT_FAULT,
    PlainConsole,
    ReportPath,
    console_for,
    say,
    styled,
    write_or_exit,
)
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName
from proofbook.verification.findings import Finding, Governance, Report
from proofbook.verification.replay import verify as replay_and_judge

EXIT_LIE = 1


def parse_address(text: str) -> bytes:
    """Return the 20 bytes of an address. Raises typer.BadParameter."""
    try:
        address = from_hex(text)
    except ValueError:
        address = b""
    if len(address) != ADDRESS_BYTES:
        raise typer.BadParameter(f"{text!r} is no address: 0x and 40 hexadecimal digits")
    return address


RpcUrl = Annotated[
    str, typer.Option("--rpc", envvar="PROOFBOOK_RPC", help="URL of a node's JSON-RPC.")
]
ChainAddress = Annotated[
    bytes,
    typer.Option(
        "--contract",
        envvar="PROOFBOOK_CONTRACT",
        parser=parse_address,
        metavar="ADDRESS",
        help="The Chain contract.",
    ),
]


def verify(
    rpc: RpcUrl,
    contract: ChainAddress,
    engine: Annotated[
        EngineName, typer.Option(help="Which program replays: the fast one or the reference.")
    ] = EngineName.KERNEL,
    json_path: ReportPath = "",
) -> None:
    """Recompute every state root of a venue from the chain alone.

    Ends with 0 when all is right, 1 when something is not, 2 when the chain cannot be read.
    """
    console = console_for(json_path)
    try:
        report = _judge(rpc, contract, engine, console)
    except ChainFault as fault:
        say("cannot verify", fault)
        raise typer.Exit(EXIT_FAULT) from fault
    show(report, console)
    write_or_exit(json.dumps(report.as_json(), indent=2) + "\n", json_path)
    if not report.verified:
        raise typer.Exit(EXIT_LIE)


def show(report: Report, console: PlainConsole) -> None:
    """Print a report: a line per batch, then what is wrong, then the verdict."""
    table = Table(
        title=f"chain {report.chain_id}, contract {report.contract}", title_justify="left"
    )
    for heading in ("batch", "entries", "segments", "claimed root", "final", "verdict"):
        table.add_column(heading)
    for batch in report.batches:
        table.add_row(
            str(batch.batch),
            f"{batch.first_seq} … {batch.last_seq}",
            str(batch.segments),
            _short(batch.post_root),
            "yes" if batch.is_final else "not yet",
            styled(("verified", "green") if batch.verified else ("false", "bold red")),
        )
    if report.batches:
        console.print(table)
    if report.governance is not None:
        console.print(describe_governance(report.governance))
    for finding in report.findings:
        console.print(styled((finding.kind.value, "bold red"), f" {describe(finding)}"))
    verdict = ("verified", "bold green") if report.verified else ("not verified", "bold red")
    words = (
        f": {report.entries} entries replayed by the {report.engine} "
        f"in {report.seconds:.1f} s, {report.entries_unclaimed} of them not claimed yet"
    )
    console.print(styled(verdict, words))


def describe_governance(terms: Governance) -> str:
    """Return in one sentence who may change the rules of a venue, and how fast."""
    if not terms.proposers:
        return f"governor {terms.governor}: nobody may propose, the rules stay as they are"
    return (
        f"governor {terms.governor}: {', '.join(terms.proposers)} may propose rules, which change "
        f"{terms.delay_seconds} s later; the delay never falls below {terms.delay_min_seconds} s"
    )


def describe(finding: Finding) -> str:
    """Return a finding as one line: where, what, and what was expected."""
    where = [
        f"{name} {value}"
        for name, value in (
            ("batch", finding.batch),
            ("segment", finding.segment),
            ("entry", finding.seq),
        )
        if value is not None
    ]
    if finding.first_seq is not None:
        where.append(f"entries {finding.first_seq} … {finding.last_seq}")
    parts = [", ".join(where) or "chain", finding.note]
    if finding.reason:
        parts.append(finding.reason)
    if finding.expected:
        parts.append(f"expected {finding.expected}, claimed {finding.claimed}")
    return ": ".join(parts)


def _judge(url: str, contract: bytes, engine: EngineName, console: PlainConsole) -> Report:
    columns = (TextColumn("replaying entry {task.completed}"),)
    with Rpc(url) as rpc, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=None)
        return replay_and_judge(
            ChainReader(rpc, contract), engine, lambda seq: progress.update(task, completed=seq)
        )


def _short(root: str) -> str:
    return f"{root[:10]}…{root[-8:]}"
