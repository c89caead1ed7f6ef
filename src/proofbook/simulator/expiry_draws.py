"""Draws of commands that end expiries, and the passing of one: a script of windows."""

from collections import Counter
from collections.abc import Callable, Iterable

from proofbook.protocol.commands import (
    Command,
    ForwardCurve,
    IndexPrice,
    ListInstrument,
    Remark,
    SetSettlement,
    SettleAccount,
    SettleExpiry,
    VolSurface,
)
from proofbook.protocol.events import Event, ExpirySettled, PositionSettled
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    NS_PER_DAY,
    NS_PER_SECOND,
    REMARK_INSTRUMENTS_MAX,
    InstrumentKind,
)
from proofbook.simulator.liquidation_draws import LiquidationDraws
from proofbook.simulator.oracle_draws import OracleDraws

PASSING_WINDOWS = 410
"""After that many windows the clock goes on to the next expiry."""

MINUTE_NS = 60 * NS_PER_SECOND
ROUNDS = 26
"""Minutes before an expiry in which indices are published: some of them are refused."""

LISTINGS = 6
"""Books opened after an expiry, so that there is something to trade again."""

CLOSED_DOWN = 4
AUCTIONED_NS = 70 * NS_PER_SECOND
"""Longer than bids for an insolvent account are waited for."""


class ExpiryDraws(OracleDraws, LiquidationDraws):
    """A crowd that lives through expiries."""

    def observe_expiry(self, event: Event) -> None:
        """Take an expiry that is settled off the curves, and its positions off who held them."""
        if isinstance(event, PositionSettled):
            self.held_lots[event.account, event.instrument] -= event.lots
        elif isinstance(event, ExpirySettled):
            self.expiries[event.underlying].pop(event.expiry_ns, None)
            self.settled.append(event.expiry)

    def pass_an_expiry(self, list_a_book: Callable[[], Command]) -> None:
        """Write the script of the next expiry: its minutes, its end, and what is traded after it.

        By turns one underlying has its index published each minute, and of the other nobody says
        anything, so that the governor has to settle it.
        """
        dates = {date for listed in self.expiries.values() for date in listed if date}
        expiry_ns = min((date for date in dates if date > self.window_ns + ROUNDS * MINUTE_NS),
                        default=0)  # fmt: skip
        places = [place for place in range(len(self.grids)) if self._slot(place, expiry_ns)]
        self.passings += 1
        silent = [place for place in places if (place + self.passings) % 2]
        heard = [place for place in places if place not in silent]
        for minutes in range(ROUNDS, 0, -1):
            self._say(expiry_ns - minutes * MINUTE_NS, heard, self.index_of)
        averaged_ns, settled_ns = (expiry_ns + late * MINUTE_NS + NS_PER_SECOND for late in (1, 31))
        self._say(averaged_ns, heard, lambda place: self._averaged(place, expiry_ns))
        self._say(settled_ns, silent, lambda place: self._governed(place, expiry_ns))
        for place in places:
            future = ListInstrument(place + 1, InstrumentKind.FUTURE, expiry_ns + NS_PER_DAY)
            self.script.append((settled_ns + 1, lambda future=future: future))
        self.script.extend((settled_ns + 1, list_a_book) for _ in range(LISTINGS))
        for act in (self.index_of, self.forwards_of, self.surface_of):
            self._say(settled_ns + 2, range(len(self.grids)), act)
        self._mark_all(settled_ns + 3)
        books = {
            number for number, one in self.instruments.items() if 0 < one.expiry_ns <= expiry_ns
        }
        held = {place for place, lots in self.held_lots.items() if lots and place[1] in books}
        for account in sorted({account for account, _ in held}):
            self.script.append((settled_ns + 4, lambda account=account: SettleAccount(account)))
        self._close_down(settled_ns + 5)

    def _mark_all(self, moment_ns: int) -> None:
        """Put Remarks of all that is listed now into the script."""
        seen: Counter[int] = Counter()
        for listed in self.instruments.values():
            seen[listed.expiry] += 1
            if seen[listed.expiry] % REMARK_INSTRUMENTS_MAX == 1:
                remark = Remark(listed.expiry, instrument_slot(listed.identifier))
                self.script.append((moment_ns, lambda remark=remark: remark))

    def _close_down(self, moment_ns: int) -> None:
        """Auction who is short of margin now, and deleverage who is so still when that is over."""
        self.script.extend((moment_ns, self._start_auction) for _ in range(CLOSED_DOWN))
        self._on_new_marks(moment_ns + NS_PER_SECOND, (self._auction_bid,) * CLOSED_DOWN)
        self._on_new_marks(moment_ns + AUCTIONED_NS, (self._deleverage,) * CLOSED_DOWN)

    def take_legs_over(self) -> None:
        """Write a script of what is done at marks of now alone: they were left behind."""
        acts = self._liquidate, self._start_auction, *(self._auction_bid,) * 3, self._deleverage
        self._on_new_marks(self.window_ns + NS_PER_SECOND, acts)

    def _on_new_marks(self, moment_ns: int, acts: Iterable[Callable[[], Command]]) -> None:
        """Put into the script that everything is published and marked, and what is done then."""
        for act in (self.index_of, self.forwards_of, self.surface_of):
            self._say(moment_ns, range(len(self.grids)), act)
        self._mark_all(moment_ns + 1)
        self.script.extend((moment_ns + 2, act) for act in acts)

    def _say(
        self, moment_ns: int, places: list[int] | range, act: Callable[[int], Command]
    ) -> None:
        """Put a command for each of some underlyings into the script."""
        self.script.extend((moment_ns, lambda place=place: act(place)) for place in places)

    def _slot(self, place: int, expiry_ns: int) -> int:
        return self.expiries[place + 1].get(expiry_ns, 0)

    def _averaged(self, place: int, expiry_ns: int) -> SettleExpiry:
        return SettleExpiry(self._slot(place, expiry_ns))

    def _governed(self, place: int, expiry_ns: int) -> SetSettlement:
        price = int(self.spot[place] * self.random.uniform(0.9, 1.1))
        return SetSettlement(self._slot(place, expiry_ns), expiry_ns, price)

    def index_of(self, place: int, may_jump: bool = True) -> IndexPrice:
        return self._index(place, self._now(), is_joint=True, may_jump=may_jump)

    def forwards_of(self, place: int) -> ForwardCurve:
        return self._forwards(place, self._now())

    def surface_of(self, place: int) -> VolSurface:
        return self._surface(place, self._now())

    def _now(self) -> int:
        self.published_ns = max(self.published_ns + 1, self.window_ns)
        return self.published_ns

    def _past(self) -> list[tuple[int, int]]:
        """Return slot and date of what is over and not settled."""
        return [
            (slot, date)
            for listed in self.expiries.values()
            for date, slot in listed.items()
            if 0 < date <= self.window_ns
        ]

    def _settle_expiry(self) -> SettleExpiry:
        slots = [slot for slot, _ in self._past()] or list(self.settled)
        if not slots or self.random.random() < 0.1:
            return SettleExpiry(self.random.randrange(12))
        return SettleExpiry(self.random.choice(slots))

    def _set_settlement(self) -> SetSettlement:
        past = self._past()
        if not past or self.random.random() < 0.1:
            dates = [(s, d) for listed in self.expiries.values() for d, s in listed.items()]
            past = dates or [(1, 1)]
        return SetSettlement(*self.random.choice(past), self.random.randrange(1, 1 << 37))

    def _settle_account(self) -> SettleAccount:
        cursor = self.random.randrange(40) if self.random.random() < 0.2 else 0
        return SettleAccount(self._account(), cursor)
