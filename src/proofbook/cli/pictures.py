"""The option `--plot PATH`, and what writes there."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from proofbook.cli.output import EXIT_UNWRITTEN, check_json_path, say

PlotPath = Annotated[
    str,
    typer.Option(
        "--plot", metavar="PATH", callback=check_json_path, help="Save a picture: .png, .svg, .pdf."
    ),
]


def draw_or_exit(draw: Callable[[Path], None], path: str) -> None:
    """Draw to a path, nowhere for an empty one; what cannot be drawn ends the program."""
    if not path:
        return
    try:
        draw(Path(path))
    except ImportError:
        say("failed", "--plot needs matplotlib: pip install matplotlib")
    except (OSError, ValueError) as fault:
        say("failed", f"cannot write {path}: {fault}")
    else:
        return
    raise typer.Exit(EXIT_UNWRITTEN)
