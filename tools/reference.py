#!/usr/bin/env python3
"""Write the pages of the reference that follow from the program: interface, commands, numbers.

`--check` writes nothing and exits 1 when a page differs.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

from proofbook.cli import COMMANDS, load
from proofbook.ingress.documents import asyncapi, openrpc, page
from proofbook.operation.page import page as configuration_page

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs/reference"
DECISIONS = ROOT / "docs/decisions"
PROTOCOL = ROOT / "src/proofbook/protocol/protocol.toml"

LINE_CHARACTERS = 100
SCALAR_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "i128": 16}
ASSIGNED = re.compile(r"^(\w+) = ([^#]+?) *(?:# *(.+))?$")
OWN_PAGES = {"Reject": "outcomes.md", "Void": "outcomes.md", "OutcomeKind": "outcomes.md"}

COMMANDS_HEAD = """\
# Commands

Written by `tools/reference.py` from the commands themselves: `proofbook COMMAND --help` says the
same. Arguments come in this order; what is in brackets can be left out. Where a variable of the
environment is named, it stands for the option.

| exit code | means |
|---|---|
| 0 | done; a verification found nothing wrong |
| 1 | refused by the venue, or a verification found something: the reason is printed |
| 2 | wrong arguments, or the venue, the chain or a file cannot be reached or read |
"""

NUMBERS_HEAD = """\
# Numbers

Written by `tools/reference.py` from `src/proofbook/protocol/protocol.toml`, the one place where
they are written. What happens at each limit is in [limits](limits.md); what each reason means, in
[outcomes](outcomes.md).
"""

RECORDS_HEAD = """\
# Records

Written by `tools/reference.py` from `src/proofbook/protocol/protocol.toml`. The state is records in
arenas; a record is words of 32 bytes, little-endian, and a field never crosses a word unless it is
an array. Offsets are in bytes. Reserved bytes are zero and not listed. How arenas make a root is in
[the protocol](protocol.md).
"""

DECISIONS_HEAD = """\
# Decisions

Choices that someone could reasonably question: what was decided, why, what it costs, what else was
considered. One page at most each; listed by `tools/reference.py`.
"""


def table(*heads: str) -> list[str]:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]


def cell(text: object) -> str:
    """Return a text as it stands in a cell of a table."""
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


# Commands


def every_command() -> Iterator[tuple[str, Any]]:
    """Yield all commands with their full names, a group before its subcommands."""
    for name in COMMANDS:
        command = load(name)
        yield name, command
        for below in getattr(command, "commands", {}).values():
            yield f"{name} {below.name}", below


def shown_name(parameter: Any) -> str:
    """Return how a parameter is typed."""
    if parameter.param_type_name == "argument":
        return parameter.metavar or parameter.name.upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def usage(name: str, command: Any) -> str:
    """Return the line that one types, what can be left out in brackets."""
    words = ["proofbook", name]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            word = shown_name(parameter)
            words.append(word if parameter.required else f"[{word}]")
    return " ".join([*words, "[OPTIONS]"])


def default_of(parameter: Any) -> str:
    """Return what stands for a parameter that is not given."""
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default == "" or default is False or callable(default):
        return ""
    return f"`{default}`" if default is not True else parameter.opts[0].removeprefix("--")


def parameter_row(parameter: Any) -> str:
    """Return the row of one argument or option."""
    least, most = parameter.min, parameter.max
    bounds = (
        "" if least is None else f"At least {least}." if most is None else f"{least} to {most}."
    )
    text = parameter.help or ""
    said = text if bounds in text else f"{text} {bounds}"
    variable = f"`{parameter.envvar}`" if parameter.envvar else ""
    cells = (f"`{cell(shown_name(parameter))}`", cell(said), cell(default_of(parameter)), variable)
    return f"| {' | '.join(cells)} |"


def commands_page() -> str:
    """Return every command with its arguments and options."""
    lines = [COMMANDS_HEAD]
    for name, command in every_command():
        parameters = [p for p in command.params if not p.hidden and "completion" not in p.name]
        below = getattr(command, "commands", None)
        lines += [f"## {name}", "", fill(cell(command.help or ""), LINE_CHARACTERS), ""]
        if not below or getattr(command, "invoke_without_command", False):
            lines += [f"`{usage(name, command)}`", ""]
        if parameters:
            lines += [*table("argument or option", "", "default", "variable")]
            lines += [*map(parameter_row, parameters), ""]
    return "\n".join(lines).rstrip() + "\n"


# Numbers


def assigned(section: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and remark of every line of a section of the protocol's file."""
    for line in PROTOCOL.read_text().split(f"\n[{section}]\n")[1].split("\n[")[0].splitlines():
        if match := ASSIGNED.match(line):
            yield match[1], match[2], match[3] or ""


