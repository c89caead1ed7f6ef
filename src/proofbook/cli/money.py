"""`proofbook deposit` and `proofbook claim`: money into the vault, and out of it by proof."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from proofbook.chain.errors import ChainFault
from proofbook.chain.proofs import StateWitness
from proofbook.chain.rpc import AsyncRpc, Rpc
from proofbook.cli.options import Secret, TokenSymbol
from proofbook.cli.output import PlainConsole, ReplyPath, ending_on, say, show_and_write
from proofbook.cli.verify import EXIT_LIE, ChainAddress, RpcUrl, describe, parse_address
from proofbook.protocol.events import WithdrawalQueued
from proofbook.protocol.genesis import QUOTE_SYMBOL
from proofbook.settlement.deployment import find_deployment
from proofbook.settlement.deposits import approve, mint_and_approve
from proofbook.settlement.deposits import deposit as deposit_for
from proofbook.settlement.errors import SettlementFault
from proofbook.settlement.tokens import CustodyToken, token_called
from proofbook.settlement.transactions import Sender
from proofbook.settlement.withdrawals import ProvenWithdrawal, pay, prove_withdrawals, unpaid
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName
from proofbook.verification.replay import replay_chain

Result = TypeVar("Result")


@dataclass(frozen=True)
class Deposited:
    """What the vault made of a deposit: an account's number, and its place in the inbox."""

    account: int
    request_index: int


@dataclass(frozen=True)
class Paid:
    """A withdrawal that the vault paid; amount with its token."""

    withdrawal: int
    amount: str
    recipient: str


def parse_amount(text: str) -> Decimal:
    """Return an amount above 0. Raises typer.BadParameter."""
    try:
        amount = Decimal(text)
        if amount.is_finite() and amount > 0:
            return amount
    except InvalidOperation:
        pass
    raise typer.BadParameter(f"{text!r} is no amount")


def deposit(
    rpc: RpcUrl,
    contract: ChainAddress,
    amount: Annotated[
        Decimal, typer.Argument(parser=parse_amount, metavar="AMOUNT", help="As in 1000 or 12.5.")
    ],
    key: Secret,
    token: TokenSymbol = QUOTE_SYMBOL,
    owner: Annotated[
        bytes | None,
        typer.Option(parser=parse_address, metavar="ADDRESS", help="Default: the key's own."),
    ] = None,
    subaccount: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    mint: Annotated[
        bool, typer.Option("--mint", help="Make the money first; development tokens only.")
    ] = False,
    json_path: ReplyPath = "",
) -> None:
    """Move money into the vault for an account; the venue credits it within the hour."""

    async def act() -> Deposited:
        async with AsyncRpc(rpc) as node:
            deployment = await find_deployment(node, contract)
            chosen = token_called(deployment.tokens, token)
            atoms = chosen.atoms(amount)
            sender = Sender(node, key, deployment.chain_id)
            allow = mint_and_approve if mint else approve
            await allow(sender, deployment, atoms, chosen.number)
            made = await deposit_for(
                sender, deployment, owner or sender.address, subaccount, atoms, chosen.number
            )
            return Deposited(made.account, made.request_index)

    made = _run(act(), "depositing")
    lines = [f"account {made.account}, request {made.request_index}"]
    show_and_write(lines, made, json_path)


def claim(
    rpc: RpcUrl,
    contract: ChainAddress,
    key: Secret,
    recipient: Annotated[
        bytes | None,
        typer.Option(parser=parse_address, metavar="ADDRESS", help="Default: everybody's."),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Which program replays.")] = EngineName.KERNEL,
    json_path: ReplyPath = "",
) -> None:
    """Have the vault pay withdrawals that a final root opens, with nothing but the chain.

    The proofs come from a replay: nobody at the venue is asked. Anyone may pay for the gas.
    """

    async def act() -> list[Paid]:
        async with AsyncRpc(rpc) as node:
            deployment = await find_deployment(node, contract)
            sender = Sender(node, key, deployment.chain_id)
            index, witness, withdrawals = await asyncio.to_thread(
                _final_state, rpc, contract, engine
            )
            wanted = await unpaid(node, deployment, witness.record.withdrawal_count)
            proven = prove_withdrawals(index, witness, withdrawals, wanted)
            chosen = [p for p in proven if recipient in (None, p.withdrawal.recipient)]
            paid = [p for p in chosen if await pay(sender, deployment, p)]
            return [_paid(row, deployment.tokens) for row in paid]

    paid = _run(act(), "executing the entries again, for the proofs")
    lines = [f"withdrawal {row.withdrawal}: {row.amount} to {row.recipient}" for row in paid]
    show_and_write([*lines, f"{len(paid)} withdrawals paid"], paid, json_path)


def _final_state(
    url: str, contract: bytes, engine: EngineName
) -> tuple[int, StateWitness, list[WithdrawalQueued]]:
    """Return the newest final claim, its state opened, and all withdrawals up to it.

    Raises typer.Exit when nothing is final, or when what is final is false.
    """
    with Rpc(url) as node:
        reader = ChainReader(node, contract)
        final = [c.event.claim_index for c in reader.claims() if c.is_final]
        if not final:
            _refuse("no claim is final yet")
        report, replay = replay_chain(reader, engine, last_claim=final[-1])
    if replay is None or not report.verified:
        _refuse("; ".join(describe(finding) for finding in report.findings))
    return final[-1], StateWitness.of(replay.engine), replay.withdrawals


def _refuse(reason: str) -> NoReturn:
    say("refused", reason)
    raise typer.Exit(EXIT_LIE)


def _paid(proven: ProvenWithdrawal, tokens: Sequence[CustodyToken]) -> Paid:
    withdrawal = proven.withdrawal
    amount = tokens[withdrawal.token].text(withdrawal.amount_atoms)
    return Paid(withdrawal.index, amount, "0x" + withdrawal.recipient.hex())


def _run(action: Coroutine[Any, Any, Result], waiting: str) -> Result:
    with ending_on(ChainFault, SettlementFault), PlainConsole(stderr=True).status(waiting):
        return asyncio.run(action)
