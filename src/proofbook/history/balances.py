"""What accounts hold, and why it changed: transactions whose sum is the balance, to the atom.

An entry's events say why some of it moved; the rest of the change, read from the state, is what
trading or the command itself moved. Fund and fee account are looked at after every entry.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from proofbook.protocol.engine import Engine
from proofbook.protocol.events import (
    AccountReduced,
    AuctionFilled,
    Deposited,
    Event,
    Filled,
    FundingSettled,
    LegFilled,
    Transferred,
    WithdrawalQueued,
)
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, QUOTE_TOKEN, ArenaId
from proofbook.protocol.records import AccountRecord

VARIATION_SETTLED = frozenset({"WITHDRAW", "TRANSFER"})
"""Commands before which an account's linear positions are settled at their marks."""


class Reason(NamedTuple):
    """Part of a change that an event explains."""

    account: int
    kind: str
    token: int
    amount_atoms: int


class Change(NamedTuple):
    """A transaction: `balance_atoms` is what the account has of the token after it."""

    account: int
    place: int
    kind: str
    token: int
    amount_atoms: int
    balance_atoms: int


class Balances:
    """Balances of all accounts as of the last entry."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[int, tuple[int, ...]] = {}

    def changes(
        self, kind: str, accounts: Sequence[int], events: Sequence[Event]
    ) -> Iterator[Change]:
        """Yield the transactions of an entry, by account, and take up the new balances."""
        reasons = [reason for event in events for reason in reasons_of(event)]
        traders = set(traders_of(events))
        for account in sorted({*accounts, FUND_ACCOUNT, FEE_ACCOUNT}):
            before = self._held.get(account, ())
            after = self._read(account)
            own = [reason for reason in reasons if reason.account == account]
            if after == before and not own:
                continue
            self._held[account] = after
            rest = rest_kind(kind, account, account in traders)
            yield from _explained(account, before, after, own, rest)

    def _read(self, account: int) -> tuple[int, ...]:
        record = AccountRecord.unpack(self._engine.read(ArenaId.ACCOUNTS, account))
        return (record.cash_atoms, *record.balances_atoms)


def _explained(
    account: int,
    before: tuple[int, ...],
    after: tuple[int, ...],
    reasons: list[Reason],
    rest_kind: str,
) -> Iterator[Change]:
    place = 0
    for token, balance_atoms in enumerate(after, start=QUOTE_TOKEN):
        running_atoms = before[token - QUOTE_TOKEN] if before else 0
        known = [(r.kind, r.amount_atoms) for r in reasons if r.token == token]
        rest_atoms = balance_atoms - running_atoms - sum(amount for _, amount in known)
        for kind, amount_atoms in [*known, (rest_kind, rest_atoms)]:
            if amount_atoms:
                running_atoms += amount_atoms
                yield Change(account, place, kind, token, amount_atoms, running_atoms)
                place += 1


def rest_kind(kind: str, account: int, is_trader: bool) -> str:
    """Return what to call the part of a change that no event explains."""
    if account == FEE_ACCOUNT and not is_trader:
        return "FEES_RECEIVED"
    if is_trader:
        return "TRADE"
    return "VARIATION" if kind in VARIATION_SETTLED else kind


def traders_of(events: Iterable[Event]) -> Iterator[int]:
    """Yield the accounts that traded."""
    for event in events:
        if isinstance(event, Filled | LegFilled):
            yield from (event.maker_account, event.taker_account)
        elif isinstance(event, AuctionFilled):
            yield from (event.buyer, event.seller)


def reasons_of(event: Event) -> list[Reason]:
    """Return what an event says about balances. A deposit that was not credited moves nothing."""
    if isinstance(event, Deposited):
        return [Reason(event.account, "DEPOSIT", event.token, event.amount_atoms)]
    if isinstance(event, WithdrawalQueued):
        moved = Reason(event.account, "WITHDRAWAL", event.token, -event.amount_atoms)
        return [moved] if event.account else []
    if isinstance(event, Transferred):
        return [
            Reason(event.account, "TRANSFER_OUT", event.token, -event.amount_atoms),
            Reason(event.recipient, "TRANSFER_IN", event.token, event.amount_atoms),
        ]
    if isinstance(event, FundingSettled):
        return [Reason(event.account, "FUNDING", QUOTE_TOKEN, -event.paid_atoms)]
    if isinstance(event, Filled):
        return [
            Reason(event.maker_account, "FEE", QUOTE_TOKEN, -event.maker_fee_atoms),
            Reason(event.taker_account, "FEE", QUOTE_TOKEN, -event.taker_fee_atoms),
        ]
    if isinstance(event, AccountReduced):
        return [Reason(event.account, "LIQUIDATION_FEE", QUOTE_TOKEN, -event.fee_atoms)]
    if isinstance(event, AuctionFilled):
        return [
            Reason(event.buyer, "FEE", QUOTE_TOKEN, -event.buyer_fee_atoms),
            Reason(event.seller, "FEE", QUOTE_TOKEN, -event.seller_fee_atoms),
        ]
    return []
