"""Draws of commands about accounts: sessions, transfers, fee schedules."""

from typing import Any

from proofbook.protocol.commands import (
    AssignFees,
    GrantRequest,
    GrantSession,
    PositionTransfer,
    RevokeRequest,
    RevokeSession,
    SetFeeSchedule,
)
from proofbook.protocol.events import (
    Event,
    FeeScheduleSet,
    Filled,
    PositionDeleveraged,
    PositionTransferred,
)
from proofbook.protocol.limits import NS_PER_DAY, SESSIONS_PER_ACCOUNT, Action, Side
from proofbook.simulator.crowd import Crowd

ALL_ACTIONS = sum(1 << action for action in Action)
ALL_MARKETS = (1 << 64) - 1
FEE_SCHEDULES_MAX = 4
SCHEDULE_FEE_PPM_MAX = 600


class AccountDraws(Crowd):
    """A crowd that also grants, moves positions and is put under fee schedules."""

    def observe_account(self, event: Event) -> None:
        """Learn what accounts hold, and which schedules there are."""
        self.observe_session(event)
        if isinstance(event, Filled):
            lots = event.lots if event.taker_side == Side.BUY else -event.lots
            self.held_lots[event.taker_account, event.instrument] += lots
            self.held_lots[event.maker_account, event.instrument] -= lots
        elif isinstance(event, PositionTransferred):
            self.held_lots[event.account, event.instrument] -= event.lots
            self.held_lots[event.recipient, event.instrument] += event.lots
        elif isinstance(event, PositionDeleveraged):
            self.held_lots[event.account, event.instrument] -= event.lots
            self.held_lots[event.holder, event.instrument] += event.lots
        elif isinstance(event, FeeScheduleSet):
            self.schedule_versions[event.schedule] = event.version

    def _position_transfer(self) -> PositionTransfer:
        held = [place for place, lots in self.held_lots.items() if lots]
        if not held:
            return PositionTransfer(*self.header(), self._account(), 1, 1)
        account, instrument = self.random.choice(held)
        owner = self.accounts.get(account)
        others = [
            number
            for number, trader in self.accounts.items()
            if trader is owner and number != account
        ]
        is_own = bool(others) and self.random.random() < 0.9
        recipient = self.random.choice(others) if is_own else self._account()
        lots = abs(self.held_lots[account, instrument])
        share = self.random.choice((lots, lots, max(1, lots // 2), lots + 1))
        return PositionTransfer(*self.header(account), recipient, instrument, share)

    def _scope(self) -> dict[str, Any]:
        random = self.random
        return {
            "session": random.randrange(1, SESSIONS_PER_ACCOUNT),
            "key": random.choice(list(self.session_keys)),
            "actions": random.choice((ALL_ACTIONS, random.randrange(1, ALL_ACTIONS + 1))),
            "markets": random.choice((ALL_MARKETS, ALL_MARKETS, random.randrange(8))),
            "notional_cap_atoms": random.choice((0, int(10 ** random.uniform(8, 14)))),
            "session_expires_ns": self.window_ns
            + random.randrange(random.choice((NS_PER_DAY // 6, 20 * NS_PER_DAY))),
        }

    def _grant_session(self) -> GrantSession:
        return GrantSession(*self.header(), **self._scope())

    def _grant_request(self) -> GrantRequest:
        account, owner = self._owned()
        return GrantRequest(account, owner, **self._scope())

    def _revoke_session(self) -> RevokeSession:
        account, session = self._granted()
        return RevokeSession(*self.header(account), session)

    def _revoke_request(self) -> RevokeRequest:
        account, session = self._granted()
        owner = self.accounts[account].owner if account in self.accounts else bytes(20)
        return RevokeRequest(account, owner, session)

    def _owned(self) -> tuple[int, bytes]:
        account = self._account()
        owner = self.accounts.get(account, self.traders[0]).owner
        return account, owner if self.random.random() < 0.9 else self.traders[-1].owner

    def _granted(self) -> tuple[int, int]:
        """Return account and slot of a session; rarely of one that is not there."""
        granted = [(account, slot) for account, slots in self.sessions.items() for slot in slots]
        if granted and self.random.random() < 0.9:
            return self.random.choice(granted)
        return self._account(), self.random.randrange(SESSIONS_PER_ACCOUNT)

    def _set_fee_schedule(self) -> SetFeeSchedule:
        count = len(self.schedule_versions)
        schedule = self.random.randint(1, min(count + 1, FEE_SCHEDULES_MAX))
        version = self.schedule_versions.get(schedule, 0) + (self.random.random() < 0.9)
        fees = [self.random.randrange(SCHEDULE_FEE_PPM_MAX) for _ in range(6)]
        return SetFeeSchedule(schedule, version, *fees)

    def _assign_fees(self) -> AssignFees:
        return AssignFees(self._account(), self.random.randint(0, len(self.schedule_versions) + 1))