def grouped(number: str) -> str:
    """Return an integer with commas, anything else as it is."""
    return f"{int(number):,}" if re.fullmatch(r"-?\d+", number) else number


def numbers_page(protocol: dict[str, Any]) -> str:
    """Return limits, parameters and enumerations."""
    lines = [NUMBERS_HEAD]
    for section, title in (("limits", "Limits"), ("limits_contracts", "Limits of the contracts")):
        lines += [f"## {title}", "", *table("name", "value", "unit and reason")]
        rows = assigned(section)
        lines += [f"| `{name}` | {grouped(value)} | {cell(why)} |" for name, value, why in rows]
        lines += [""]
    lines += ["## Parameters", "", "What the governor sets for all accounts, after its delay.", ""]
    lines += table("name", "first value", "largest value", "meaning")
    for name, pair, meaning in assigned("parameters"):
        first, largest = map(grouped, pair.strip("[]").split(", "))
        lines += [f"| `{name}` | {first} | {largest} | {cell(meaning)} |"]
    tails = ", ".join(map(str, protocol["scenarios"]["tail_moves_ppm"]))
    lines += ["", f"Moves of the tail scenarios, ppm: {tails}.", ""]
    for name in protocol["enums"]:
        if name not in OWN_PAGES:
            lines += [f"## {name}", "", *table("number", "name", "meaning")]
            lines += [f"| {int(number, 0)} | {it} | {cell(of)} |" for it, number, of in enum(name)]
            lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def enum(name: str) -> list[tuple[str, str, str]]:
    """Return the members of an enumeration by number."""
    return sorted(assigned(f"enums.{name}"), key=lambda row: int(row[1], 0))


# Records


def records_page(protocol: dict[str, Any]) -> str:
    """Return the layout of every record."""
    arenas = protocol["enums"]["ArenaId"]
    lines = [RECORDS_HEAD]
    for name, record in protocol["records"].items():
        slots = f"2^{record['capacity_log2']} slots" if record["capacity_log2"] else "one slot"
        lines += [f"## {name}", ""]
        lines += [f"Arena {arenas[record['arena']]}, {slots} of {record['words']} words.", ""]
        lines += [*table("offset", "field", "type"), *fields(record, protocol["parameters"]), ""]
    return "\n".join(lines).rstrip() + "\n"


def fields(record: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    """Yield a row for each field of a record that is not reserved."""
    offset = 0
    for text in record["fields"]:
        for each in [f"{it} u32" for it in parameters] if text == "...parameters" else [text]:
            name, kind, count = re.fullmatch(r"(\w+) (\w+)(?:\[(\d+)\])?", each).groups("")
            if not name.startswith("reserved"):
                yield f"| {offset} | `{name}` | {kind}{f' × {count}' if count else ''} |"
            size = int(kind[5:]) if kind.startswith("bytes") else SCALAR_BYTES[kind]
            offset += size * int(count or 1)


# Decisions


def decisions_page() -> str:
    """Return the list of all decisions."""
    lines = [DECISIONS_HEAD, *table("", "decision")]
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        title = re.sub(r"^\d+\. ", "", path.read_text().splitlines()[0].removeprefix("# "))
        lines += [f"| {int(path.name[:4])} | [{title}]({path.name}) |"]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    is_check = parser.parse_args().check
    protocol = tomllib.loads(PROTOCOL.read_text())
    written = {
        FOLDER / "openrpc.json": openrpc(),
        FOLDER / "asyncapi.json": asyncapi(),
        FOLDER / "methods.md": page().encode(),
        FOLDER / "configuration.md": configuration_page().encode(),
        FOLDER / "commands.md": commands_page().encode(),
        FOLDER / "numbers.md": numbers_page(protocol).encode(),
        FOLDER / "records.md": records_page(protocol).encode(),
        DECISIONS / "index.md": decisions_page().encode(),
    }
    differing = [
        path for path, data in written.items() if not path.is_file() or path.read_bytes() != data
    ]
    for path in differing:
        name = path.relative_to(ROOT)
        if is_check:
            print(f"{name} is out of date: run tools/reference.py", file=sys.stderr)
        else:
            path.write_bytes(written[path])
            print(f"wrote {name}")
    return 1 if is_check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
