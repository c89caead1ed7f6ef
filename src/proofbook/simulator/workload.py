"""A stream of entries from one seed: traders, publishers and passers-by, some of them hostile.

The workload learns order ids, accounts and instruments from events, so that it can be driven by
either engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from proofbook.protocol.commands import (
    Command,
    ListInstrument,
    ReleaseInstrument,
    Remark,
    SetInstrument,
    Tick,
    Uncross,
)
from proofbook.protocol.engine import Result
from proofbook.protocol.events import (
    InstrumentListed,
    InstrumentReleased,
    decode_events,
)
from proofbook.protocol.genesis import (
    Genesis,
    MarginParameters,
    MarginTerms,
    Terms,
    UnderlyingGrid,
)
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Reject,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.account_draws import AccountDraws
from proofbook.simulator.collateral_draws import CollateralDraws
from proofbook.simulator.crash_script import CRASH_WINDOWS, Crash
from proofbook.simulator.crowd import CHAIN_ID as CHAIN_ID
from proofbook.simulator.crowd import CONTRACT as CONTRACT
from proofbook.simulator.crowd import GENESIS_NS as GENESIS_NS
from proofbook.simulator.crowd import SPOT_ATOMS, TOKENS
from proofbook.simulator.crowd import address_of as address_of
from proofbook.simulator.crowd import compact_signature as compact_signature
from proofbook.simulator.expiry_draws import PASSING_WINDOWS, ExpiryDraws
from proofbook.simulator.governance_draws import GovernanceDraws
from proofbook.simulator.hostility import corrupt_bytes, corrupt_command
from proofbook.simulator.leg_draws import ABSENT_INSTRUMENT, LegDraws
from proofbook.simulator.listed import Listed
from proofbook.simulator.order_draws import OrderDraws
from proofbook.spec.payoff import payoff_of

EXPIRY_OFFSETS_DAYS = (2, 9, 30, 90)
FUNDING_IMPACT_USD = 200
"""Little enough for a thin book to have a premium."""

DEBT_ACCOUNT_USD, DEBT_VENUE_USD = 1_000, 3_000
"""Little enough for orders to be refused."""

CONVERSION_PPM = 20_000
"""Little enough for debts to be too large often."""

GAPS_NS = (10**6, 10**9, 20 * 10**9, 12 * 3600 * 10**9)
GAP_WEIGHTS = (1500, 400, 60, 1)
"""Between windows: mostly a millisecond; rarely half a day, so that long streams pass expiries."""

GRIDS = (
    UnderlyingGrid(
        "BTC",
        2,
        1_000_000_000,
        Terms(100_000, 100_000, 100, 400, band_ppm=100_000),
        Terms(100_000, 100_000, 150, 450, band_ppm=150_000),
        Terms(100_000, 10_000_000, 200, 500, lots_min=2, block_lots_min=25),
        ((1_000, 5), (10_000, 50)),
    ),
    UnderlyingGrid(
        "ETH",
        1,
        50_000_000,
        Terms(10_000, 1_000_000, 0, 300, lots_max=1_000),
        Terms(10_000, 1_000_000, 0, 300),
        Terms(10_000, 100_000_000, 0, 400, band_ppm=20_000),
        margin=MarginTerms(800_000, 50_000, 2_000_000_000),
    ),
)

LEFT_BEHIND = Outcome.rejected(Reject.LEG_INVALID)

BIDS_SHARE, BUYS_SHARE = 0.3, 0.1
"""Of commands while an account is auctioned, or tokens are for sale: rare, and soon over."""

SCRIPTED_HOSTILITY = 0.25
"""Of what is spoilt elsewhere: a script needs each of its steps."""

WEIGHTS: dict[str, float] = {
    "place": 40, "amend": 6, "quote_batch": 8, "set_protection": 2, "reset_protection": 3,
    "set_dead_man": 1, "cancel": 10, "cancel_all": 1, "withdraw": 4, "deposit": 4,
    "set_margin_mode": 2,
    "index_price": 5, "forward_curve": 2, "vol_surface": 1, "remark": 8, "tick": 3,
    "list_instrument": 3, "release_instrument": 2, "accept_quote": 5,
    "block_trade": 4, "create_combo": 1,
    "transfer": 2, "position_transfer": 3, "grant_session": 2, "revoke_session": 1,
    "grant_request": 1, "revoke_request": 1, "set_fee_schedule": 1, "assign_fees": 1,
    "place_trigger": 5, "cancel_trigger": 1, "fire_trigger": 6,
    "set_instrument": 3, "uncross": 24, "liquidate": 12,
    "start_auction": 9, "auction_bid": 2, "deleverage": 4,
    "start_conversion": 12, "buy_collateral": 7, "settle_variation": 1,
    "settle_expiry": 0.5, "settle_account": 1, "set_settlement": 0.5,
    "set_parameters": 1, "set_publisher": 1, "set_terms": 1, "set_underlying": 1,
    "set_token": 1,
}  # fmt: skip


class Workload(
    OrderDraws,
    AccountDraws,
    LegDraws,
    GovernanceDraws,
    CollateralDraws,
    ExpiryDraws,
):
    """Draws entries; `observe` must be told each entry's result before the next draw.

    Here are books and time; the classes that it is made of have the other commands.
    """

    def __init__(
        self,
        seed: int,
        traders: int = 6,
        hostile_share: float = 0.08,
        weights: Mapping[str, float] = WEIGHTS,
    ) -> None:
        super().__init__(seed, traders, hostile_share, GRIDS)
        self.released = [ABSENT_INSTRUMENT]
        self.left_in_window = 0
        self.windows = 0
        self.draws: dict[str, Callable[[], Command]] = {
            name: getattr(self, f"_{name}") for name in weights
        }
        self.weights = weights
        self.genesis = self._genesis()
        self.opening = self._opening()

    def _genesis(self) -> bytes:
        """Return the canonical bytes of a venue with the publishers that there are now."""
        publishers = tuple(address_of(key) for key in self.publishers.values())
        owners = b"\x0f" * 20, b"\x0e" * 20
        parameters = MarginParameters(
            funding_impact_usd=FUNDING_IMPACT_USD,
            debt_account_usd=DEBT_ACCOUNT_USD,
            debt_venue_usd=DEBT_VENUE_USD,
            conversion_ppm=CONVERSION_PPM,
        )
        return Genesis(GENESIS_NS, *owners, publishers, GRIDS, TOKENS, parameters).encode()

    def next_entry(self) -> bytes:
        """Return the next entry of the stream."""
        scripted = None if self.opening else self._scripted()
        if scripted is None:
            self._pass_time()
        if self.opening:
            command = self.opening.pop(0)()
        elif scripted is not None:
            command = scripted()
        elif self.auctions and self._biddable() and self.random.random() < BIDS_SHARE:
            command = self._auction_bid()
        elif self.conversions and self.random.random() < BUYS_SHARE:
            command = self._buy_collateral()
        else:
            name = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            command = self.draws[name]()
        share = self.hostile_share * (1 if scripted is None else SCRIPTED_HOSTILITY)
        is_hostile = not self.opening and self.random.random() < share
        if is_hostile:
            command = corrupt_command(self.random, command)
        data = self._signed(command).encode()
        if is_hostile and self.random.random() < 0.4:
            data = corrupt_bytes(self.random, data)
        return data

    def observe(self, data: bytes, result: Result) -> None:
        """Learn from an entry's events what exists now."""
        self.observe_weakness(data, result)
        if result.outcome == LEFT_BEHIND and not self.script and self.random.random() < 0.2:
            self.take_legs_over()
        for event in decode_events(result.events):
            self.observe_account(event)
            self.observe_legs(event)
            self.observe_governor(event)
            self.observe_liquidation(event)
            self.observe_money(event)
            self.observe_debt(event)
            self.observe_expiry(event)
            self.observe_orders(event)
            if isinstance(event, InstrumentListed):
                self._learn_instrument(event)
            elif isinstance(event, InstrumentReleased):
                self._forget_instrument(event)

    def _learn_instrument(self, event: InstrumentListed) -> None:
        grid = GRIDS[event.underlying - 1]
        terms = grid.terms[payoff_of(event.kind).terms_place]
        self.instruments[event.instrument] = Listed(
            event.instrument,
            event.underlying,
            event.kind,
            event.expiry,
            event.strike_atoms,
            terms.tick_atoms * terms.lot_nanos // 10**9,
            event.expiry_ns,
        )
        self.expiries[event.underlying][event.expiry_ns] = event.expiry

    def _forget_instrument(self, event: InstrumentReleased) -> None:
        """Forget what was released, and the expiry that went with it."""
        listed = self.instruments.pop(event.instrument)
        self.auctioned.discard(event.instrument)
        self.released.append(event.instrument)
        if event.expiry:
            self.expiries[event.underlying].pop(listed.expiry_ns, None)

    def _pass_time(self) -> None:
        """Stamp the next entry: windows hold one to three, and sometimes lie far apart."""
        if self.left_in_window == 0:
            gap_ns = self.random.choices(GAPS_NS, GAP_WEIGHTS)[0]
            self.window_ns += gap_ns + self.random.randrange(10**6)
            self.left_in_window = self.random.choice((1, 1, 1, 1, 2, 3))
        self.left_in_window -= 1
        self.received_ns = self.window_ns - self.left_in_window

    def _scripted(self) -> Callable[[], Command] | None:
        """Return the next act on the way through an expiry or a crash, in a window of its own."""
        if not self.script and self.left_in_window == 0:
            self.windows += 1
            if self.windows % PASSING_WINDOWS == 0:
                self.pass_an_expiry(self._list_instrument)
            elif self.windows % CRASH_WINDOWS == 0:
                self._crash()
        if not self.script:
            return None
        moment_ns, act = self.script.popleft()
        self.window_ns = max(self.window_ns + 1, moment_ns)
        self.received_ns, self.left_in_window = self.window_ns, 0
        return act

    def _crash(self) -> None:
        """Let one of the books crash that somebody can deal in, if there is any."""
        linear = (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE)
        books = [
            one
            for one in self.instruments.values()
            if one.kind in linear and one.mark_atoms and self._trades(one.identifier)
        ]
        if books:
            book = self.random.choice(books)
            Crash(self, book, SPOT_ATOMS[book.underlying - 1]).write()

    def _opening(self) -> list[Callable[[], Command]]:
        """Deposits and listings first, so that there is something to trade."""
        deposits = [self._deposit] * (2 * len(self.traders))
        listings = [lambda c=c: c for c in self._first_listings()]
        observations = [self._index_price, self._forward_curve, self._vol_surface] * 6
        return [*deposits, *listings, *observations, *[self._remark] * 30]

    def _first_listings(self) -> list[Command]:
        listings: list[Command] = []
        for place, grid in enumerate(GRIDS):
            listings.append(ListInstrument(place + 1, InstrumentKind.PERPETUAL))
            for days in EXPIRY_OFFSETS_DAYS[: 2 + place]:
                expiry_ns = GENESIS_NS + days * NS_PER_DAY + 8 * NS_PER_DAY // 24
                listings.append(ListInstrument(place + 1, InstrumentKind.FUTURE, expiry_ns))
                at_the_money = SPOT_ATOMS[place] // grid.strike_step_atoms
                for steps, kind in (
                    (0, InstrumentKind.CALL),
                    (-4, InstrumentKind.PUT),
                    (5, InstrumentKind.CALL),
                ):
                    strike = (at_the_money + steps) * grid.strike_step_atoms
                    listings.append(ListInstrument(place + 1, kind, expiry_ns, strike))
        return listings

    # Anyone, and the governor

    def _tick(self) -> Tick:
        """Sweep an account, mostly one with orders from one of them on."""
        if not self.orders or self.random.random() < 0.3:
            return Tick(self.random.choice((0, self._account())))
        ended = [order for order in self.orders if self._is_ended(self.order_books[order])]
        order = self.random.choice(ended or list(self.orders))
        owner = self.orders[order] if self.random.random() < 0.9 else self._account()
        return Tick(owner, order)

    def _remark(self) -> Remark:
        if not self.instruments or self.random.random() < 0.1:
            return Remark(self.random.randrange(1, 10), self.random.randrange(30))
        instrument = self.random.choice(list(self.instruments.values()))
        cursor = self.random.choice((0, 0, instrument_slot(instrument.identifier)))
        return Remark(instrument.expiry, cursor)

    def _list_instrument(self) -> ListInstrument:
        place = self.random.randrange(len(GRIDS))
        days = self.random.choice((*EXPIRY_OFFSETS_DAYS[: 3 + place], 9))
        if self.random.random() < 0.3:  # soon over, so that there is something to release
            days = 1
        expiry_ns = GENESIS_NS + EXPIRY_TIME_OF_DAY_NS
        passed = max(0, self.window_ns - expiry_ns) // (days * NS_PER_DAY)
        expiry_ns += (passed + 1) * days * NS_PER_DAY
        step = GRIDS[place].strike_step_atoms
        strike = (SPOT_ATOMS[place] // step + self.random.randrange(-20, 20)) * step
        kind = self.random.choice((InstrumentKind.CALL, InstrumentKind.PUT))
        if self.random.random() < 0.1:
            return ListInstrument(
                place + 1, self.random.choice(list(InstrumentKind)), expiry_ns, strike + 1
            )
        return ListInstrument(place + 1, kind, expiry_ns, strike)

    def _release_instrument(self) -> ReleaseInstrument:
        """Mostly one past its expiry that nobody holds; sometimes any, or one that is gone."""
        if self.random.random() < 0.1 or not self.instruments:
            return ReleaseInstrument(self.random.choice(self.released[-20:]))
        free = [number for number in self._unused() if self._is_past(number)]
        drawn = free if free and self.random.random() < 0.9 else list(self.instruments)
        return ReleaseInstrument(self.random.choice(drawn))

    def _unused(self) -> list[int]:
        """Return the instruments that nobody holds and no combo has as a leg."""
        used = {instrument for (_, instrument), lots in self.held_lots.items() if lots}
        used |= {leg for listed in self.instruments.values() for leg, _ in listed.legs}
        return [number for number in self.instruments if number not in used]

    def _set_instrument(self) -> SetInstrument:
        """Change one of the books that trade most; it returns to being open and continuous soon.

        Sometimes end one of the last that were listed and that nobody uses.
        """
        unused = self._unused()[-5:]
        if len(unused) == 5 and self.random.random() < 0.1:
            number = self.random.choice(unused)
            return SetInstrument(number, InstrumentState.EXPIRED, InstrumentMode.CONTINUOUS)
        listed = self._instrument()
        if self.random.random() < 0.5:
            identifier = listed.identifier if listed else 99
            return SetInstrument(identifier, InstrumentState.OPEN, InstrumentMode.CONTINUOUS)
        state = self.random.choices(list(InstrumentState), (40, 30, 3, 5, 3, 8, 0.3))[0]
        mode = self.random.choice(list(InstrumentMode))
        bump_ms = self.random.choice((1, 10, 2_000)) if mode == InstrumentMode.SPEED_BUMP else 0
        is_batched = mode == InstrumentMode.BATCH_AUCTION
        interval_ms = self.random.choice((1, 100, 5_000)) if is_batched else 0
        named = self._named(listed)
        return replace(
            named, state=state, mode=mode, speed_bump_ms=bump_ms, auction_interval_ms=interval_ms
        )

    def _named(self, listed: Listed | None) -> SetInstrument:
        """Name an instrument by its number or, if it is no combo, by its place.

        Or a place where often nothing is listed.
        """
        named = SetInstrument(99, InstrumentState.OPEN, InstrumentMode.CONTINUOUS)
        if listed is not None and (listed.legs or self.random.random() < 0.5):
            return replace(named, instrument=listed.identifier)
        drawn = listed
        if drawn is None or self.random.random() < 0.1:
            drawn = self._list_instrument()
        return replace(
            named, instrument=0, underlying=drawn.underlying, kind=InstrumentKind(drawn.kind),
            expiry_ns=drawn.expiry_ns, strike_atoms=drawn.strike_atoms,
        )  # fmt: skip

    def _uncross(self) -> Uncross:
        auctioned = [book for book in sorted(self.auctioned) if self._trades(book)]
        if not auctioned or self.random.random() < 0.1:
            listed = self._instrument()
            return Uncross(listed.identifier if listed else 99)
        return Uncross(self.random.choice(auctioned))
