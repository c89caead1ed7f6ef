"""Sessions and transfers through the whole node, by the SDK and from the command line."""

import asyncio
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    TRADER_KEYS,
    USDC,
    listed_venue,
    two_traders,
)
from typer.testing import CliRunner, Result

from proofbook.api.convert import action_mask, action_names
from proofbook.api.errors import ApiError, Refusal, Refused
from proofbook.api.schema import AccountNotice, ActionName
from proofbook.cli import app
from proofbook.client import Client, Key, Rejected
from proofbook.client.client import AnyNotice
from proofbook.node import Node
from proofbook.protocol.commands import (
    CancelAll,
    Command,
    Deposit,
    GrantRequest,
    GrantSession,
    RevokeRequest,
    RevokeSession,
    TraderCommand,
)
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.limits import NS_PER_DAY, NS_PER_SECOND, Action, Reject

PERPETUAL = "BTC-PERP"
PHONE_SECRET = b"\x21" * 32
PHONE = Key(PHONE_SECRET)
OWN_SECOND = FIRST_ACCOUNT + 2


async def deposit_again(node: Node) -> None:
    """Give the first trader a second account."""
    command = Deposit(OWN_SECOND, TRADER_KEYS[0].address, 1, 0, 1_000 * USDC)
    assert (await node.sequencer.submit(command)).result.outcome.is_applied


def account_notice(streamed: tuple[str, AnyNotice]) -> AccountNotice:
    _, notice = streamed
    assert isinstance(notice, AccountNotice)
    return notice


def test_action_names_are_those_of_the_protocol() -> None:
    assert get_args(ActionName) == tuple(action.name.lower() for action in Action)
    assert action_names(action_mask(["transfer", "place", "place"])) == ["place", "transfer"]


def test_a_session_trades_within_its_scope_and_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, _):
            expires_ns = client.now_ns() + NS_PER_DAY
            await owner.grant_session(
                2, PHONE.address, ["place", "cancel"], expires_ns, notional_cap="50000"
            )
            phone = client.trader(PHONE, FIRST_ACCOUNT, session=2)
            rested = await phone.place(PERPETUAL, "buy", "50000", "0.5")
            assert rested.order is not None
            shown = (await owner.state()).sessions[1]
            assert (shown.slot, shown.actions) == (2, ["place", "cancel"])
            assert (shown.notional_cap, shown.notional_used) == ("50000", "25000")
            assert shown.key == "0x" + PHONE.address.hex()
            with pytest.raises(Rejected) as caught:
                await phone.place(PERPETUAL, "buy", "50000", "0.6")
            assert caught.value.reason == Reject.SESSION_NOTIONAL_EXCEEDED.name
            for forbidden in (phone.withdraw, partial(phone.transfer, FIRST_ACCOUNT + 1)):
                with pytest.raises(ApiError) as never:
                    await forbidden("1")
                assert never.value.reason == Reject.SESSION_SCOPE_EXCEEDED.name, "it gets no seq"
            await phone.cancel(rested.order)
            await owner.revoke_session(2)
            with pytest.raises(ApiError) as refused:
                await phone.cancel_all()
            assert refused.value.reason == Reject.SESSION_NOT_FOUND.name
            assert len((await owner.state()).sessions) == 1

    asyncio.run(scenario())


def test_a_session_that_is_over_is_refused_without_a_seq(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, _):
            expires_ns = client.now_ns() + NS_PER_SECOND // 2
            await owner.grant_session(1, PHONE.address, ["cancel"], expires_ns)
            await asyncio.sleep(0.6)
            phone = client.trader(PHONE, FIRST_ACCOUNT, session=1)
            seq = node.engine.seq
            with pytest.raises(ApiError) as refused:
                await phone.cancel_all()
            assert refused.value.reason == Reject.SESSION_EXPIRED.name
            assert node.engine.seq == seq

    asyncio.run(scenario())


def signed(node: Node, key: Key, command: TraderCommand) -> bytes:
    return key.sign(command_digest(node.sequencer.separator, command))


def head_of_first(client: Client, nonce: int) -> tuple[int, int, int]:
    return FIRST_ACCOUNT, nonce, client.now_ns() + NS_PER_DAY


def changes_of(client: Client) -> dict[str, tuple[TraderCommand, Command]]:
    """Return what takes a key's place in session 1, by the owner's signature and by the inbox."""
    owner, other = TRADER_KEYS[0].address, TRADER_KEYS[1].address
    grant = (1, other, 1, 2, 0, client.now_ns() + NS_PER_DAY)
    head = head_of_first(client, 10**15)
    return {
        "granted anew": (GrantSession(*head, *grant), GrantRequest(FIRST_ACCOUNT, owner, *grant)),
        "revoked": (RevokeSession(*head, 1), RevokeRequest(FIRST_ACCOUNT, owner, 1)),
    }


