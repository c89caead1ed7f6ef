"""Who takes part: makers and takers with money in the vault, the fund and the fee account."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from proofbook.api.signing import Key
from proofbook.chain.contracts import BALANCE_OF
from proofbook.cli.demonstration.errors import DepositsNotCredited
from proofbook.cli.demonstration.venue import FUNDER_KEY, Venue, development_key
from proofbook.client import Client, Trader, connect
from proofbook.liquidity.desk import Desk
from proofbook.liquidity.tally import Tally
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, ArenaId
from proofbook.protocol.records import AccountRecord
from proofbook.settlement.deposits import deposit, mint_and_approve

DEPOSIT_ATOMS = 50_000_000_000_000
"""50 million USDC each: enough that margin stops the reckless, not the market."""

CREDIT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Person:
    """A named key, its account, and its connection to the venue."""

    name: str
    key: Key
    client: Client
    desk: Desk

    @property
    def account(self) -> int:
        return self.desk.trader.account

    @property
    def trader(self) -> Trader:
        return self.desk.trader


async def fund(venue: Venue, names: Sequence[str]) -> dict[str, int]:
    """Deposit money for everybody; return their accounts by name.

    Raises DepositsNotCredited, TransactionReverted, ChainFault.
    """
    funder = venue.sender(FUNDER_KEY)
    await mint_and_approve(funder, venue.deployment, DEPOSIT_ATOMS * len(names))
    accounts: dict[str, int] = {}
    for name in names:
        owner = development_key(name).address
        made = await deposit(funder, venue.deployment, owner, 0, DEPOSIT_ATOMS)
        accounts[name] = made.account
    await _until_credited(venue, list(accounts.values()))
    return accounts


async def meet(venue: Venue, accounts: dict[str, int], tally: Tally) -> list[Person]:
    """Connect everybody to the venue. Raises ConnectionLost."""
    return await meet_at(venue.node.websocket_url, accounts, tally)


async def meet_at(url: str, accounts: dict[str, int], tally: Tally) -> list[Person]:
    """Connect everybody to a URL. Raises ConnectionLost."""
    people: list[Person] = []
    for name, account in accounts.items():
        key = development_key(name)
        client = await connect(url)
        people.append(Person(name, key, client, Desk(client.trader(key, account), tally)))
    return people


async def meet_institutions(venue: Venue, tally: Tally) -> list[Person]:
    """Connect the owners of the fund and of the fee account."""
    return await meet(venue, {"fund": FUND_ACCOUNT, "fees": FEE_ACCOUNT}, tally)


async def part(people: Sequence[Person]) -> None:
    """Close all connections."""
    await asyncio.gather(*(person.client.close() for person in people))


def account_record(venue: Venue, account: int) -> AccountRecord:
    return AccountRecord.unpack(venue.node.engine.read(ArenaId.ACCOUNTS, account))


async def balance_atoms(venue: Venue, address: bytes) -> int:
    """Return what an address holds on chain, outside the vault."""
    balance: int = await venue.rpc.view(venue.deployment.token, BALANCE_OF, address)
    return balance


async def _until_credited(venue: Venue, accounts: Sequence[int]) -> None:
    deadline = time.monotonic() + CREDIT_SECONDS_MAX
    while missing := [a for a in accounts if not account_record(venue, a).cash_atoms]:
        if time.monotonic() > deadline:
            raise DepositsNotCredited(missing, CREDIT_SECONDS_MAX)
        await asyncio.sleep(POLL_SECONDS)
