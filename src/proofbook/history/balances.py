"""What accounts hold, and why it changed: transactions whose sum is the balance, to the atom.

An entry's events say why some of it moved; the rest of the change, read from the state, is what
trading, settling or the command itself moved. Fund and fee account are looked at after every entry.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from proofbook.history.reasons import Kind, reasons_of, rest_of
from proofbook.protocol.engine import Engine
from proofbook.protocol.events import Event
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, QUOTE_TOKEN, ArenaId
from proofbook.protocol.records import AccountRecord


class Change(NamedTuple):
    """A transaction: `balance_atoms` is what the account has of the token after it."""

    account: int
    place: int
    kind: str
    token: int
    amount_atoms: int
    balance_atoms: int


class Balances:
    """Balances of all accounts as of the last entry; of one that has nothing, none may be known."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[int, tuple[int, ...]] = {}

    def take_up(self, account: int, record: AccountRecord) -> None:
        """Start from what an account has."""
        held = (record.cash_atoms, *record.balances_atoms)
        if any(held):
            self._held[account] = held

    def changes(
        self, command: str, accounts: Sequence[int], events: Sequence[Event]
    ) -> Iterator[Change]:
        """Yield the transactions of an entry, by account, and take up the new balances."""
        explained = sums_of(events)
        rests = rests_of(events)
        for account in sorted({*accounts, FUND_ACCOUNT, FEE_ACCOUNT}):
            before = self._held.get(account, ())
            after = self._read(account)
            own = explained.get(account, {})
            if after == before and not own:
                continue
            self._held[account] = after
            yield from _explained(account, before, after, own, rests.get(account, command))

    def _read(self, account: int) -> tuple[int, ...]:
        record = AccountRecord.unpack(self._engine.read(ArenaId.ACCOUNTS, account))
        return (record.cash_atoms, *record.balances_atoms)


def _explained(
    account: int,
    before: tuple[int, ...],
    after: tuple[int, ...],
    own: dict[tuple[Kind, int], int],
    rest_kind: str,
) -> Iterator[Change]:
    place = 0
    for token, balance_atoms in enumerate(after, start=QUOTE_TOKEN):
        running_atoms = before[token - QUOTE_TOKEN] if before else 0
        known = [(kind.value, atoms) for (kind, of), atoms in own.items() if of == token]
        rest_atoms = balance_atoms - running_atoms - sum(atoms for _, atoms in known)
        for kind, amount_atoms in [*known, (rest_kind, rest_atoms)]:
            if amount_atoms:
                running_atoms += amount_atoms
                yield Change(account, place, kind, token, amount_atoms, running_atoms)
                place += 1


def sums_of(events: Iterable[Event]) -> dict[int, dict[tuple[Kind, int], int]]:
    """Return what events say moved, by account, by kind and token, first mentioned first."""
    sums: dict[int, dict[tuple[Kind, int], int]] = {}
    for event in events:
        for reason in reasons_of(event):
            own = sums.setdefault(reason.account, {})
            key = reason.kind, reason.token
            own[key] = own.get(key, 0) + reason.amount_atoms
    return sums


def rests_of(events: Iterable[Event]) -> dict[int, str]:
    """Return by account what to call the part of its change that no event explains."""
    rests: dict[int, str] = {}
    for event in events:
        kind, accounts = rest_of(event)
        for account in accounts:
            # Who trades and then withdraws in one entry does not exist: the first says more.
            rests.setdefault(account, kind)
    return rests