@pytest.mark.parametrize(
    ("change", "later"),
    [
        ("granted anew", Refusal.SIGNATURE_INVALID.name),
        ("revoked", Reject.SESSION_NOT_FOUND.name),
    ],
)
def test_a_key_is_refused_while_it_waits_to_go(tmp_path: Path, change: str, later: str) -> None:
    """Else its later command would be of a key that is gone by then: VOID."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, _):
            await owner.grant_session(1, PHONE.address, ["cancel"], client.now_ns() + NS_PER_DAY)
            enqueue, (signed_change, _) = node.sequencer.enqueue, changes_of(client)[change]
            cancel, again = (CancelAll(*head_of_first(client, 10**15 + n)) for n in range(2))
            answers = [
                enqueue(cancel, 1, signed(node, PHONE, cancel)),
                enqueue(signed_change, 0, signed(node, TRADER_KEYS[0], signed_change)),
            ]
            with pytest.raises(Refused) as refused:
                enqueue(again, 1, signed(node, PHONE, again))
            assert refused.value.reason == Reject.SESSION_NOT_FOUND.name
            for answer in answers:
                assert (await answer).result.outcome.is_applied
            with pytest.raises(Refused) as changed:
                enqueue(again, 1, signed(node, PHONE, again))
            assert changed.value.reason == later

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["granted anew", "revoked"])
def test_what_a_key_signed_is_executed_before_the_inbox_takes_it_away(
    tmp_path: Path, change: str
) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, _):
            await owner.grant_session(1, PHONE.address, ["cancel"], client.now_ns() + NS_PER_DAY)
            cancel = CancelAll(*head_of_first(client, 10**15))
            _, request = changes_of(client)[change]
            answers = [
                node.sequencer.enqueue(cancel, 1, signed(node, PHONE, cancel)),
                node.sequencer.enqueue(request),
            ]
            receipted = await asyncio.gather(*answers)
            assert [answer.result.outcome.is_applied for answer in receipted] == [True, True]
            assert receipted[0].receipt.window_ns < receipted[1].receipt.window_ns

    asyncio.run(scenario())


def test_money_and_positions_move_and_both_accounts_hear_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, other):
            await deposit_again(node)
            await other.place(PERPETUAL, "sell", "60000", "0.4")
            await owner.place(PERPETUAL, "buy", "60000", "0.4")
            await client.subscribe([f"account.{FIRST_ACCOUNT}", f"account.{OWN_SECOND}"])
            await owner.transfer(OWN_SECOND, "5000.5")
            await owner.position_transfer(OWN_SECOND, PERPETUAL, "0.1")
            second = await client.account(OWN_SECOND)
            assert second.cash == "6000.5"
            assert [(p.instrument, p.amount) for p in second.positions] == [(PERPETUAL, "0.1")]
            stream = client.stream()
            heard = [account_notice(await anext(stream)) for _ in range(4)]
            events = [(notice.account, notice.event) for notice in heard]
            assert events == [
                (account, event)
                for event in ("TRANSFERRED", "POSITION_TRANSFERRED")
                for account in (FIRST_ACCOUNT, OWN_SECOND)
            ]
            assert heard[0].fields["amount"] == "5000.5"
            assert heard[2].fields["mark"] == "60000"
            with pytest.raises(Rejected) as caught:
                await owner.position_transfer(FIRST_ACCOUNT + 1, PERPETUAL, "0.1")
            assert caught.value.reason == Reject.OWNER_MISMATCH.name

    asyncio.run(scenario())


def test_the_command_line_grants_moves_and_revokes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            await deposit_again(node)

            async def run(*arguments: str, secret: bytes = b"\x0b" * 32) -> Result:
                who = ("--account", str(FIRST_ACCOUNT), "--key", secret.hex())
                call = (*arguments, "--url", node.websocket_url, *who)
                return await asyncio.to_thread(CliRunner().invoke, app, call)

            holder = "0x" + PHONE.address.hex()
            granted = await run("grant", "3", holder, "--actions", "transfer", "--days", "1")
            assert granted.exit_code == 0, granted.output
            shown = await asyncio.to_thread(
                CliRunner().invoke, app, ["account", "3", "--url", node.websocket_url]
            )
            assert f"session 3: {holder} may transfer" in " ".join(shown.output.split())
            by_phone = ("--session", "3")
            moved = await run("transfer", str(OWN_SECOND), "7", *by_phone, secret=PHONE_SECRET)
            assert moved.exit_code == 0, moved.output
            elsewhere = await run("transfer", "4", "7", *by_phone, secret=PHONE_SECRET)
            assert elsewhere.exit_code == 1 and "SESSION_SCOPE_EXCEEDED" in elsewhere.output
            position = await run("move", str(OWN_SECOND), PERPETUAL, "1")
            assert position.exit_code == 1 and "POSITION_TOO_SMALL" in position.output
            nothing = await run("move", str(OWN_SECOND), "ETH-PERP", "1")
            assert nothing.exit_code == 2 and "ETH-PERP" in nothing.output
            revoked = await run("revoke", "3")
            assert revoked.exit_code == 0, revoked.output
            strange = await run("grant", "3", holder, "--actions", "withdraw")
            assert strange.exit_code == 2 and "withdraw" in strange.output

    asyncio.run(scenario())
