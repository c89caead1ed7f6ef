"""Where JSON comes from and goes to: files, or the standard streams for `-`."""

import json
import os
import sys
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import msgspec
import typer
from rich.console import Console
from rich.text import Text

Document = TypeVar("Document")

STANDARD_OUTPUT = "-"
STANDARD_INPUT = "-"
EXIT_UNWRITTEN = 2
EXIT_FAULT = 2
EXIT_TERMINATED = 143

STEERING = frozenset(("Cc", "Cs"))
"""Categories of what moves a terminal's cursor, or is no letter at all."""
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes a terminal show letters in another order than they are in."""


class Unwritable(Exception):
    """A file that the operating system does not let us write. Operands: path, reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = path
        self.reason = reason


class PlainConsole(Console):
    """Shows strings letter by letter: a name is neither markup nor steers the terminal.

    Every command prints with it: what a chain, a venue or a file says ends in strings and tables.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Return what is shown for a string, also one within a table."""
        return super().render_str(printable(text), **how)


def console_for(json_path: str) -> PlainConsole:
    """Return where progress and tables go: not where the JSON goes."""
    return PlainConsole(stderr=json_path == STANDARD_OUTPUT)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a line of words, some of them with a style, letter by letter as they are."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((printable(words), style) for words, style in pairs))


def printable(text: str) -> str:
    """Return a text with a question mark for each character that would steer a terminal."""
    return "".join("?" if is_steering(letter) else letter for letter in text)


def is_steering(letter: str) -> bool:
    """Whether a character does something else than to be seen, other than ending a line."""
    if letter in "\n\t":
        return False
    return letter in TURNING or unicodedata.category(letter) in STEERING


@contextmanager
def looked_up(path: str) -> Generator[None]:
    """Name a path which the operating system does not look up, being too long or not allowed.

    Raises typer.BadParameter.
    """
    try:
        yield
    except OSError as fault:
        words = f"cannot look up {path}: {fault.strerror or fault}"
        raise typer.BadParameter(words) from None


def check_json_path(path: str) -> str:
    """Refuse a path before anything is done whose result it could not take.

    Raises typer.BadParameter.
    """
    if path in ("", STANDARD_OUTPUT):
        return path
    with looked_up(path):
        return _check_file(path, Path(path))


def _check_file(path: str, target: Path) -> str:
    if target.is_dir():
        raise typer.BadParameter(f"{path} is a folder")
    if not target.parent.is_dir():
        raise typer.BadParameter(f"{target.parent} is no folder")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise typer.BadParameter(f"{path} may not be written")
    return path


def json_option(help_text: str) -> object:
    """Return the option `--json PATH`, checked when it is parsed."""
    return typer.Option("--json", metavar="PATH", callback=check_json_path, help=help_text)


ReportPath = Annotated[str, json_option("Write the report; - for standard output.")]
ReplyPath = Annotated[str, json_option("Write the reply; - for standard output.")]
AddressesPath = Annotated[str, json_option("Write addresses; - for standard output.")]


def write_text(text: str, path: str) -> None:
    """Write to a file, to standard output for `-`, nowhere for an empty path. Raises Unwritable."""
    if not path:
        return
    try:
        if path == STANDARD_OUTPUT:
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            Path(path).write_text(text)
    except OSError as fault:
        raise Unwritable(path, fault.strerror or str(fault)) from fault


def write_or_exit(text: str, path: str) -> None:
    """Write as `write_text`; what cannot be written ends the program with a line that says why."""
    try:
        write_text(text, path)
    except Unwritable as fault:
        say("failed", fault)
        raise typer.Exit(EXIT_UNWRITTEN) from fault


def publish(report: object, path: str, *shown: Any) -> None:
    """Print what a measurement found for people, unless standard output is for JSON, and write it.

    `shown`: its tables.
    """
    publish_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", path, *shown)


def publish_text(text: str, path: str, *shown: Any) -> None:
    """Publish as `publish` what is JSON already."""
    if path != STANDARD_OUTPUT:
        PlainConsole().print(*shown)
    write_or_exit(text, path)


def show_and_write(lines: Sequence[str], value: object, path: str) -> None:
    """Print lines for people, unless standard output is for JSON, and write a value as JSON."""
    if path != STANDARD_OUTPUT:
        for line in lines:
            PlainConsole().print(line, soft_wrap=True)
    write_or_exit(as_json(value), path)


def read_json(path: str, kind: type[Document], noun: str) -> Document:
    """Return what a file holds, from standard input for `-`; `noun` is how a person would call it.

    Raises typer.BadParameter.
    """
    try:
        data = sys.stdin.read() if path == STANDARD_INPUT else Path(path).read_text()
        return msgspec.json.decode(data, type=kind)
    except OSError as fault:
        raise typer.BadParameter(f"cannot read {path}: {fault.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise typer.BadParameter(f"{path} holds no {noun}: {fault}") from None


def say(verdict: str, fault: object) -> None:
    """Print to standard error in red what happened, and in plain letters why."""
    PlainConsole(stderr=True).print(styled((f"{verdict}:", "bold red"), f" {fault}"))


@contextmanager
def ending_on(*kinds: type[Exception]) -> Generator[None]:
    """End the program at a fault of some kinds, with a line that says why."""
    try:
        yield
    except kinds as fault:
        say("failed", fault)
        raise typer.Exit(EXIT_FAULT) from fault


def as_json(value: object) -> str:
    """Return a value as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"


def fault_among(error: BaseException, kinds: tuple[type[Exception], ...]) -> BaseException | None:
    """Return the first fault of some kinds, out of whatever groups it came in."""
    if isinstance(error, kinds):
        return error
    if isinstance(error, BaseExceptionGroup):
        group = cast(BaseExceptionGroup[BaseException], error)
        found = (fault_among(inner, kinds) for inner in group.exceptions)
        return next((fault for fault in found if fault is not None), None)
    return None
