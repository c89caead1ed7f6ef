"""A scripted venue in memory: one underlying, one publisher, named traders, a clock moved by hand.

Tests and vectors tell short stories with it. Every entry stands alone in its window unless `window`
says otherwise.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from coincurve import PrivateKey

from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    AuctionBid,
    BidLeg,
    BlockTrade,
    BuyCollateral,
    Cancel,
    CancelAll,
    CancelTrigger,
    ComboLeg,
    Command,
    CreateCombo,
    Deleverage,
    Deposit,
    ForwardCurve,
    ForwardObservation,
    GrantSession,
    IndexObservation,
    IndexPrice,
    Leg,
    Liquidate,
    ListInstrument,
    Place,
    PlaceTrigger,
    PositionTransfer,
    Quote,
    QuoteBatch,
    ReleaseInstrument,
    Remark,
    ResetProtection,
    RevokeSession,
    RfqQuote,
    SetDeadMan,
    SetInstrument,
    SetMarginMode,
    SetProtection,
    SettleAccount,
    SettleExpiry,
    SettleVariation,
    StartAuction,
    StartConversion,
    SurfaceSignature,
    SurfaceSlice,
    TraderCommand,
    Transfer,
    Uncross,
    VolSurface,
    Withdraw,
)
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import (
    ComboCreated,
    Event,
    InstrumentListed,
    OrderRested,
    TriggerPlaced,
    decode_events,
)
from proofbook.protocol.genesis import Genesis, Terms, TokenTerms, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FIRST_USER_ACCOUNT,
    NS_PER_DAY,
    Action,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    MarginMode,
    PostOnly,
    Side,
    TriggerCondition,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.terms import FIRST_PARAMETERS, MarginParameters
from proofbook.simulator.workload import (
    CHAIN_ID,
    CONTRACT,
    GENESIS_NS,
    address_of,
    compact_signature,
)

LINEAR_TERMS = Terms(100_000, 100_000, maker_fee_ppm=100, taker_fee_ppm=400)
"""Tick 0.1 USD, lot 0.0001: 10 atoms a tick and lot."""

OPTION_TERMS = Terms(100_000, 10_000_000, maker_fee_ppm=200, taker_fee_ppm=500)
"""Lot 0.01: 1,000 atoms a tick and lot."""

WBTC = TokenTerms("WBTC", 1, 8, 50_000, 1_000 * 10**8)
"""Token 1: on the index of BTC, 5 % of it not counted, at most 1,000 of it."""

GRID = UnderlyingGrid("BTC", 1, 1_000_000_000, LINEAR_TERMS, LINEAR_TERMS, OPTION_TERMS)

UNBOUND = replace(
    FIRST_PARAMETERS, index_band_ppm=0, forward_ratio_ppm=0, breaker_move_ppm=0, stale_band_ppm=0
)
"""A story moves prices as it likes: nothing that publishers say is too far off."""

SPOT_ATOMS = 80_000_000_000
EXPIRY_NS = GENESIS_NS + 30 * NS_PER_DAY + 8 * NS_PER_DAY // 24
STRIKE_ATOMS = 80_000_000_000
MILLISECOND_NS = 10**6
MINUTE_NS = 60 * 10**9
FLAT_SLICE = SurfaceSlice(EXPIRY_NS, 1 << 43, 1 << 44, -(1 << 46), 0, 1 << 45)
USDC = 10**6


WIDEST_SCOPE = {
    "actions": sum(1 << action for action in Action),
    "markets": (1 << 64) - 1,
    "notional_cap_atoms": 0,
    "session_expires_ns": GENESIS_NS + 365 * NS_PER_DAY,
}
"""All that an owner can grant, for a year."""


def key_of(name: str) -> PrivateKey:
    """Return the key that belongs to a name; the same in every run."""
    return PrivateKey(keccak(name.encode()))


class Scene:
    """A state machine with a hand on its clock. `entries` and `results` keep the story."""

    def __init__(
        self,
        engine_type: Any,
        grid: UnderlyingGrid = GRID,
        tokens: tuple[TokenTerms, ...] = (),
        parameters: MarginParameters = UNBOUND,
        **engine_options: Any,
    ) -> None:
        publisher = address_of(key_of("publisher"))
        self.genesis = Genesis(
            GENESIS_NS,
            address_of(key_of("fund")),
            address_of(key_of("fees")),
            (publisher,),
            (grid,),
            tokens,
            parameters,
        ).encode()
        self.engine: Engine = engine_type(self.genesis, CHAIN_ID, CONTRACT, **engine_options)
        self.separator = eip712.domain_separator(CHAIN_ID, CONTRACT)
        self.window_ns = GENESIS_NS
        self.received_ns = GENESIS_NS
        self.is_window_open = False
        self.accounts: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.nonces: dict[str, int] = {}
        self.entries: list[bytes] = []
        self.results: list[Result] = []

    # Time and entries

    def wait(self, nanoseconds: int) -> None:
        """Let the next window close so much later."""
        self.window_ns += nanoseconds

    def at(self, moment_ns: int) -> None:
        """Let the next window close at a moment."""
        self.window_ns = moment_ns - MILLISECOND_NS

    @contextmanager
    def window(self) -> Generator[None]:
        """Put the entries of the block into one window."""
        self.window_ns += MILLISECOND_NS
        self.received_ns = self.window_ns - MILLISECOND_NS // 2
        self.is_window_open = True
        yield
        self.is_window_open = False

    def _stamp(self) -> None:
        if self.is_window_open:
            self.received_ns += 1
        else:
            self.window_ns += MILLISECOND_NS
            self.received_ns = self.window_ns

    def submit(self, command: Command, signer: str = "", session: int = 0) -> Outcome:
        """Stamp, sign and apply a command."""
        self._stamp()
        entry = Entry(self.window_ns, self.received_ns, command)
        if isinstance(command, TraderCommand):
            signature = self.signature(signer, command)
            entry = Entry(self.window_ns, self.received_ns, command, session, signature)
        return self.submit_bytes(entry.encode())

    def signature(self, name: str, signed: TraderCommand | RfqQuote) -> bytes:
        """Return a trader's signature of what he sends or offers."""
        digest = eip712.command_digest(self.separator, signed)
        return compact_signature(key_of(self.owners.get(name, name)), digest)

    def submit_bytes(self, data: bytes) -> Outcome:
        """Apply an entry as it is."""
        result = self.engine.apply([data])[0]
        self.entries.append(data)
        self.results.append(result)
        return result.outcome

    def events(self) -> list[Event]:
        """Return the events of the last entry."""
        return list(decode_events(self.results[-1].events))

    # The inbox and the market

    def deposit(self, name: str, amount_atoms: int, owner: str = "", token: int = 0) -> int:
        """Credit a trader, making his account if he has none; return its number.

        With `owner` the account is a subaccount of somebody else, who signs for it.
        """
        account = self.accounts.get(name, FIRST_USER_ACCOUNT + len(self.accounts))
        self.owners.setdefault(name, owner or name)
        address = address_of(key_of(self.owners[name]))
        subaccount = account if self.owners[name] != name else 0
        outcome = self.submit(Deposit(account, address, subaccount, token, amount_atoms))
        assert outcome.is_applied, outcome.name
        self.accounts[name] = account
        return account

    def list_perpetual(self) -> int:
        return self.list_instrument(InstrumentKind.PERPETUAL, 0, 0)

    def list_instrument(
        self, kind: InstrumentKind, expiry_ns: int, strike_atoms: int, underlying: int = 1
    ) -> int:
        """Open a book; return the instrument's id."""
        outcome = self.submit(ListInstrument(underlying, kind, expiry_ns, strike_atoms))
        assert outcome.is_applied, outcome.name
        event = self.events()[0]
        assert isinstance(event, InstrumentListed)
        return event.instrument

    def publish_index(self, price_atoms: int = SPOT_ATOMS) -> Outcome:
        published_ns = self.window_ns + (0 if self.is_window_open else MILLISECOND_NS)
        digest = eip712.index_price_digest(self.separator, 1, published_ns, price_atoms)
        row = IndexObservation(1, price_atoms, compact_signature(key_of("publisher"), digest))
        return self.submit(IndexPrice(1, published_ns, (row,)))

    def publish_forward(self, forward_atoms: int = SPOT_ATOMS) -> Outcome:
        published_ns = self.window_ns + MILLISECOND_NS
        digest = eip712.forward_curve_digest(
            self.separator, 1, published_ns, (EXPIRY_NS,), (forward_atoms,)
        )
        row = ForwardObservation(
            1, (forward_atoms,), compact_signature(key_of("publisher"), digest)
        )
        return self.submit(ForwardCurve(1, published_ns, (EXPIRY_NS,), (row,)))

    def publish_surface(self, slice_: SurfaceSlice = FLAT_SLICE) -> Outcome:
        published_ns = self.window_ns + MILLISECOND_NS
        digest = eip712.vol_surface_digest(self.separator, 1, published_ns, (slice_,))
        row = SurfaceSignature(1, compact_signature(key_of("publisher"), digest))
        return self.submit(VolSurface(1, published_ns, (slice_,), (row,)))

    def open_perpetual(self, price_atoms: int = SPOT_ATOMS) -> int:
        """List the perpetual, publish its index, mark it; return its id."""
        instrument = self.list_perpetual()
        assert self.publish_index(price_atoms).is_applied
        assert self.submit(Remark(1)).is_applied
        return instrument

    def remark_perpetual(self) -> Outcome:
        """Mark the perpetual again; its expiry is slot 1 when it was listed first."""
        return self.submit(Remark(1))

    def open_option(
        self, kind: InstrumentKind = InstrumentKind.CALL, strike_atoms: int = STRIKE_ATOMS
    ) -> int:
        """List an option, publish forward and surface, mark its expiry; return the option's id."""
        instrument = self.list_instrument(kind, EXPIRY_NS, strike_atoms)
        event = self.events()[0]
        assert isinstance(event, InstrumentListed)
        assert self.publish_forward().is_applied
        assert self.publish_surface().is_applied
        assert self.submit(Remark(event.expiry)).is_applied
        return instrument

    # Traders

    def header(self, name: str) -> tuple[int, int, int]:
        """Return account, next nonce and expiry for a trader's command."""
        self.nonces[name] = self.nonces.get(name, 0) + 1
        return self.accounts[name], self.nonces[name], self.window_ns + 10**12

    def place(
        self, name: str, instrument: int, side: Side, price_ticks: int, lots: int, **options: Any
    ) -> Outcome:
        """Place a limit order; options are the other fields of `Place`."""
        terms: dict[str, Any] = {"max_fee_ppm": 1_000, **options}
        command = Place(
            *self.header(name),
            instrument,
            side,
            price_ticks,
            lots,
            **terms,
        )
        return self.submit(command, name)

    def resting(
        self, name: str, instrument: int, side: Side, price_ticks: int, lots: int, **options: Any
    ) -> int:
        """Place an order that rests; return its id."""
        outcome = self.place(name, instrument, side, price_ticks, lots, **options)
        assert outcome.is_applied, outcome.name
        return next(event.order for event in self.events() if isinstance(event, OrderRested))

    def offer(
        self, name: str, legs: Sequence[Leg], taker: int = 0, max_fee_ppm: int = 1_000
    ) -> RfqQuote:
        """Return what a maker offers, his next nonce in it."""
        return RfqQuote(*self.header(name), taker, max_fee_ppm, tuple(legs))

    def accept(
        self, name: str, maker: str, quote: RfqQuote, max_fee_ppm: int = 1_000, session: int = 0
    ) -> Outcome:
        """Accept a quote that its maker signs with the key of a session."""
        signature = self.signature(maker, quote)
        return self.submit(
            AcceptQuote(*self.header(name), max_fee_ppm, session, signature, quote), name
        )

    def create_combo(self, name: str, *legs: tuple[int, int]) -> Outcome:
        """Open the book of a combo of instruments with their ratios."""
        rows = tuple(ComboLeg(*leg) for leg in legs)
        return self.submit(CreateCombo(*self.header(name), rows), name)

    def combo(self, name: str, *legs: tuple[int, int]) -> int:
        """Open the book of a combo; return its id."""
        outcome = self.create_combo(name, *legs)
        assert outcome.is_applied, outcome.name
        return next(e.instrument for e in self.events() if isinstance(e, ComboCreated))

    def release(self, instrument: int) -> Outcome:
        return self.submit(ReleaseInstrument(instrument))

    def block(
        self, name: str, maker: str, legs: Sequence[Leg], max_fee_ppm: int = 1_000
    ) -> Outcome:
        """Trade a block that both sign."""
        header, (account, nonce, _) = self.header(name), self.header(maker)
        terms = BlockTrade(*header, max_fee_ppm, account, nonce, 0, bytes(64), tuple(legs))
        signature = self.signature(maker, terms)
        return self.submit(replace(terms, maker_signature=signature), name)

    def cancel(self, name: str, order: int) -> Outcome:
        return self.submit(Cancel(*self.header(name), order=order), name)

    def amend(self, name: str, order: int, price_ticks: int, lots: int) -> Outcome:
        return self.submit(Amend(*self.header(name), order, price_ticks, lots), name)

    def quote(self, name: str, *quotes: Quote, protection: int = 0, slide: bool = False) -> Outcome:
        """Send quotes, ascending by instrument and side, as one batch."""
        post_only = PostOnly.SLIDE if slide else PostOnly.REJECT
        batch = QuoteBatch(*self.header(name), protection, post_only, 1_000, quotes)
        return self.submit(batch, name)

    def protect(
        self, name: str, protection: int, interval_ns: int, frozen_ns: int, limit_nanos: int
    ) -> Outcome:
        header = self.header(name)
        return self.submit(
            SetProtection(*header, protection, interval_ns, frozen_ns, limit_nanos), name
        )

    def reset_protection(self, name: str, protection: int) -> Outcome:
        return self.submit(ResetProtection(*self.header(name), protection), name)

    def set_dead_man(self, name: str, deadline_ns: int) -> Outcome:
        return self.submit(SetDeadMan(*self.header(name), deadline_ns), name)

    def set_margin_mode(self, name: str, mode: MarginMode) -> Outcome:
        return self.submit(SetMarginMode(*self.header(name), mode), name)

    def cancel_all(self, name: str) -> Outcome:
        return self.submit(CancelAll(*self.header(name)), name)

    def place_trigger(
        self,
        name: str,
        instrument: int,
        condition: TriggerCondition,
        trigger_ticks: int,
        side: Side,
        price_ticks: int,
        lots: int,
        **options: Any,
    ) -> Outcome:
        """Store a trigger order; options are the other fields of `PlaceTrigger`."""
        terms: dict[str, Any] = {"max_fee_ppm": 1_000, **options}
        command = PlaceTrigger(
            *self.header(name),
            instrument,
            condition,
            trigger_ticks,
            side,
            price_ticks,
            lots,
            **terms,
        )
        return self.submit(command, name)

    def waiting(self, *order: Any, **options: Any) -> int:
        """Store a trigger order; return its id."""
        outcome = self.place_trigger(*order, **options)
        assert outcome.is_applied, outcome.name
        return next(e.trigger for e in self.events() if isinstance(e, TriggerPlaced))

    def cancel_trigger(self, name: str, trigger: int) -> Outcome:
        return self.submit(CancelTrigger(*self.header(name), trigger=trigger), name)

    # The governor and anyone

    def publish_each_minute(self, begin_ns: int, *prices_atoms: int) -> None:
        """Publish an index at a moment and every minute from there on."""
        for place, price_atoms in enumerate(prices_atoms):
            self.at(begin_ns + place * MINUTE_NS)
            outcome = self.publish_index(price_atoms)
            assert outcome.is_applied, outcome.name

    def settle_expiry(self, expiry: int) -> Outcome:
        return self.submit(SettleExpiry(expiry))

    def settle_account(self, name: str, cursor: int = 0) -> Outcome:
        return self.submit(SettleAccount(self.accounts[name], cursor))

    def set_instrument(
        self,
        instrument: int,
        state: InstrumentState = InstrumentState.OPEN,
        mode: InstrumentMode = InstrumentMode.CONTINUOUS,
        **options: Any,
    ) -> Outcome:
        return self.submit(SetInstrument(instrument, state, mode, **options))

    def uncross(self, instrument: int) -> Outcome:
        return self.submit(Uncross(instrument))

    def liquidate(self, name: str, instrument: int = 0) -> Outcome:
        """Take the next step with a trader below his margin, and a leg of his."""
        return self.submit(Liquidate(self.accounts[name], instrument))

    def start_auction(self, name: str) -> Outcome:
        """Auction a trader's account, or go on with its auction."""
        return self.submit(StartAuction(self.accounts[name]))

    def deleverage(self, name: str, instrument: int) -> Outcome:
        """Close a leg of a trader's with the holders on the other side, or go on with it."""
        return self.submit(Deleverage(self.accounts[name], instrument))

    def bid(
        self, name: str, target: str, *legs: tuple[int, int], max_cost_atoms: int = 1 << 60
    ) -> Outcome:
        """Take legs, pairs of an instrument and signed lots, out of an auction."""
        rows = tuple(BidLeg(*leg) for leg in legs)
        command = AuctionBid(*self.header(name), self.accounts[target], max_cost_atoms, rows)
        return self.submit(command, name)

    def start_conversion(self, name: str) -> Outcome:
        """Put a trader's tokens up for sale, or end that."""
        return self.submit(StartConversion(self.accounts[name]))

    def buy_collateral(
        self,
        name: str,
        target: str,
        amount_atoms: int,
        token: int = 1,
        price_max_atoms: int = AMOUNT_ATOMS_MAX,
    ) -> Outcome:
        """Buy of a trader's token, for what he owes."""
        header, number = self.header(name), self.accounts[target]
        command = BuyCollateral(*header, number, token, amount_atoms, price_max_atoms)
        return self.submit(command, name)

    def settle_variation(self, name: str) -> Outcome:
        """Turn a trader's profits and losses in linear positions into cash."""
        return self.submit(SettleVariation(self.accounts[name]))

    def withdraw(
        self, name: str, amount_atoms: int, recipient: bytes = b"\x07" * 20, token: int = 0
    ) -> Outcome:
        return self.submit(Withdraw(*self.header(name), token, recipient, amount_atoms), name)

    def transfer(self, name: str, to: str, amount_atoms: int, token: int = 0) -> Outcome:
        """Move money to another trader."""
        header = self.header(name)
        return self.submit(Transfer(*header, self.accounts[to], token, amount_atoms), name)

    def position_transfer(self, name: str, to: str, instrument: int, lots: int) -> Outcome:
        """Move lots to another account."""
        header = self.header(name)
        return self.submit(PositionTransfer(*header, self.accounts[to], instrument, lots), name)

    def grant(self, name: str, holder: str, session: int = 1, **scope: Any) -> Outcome:
        """Let the key of a holder act for a trader; without a scope in all that he may grant.

        Commands of the key are submitted with the holder's name and the session.
        """
        terms: dict[str, Any] = {"key": address_of(key_of(holder)), **WIDEST_SCOPE, **scope}
        command = GrantSession(*self.header(name), session, **terms)
        return self.submit(command, name)

    def revoke(self, name: str, session: int = 1) -> Outcome:
        return self.submit(RevokeSession(*self.header(name), session), name)
