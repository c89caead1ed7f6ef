"""`proofbook …`: the command line. Subcommands are imported when they are asked for."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMMANDS: dict[str, str] = {
    "up": "proofbook.cli.up:up",
    "demo": "proofbook.cli.demo:demo",
    "serve": "proofbook.cli.serve:serve",
    "verify": "proofbook.cli.verify:verify",
    "bench": "proofbook.cli.bench:app",
    "stress": "proofbook.cli.stress:stress",
    "instruments": "proofbook.cli.orders:instruments",
    "book": "proofbook.cli.orders:book",
    "account": "proofbook.cli.orders:account",
    "positions": "proofbook.cli.orders:positions",
    "fills": "proofbook.cli.happened:fills",
    "orders": "proofbook.cli.happened:orders",
    "transactions": "proofbook.cli.happened:transactions",
    "trades": "proofbook.cli.happened:trades",
    "candles": "proofbook.cli.happened:candles",
    "limits": "proofbook.cli.limits:limits",
    "margin": "proofbook.cli.simulate:margin",
    "simulate": "proofbook.cli.simulate:simulate",
    "order": "proofbook.cli.orders:order",
    "amend": "proofbook.cli.orders:amend",
    "cancel": "proofbook.cli.orders:cancel",
    "stop": "proofbook.cli.stops:stop",
    "cancel-stop": "proofbook.cli.stops:cancel_stop",
    "quote": "proofbook.cli.quotes:quote",
    "protect": "proofbook.cli.quotes:protect",
    "thaw": "proofbook.cli.quotes:thaw",
    "dead-man": "proofbook.cli.quotes:dead_man",
    "offer": "proofbook.cli.deals:offer",
    "accept": "proofbook.cli.deals:accept",
    "combo": "proofbook.cli.deals:combo",
    "withdraw": "proofbook.cli.orders:withdraw",
    "transfer": "proofbook.cli.accounts:transfer",
    "move": "proofbook.cli.accounts:move",
    "sales": "proofbook.cli.collateral:sales",
    "buy-collateral": "proofbook.cli.collateral:buy_collateral",
    "buyer": "proofbook.cli.collateral:buyer",
    "grant": "proofbook.cli.accounts:grant",
    "revoke": "proofbook.cli.accounts:revoke",
    "deposit": "proofbook.cli.money:deposit",
    "claim": "proofbook.cli.money:claim",
    "tx": "proofbook.cli.tx:app",
    "receipts": "proofbook.cli.receipts:app",
    "history": "proofbook.cli.history:app",
    "snapshots": "proofbook.cli.snapshots:app",
    "publish": "proofbook.cli.publish:publish",
    "warp": "proofbook.cli.development:warp",
    "shock": "proofbook.cli.development:shock_app",
    "govern": "proofbook.cli.govern:govern",
}
"""Name to `module:function`, or to a group of commands; the order is that of the help text."""


def load(name: str) -> TyperCommand | TyperGroup:
    """Return the command of a name, importing what it needs."""
    module_name, function_name = COMMANDS[name].split(":")
    function = getattr(import_module(module_name), function_name)
    if isinstance(function, typer.Typer):
        command = get_command(function)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(function)
        command = get_command(single)
    assert isinstance(command, TyperCommand | TyperGroup), "what it makes of functions of ours"
    command.name = name
    return command


class LazyGroup(TyperGroup):
    """A group that knows its commands by name before any of their modules is imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        return load(cmd_name) if cmd_name in COMMANDS else None


app = typer.Typer(
    cls=LazyGroup,
    name="proofbook",
    no_args_is_help=True,
    help="An exchange for derivatives that anyone can replay and prove wrong.",
)


@app.callback()
def _root() -> None:
    """An exchange for derivatives that anyone can replay and prove wrong."""


def main(*arguments: Any) -> None:
    """Run the command line."""
    app(*arguments)
