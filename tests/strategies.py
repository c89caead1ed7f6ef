"""Everything of the protocol that has bytes, drawn over the whole width of its fields."""

from dataclasses import asdict, fields
from math import gcd
from typing import Any, TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofbook.protocol import events
from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    AssignFees,
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
    FireTrigger,
    ForwardCurve,
    ForwardObservation,
    GrantRequest,
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
    RevokeRequest,
    RevokeSession,
    RfqQuote,
    SetDeadMan,
    SetFeeSchedule,
    SetInstrument,
    SetMarginMode,
    SetParameters,
    SetProtection,
    SetPublisher,
    SetSettlement,
    SetTerms,
    SettleAccount,
    SettleExpiry,
    SettleVariation,
    SetToken,
    SetUnderlying,
    StartAuction,
    StartConversion,
    SurfaceSignature,
    SurfaceSlice,
    Tick,
    TraderCommand,
    Transfer,
    Uncross,
    VolSurface,
    Withdraw,
)
from proofbook.protocol.entry import TRADER_TAGS, Entry
from proofbook.protocol.genesis import QUOTE_SYMBOL, UNDERLYINGS_MAX, Genesis, UnderlyingGrid
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    ENTRY_BYTES_MAX,
    EXPIRIES_PER_UNDERLYING_MAX,
    FEE_PPM_MAX,
    FRACTION_ONE_PPM,
    INDEX_ATOMS_MAX,
    LEGS_MAX,
    ORDER_LOTS_MAX,
    PRICE_TICKS_BITS,
    PUBLISHERS_MAX,
    QUORUM_MAX,
    QUOTES_PER_BATCH_MAX,
    TOKEN_DECIMALS_MAX,
    TOKEN_DECIMALS_MIN,
    TOKENS_MAX,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    MarginMode,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TermsKind,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.parameters import PARAMETERS_MAX
from proofbook.protocol.terms import (
    LOT_NANOS_MAX,
    NANOS_PER_UNIT,
    PARAMETER_PPM_MAX,
    TICK_ATOMS_MAX,
    TICK_STEPS,
    MarginParameters,
    MarginTerms,
    Terms,
    TokenTerms,
)

Integers: TypeAlias = SearchStrategy[int]

EXAMPLES = settings(deadline=None, max_examples=100)
"""For tests of a millisecond an example."""

FEW_EXAMPLES = settings(deadline=None, max_examples=25)
"""For tests of ten milliseconds an example and more."""

SURFACE_HEAD_BYTES = 18 + 1 + 12 + 2
"""Of an oracle entry: stamp, tag, underlying and time, two lengths of lists."""


def unsigned(bits: int) -> Integers:
    return st.integers(0, (1 << bits) - 1)


def signed(bits: int) -> Integers:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def exactly(size: int) -> SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


MANY_EXAMPLES = settings(deadline=None, max_examples=10_000)
"""For the slow runs of numerical claims."""


U8, U16, U32, U64, I64 = unsigned(8), unsigned(16), unsigned(32), unsigned(64), signed(64)
ADDRESSES, SIGNATURES, LABELS = exactly(20), exactly(64), exactly(8)


def publishers(count_max: int = PUBLISHERS_MAX) -> SearchStrategy[list[int]]:
    """Draw ascending publishers."""
    return st.lists(U8, max_size=count_max, unique=True).map(sorted)


# Commands

deposits = st.builds(Deposit, U32, ADDRESSES, U32, U8, U64)
places = st.builds(
    Place,
    account=U32,
    nonce=U64,
    expires_ns=U64,
    instrument=U32,
    side=st.sampled_from(Side),
    price_ticks=U32,
    lots=U64,
    time_in_force=st.sampled_from(TimeInForce),
    post_only=st.sampled_from(PostOnly),
    reduce_only=st.booleans(),
    max_fee_ppm=U32,
    label=LABELS,
    order_type=st.sampled_from(OrderType),
    self_trade_prevention=st.sampled_from(SelfTradePrevention),
    group=U16,
)
cancels = st.builds(Cancel, U32, U64, U64, U64)
cancel_alls = st.builds(CancelAll, U32, U64, U64)
amends = st.builds(Amend, U32, U64, U64, U64, U32, U64)
quotes = st.builds(Quote, U32, st.sampled_from(Side), U32, U64)
quote_lists = st.lists(
    quotes, max_size=QUOTES_PER_BATCH_MAX, unique_by=lambda q: (q.instrument, q.side)
).map(lambda rows: tuple(sorted(rows, key=lambda q: (q.instrument, q.side))))
quote_batches = st.builds(
    QuoteBatch, U32, U64, U64, U8, st.sampled_from([PostOnly.REJECT, PostOnly.SLIDE]), U32,
    quote_lists,
)  # fmt: skip
protections = st.builds(SetProtection, U32, U64, U64, U8, U64, U64, U64)
protection_resets = st.builds(ResetProtection, U32, U64, U64, U8)
dead_man_timers = st.builds(SetDeadMan, U32, U64, U64, U64)
margin_modes = st.builds(SetMarginMode, U32, U64, U64, st.sampled_from(MarginMode))
triggers = st.builds(
    PlaceTrigger,
    U32, U64, U64, U32, st.sampled_from(TriggerCondition), U32, st.sampled_from(Side), U32, U64,
    st.sampled_from(TimeInForce), st.booleans(), st.sampled_from(SelfTradePrevention), U16, U32,
    LABELS,
)  # fmt: skip
trigger_cancels = st.builds(CancelTrigger, U32, U64, U64, U64)
trigger_fires = st.builds(FireTrigger, U64)
withdrawals = st.builds(Withdraw, U32, U64, U64, U8, ADDRESSES, U64)
scopes = (U8, ADDRESSES, U32, U64, U64, U64)
grants = st.builds(GrantSession, U32, U64, U64, *scopes)
revocations = st.builds(RevokeSession, U32, U64, U64, U8)
grant_requests = st.builds(GrantRequest, U32, ADDRESSES, *scopes)
revoke_requests = st.builds(RevokeRequest, U32, ADDRESSES, U8)
transfers = st.builds(Transfer, U32, U64, U64, U32, U8, U64)
position_transfers = st.builds(PositionTransfer, U32, U64, U64, U32, U32, U64)
fee_schedules = st.builds(SetFeeSchedule, *[U32] * 8)
fee_assignments = st.builds(AssignFees, U32, U32)
legs = st.lists(
    st.builds(Leg, U32, I64, U32),
    min_size=1,
    max_size=LEGS_MAX,
    unique_by=lambda leg: leg.instrument,
).map(lambda drawn: tuple(sorted(drawn, key=lambda leg: leg.instrument)))
combo_legs = st.lists(
    st.builds(ComboLeg, U32, I64),
    min_size=2,
    max_size=LEGS_MAX,
    unique_by=lambda leg: leg.instrument,
).map(lambda drawn: tuple(sorted(drawn, key=lambda leg: leg.instrument)))
combos = st.builds(CreateCombo, U32, U64, U64, combo_legs)
rfq_quotes = st.builds(RfqQuote, U32, U64, U64, U32, U32, legs)
acceptances = st.builds(AcceptQuote, U32, U64, U64, U32, U8, SIGNATURES, rfq_quotes)
block_trades = st.builds(BlockTrade, U32, U64, U64, U32, U32, U64, U8, SIGNATURES, legs)
ticks = st.builds(Tick, U32, U64)
remarks = st.builds(Remark, U32, U32)
listings = st.builds(ListInstrument, U32, st.sampled_from(InstrumentKind), U64, U64)
slices = st.builds(SurfaceSlice, U64, I64, I64, I64, I64, I64)


@st.composite
def index_prices(draw: st.DrawFn) -> IndexPrice:
    rows = tuple(IndexObservation(p, draw(U64), draw(SIGNATURES)) for p in draw(publishers()))
    return IndexPrice(draw(U32), draw(U64), rows)


@st.composite
def forward_curves(draw: st.DrawFn) -> ForwardCurve:
    """Draw a curve that fits an entry."""
    expiries_ns = tuple(draw(st.lists(U64, max_size=EXPIRIES_PER_UNDERLYING_MAX)))
    room = ENTRY_BYTES_MAX - SURFACE_HEAD_BYTES - 8 * len(expiries_ns)
    count_max = min(PUBLISHERS_MAX, room // (1 + 8 * len(expiries_ns) + 64))
    rows = tuple(
        ForwardObservation(publisher, tuple(draw(U64) for _ in expiries_ns), draw(SIGNATURES))
        for publisher in draw(publishers(min(3, count_max)))
    )
    return ForwardCurve(draw(U32), draw(U64), expiries_ns, rows)


@st.composite
def vol_surfaces(draw: st.DrawFn) -> VolSurface:
    """Draw a surface that fits an entry."""
    rows = tuple(draw(st.lists(slices, max_size=EXPIRIES_PER_UNDERLYING_MAX)))
    room = ENTRY_BYTES_MAX - SURFACE_HEAD_BYTES - 48 * len(rows)
    signers = draw(publishers(min(PUBLISHERS_MAX, room // 65)))
    signatures = tuple(SurfaceSignature(publisher, draw(SIGNATURES)) for publisher in signers)
    return VolSurface(draw(U32), draw(U64), rows, signatures)


fractions_ppm = st.integers(0, FRACTION_ONE_PPM)
any_terms = st.builds(Terms, U64, U64, U32, U32, U32, U64, U64, U64, U64, U64)
rows_of_ticks = st.lists(st.tuples(U32, U32), max_size=TICK_STEPS).map(tuple)
any_tick_tables = rows_of_ticks.filter(lambda rows: not rows or rows[-1] != (0, 0))
settings_of_parameters = st.builds(
    SetParameters, U32, st.builds(MarginParameters, *[U32 for _ in fields(MarginParameters)])
)
settings_of_publishers = st.builds(SetPublisher, U8, U32, ADDRESSES)
settings_of_terms = st.builds(SetTerms, U32, U32, st.sampled_from(TermsKind), any_terms)
any_margin_terms = st.builds(MarginTerms, U32, U32, U64)
settings_of_underlyings = st.builds(
    SetUnderlying, U32, U32, U32, U64, any_tick_tables, any_margin_terms
)
settings_of_instruments = st.builds(
    SetInstrument, U32, st.sampled_from(InstrumentState), st.sampled_from(InstrumentMode), U32,
    U32, U32, st.sampled_from(InstrumentKind), U64, U64,
)  # fmt: skip
uncrosses = st.builds(Uncross, U32)
releases = st.builds(ReleaseInstrument, U32)
liquidations = st.builds(Liquidate, U32, U32)
auction_starts = st.builds(StartAuction, U32)
bid_legs = st.lists(
    st.builds(BidLeg, U32, I64),
    min_size=1,
    max_size=LEGS_MAX,
    unique_by=lambda leg: leg.instrument,
).map(lambda legs: tuple(sorted(legs, key=lambda leg: leg.instrument)))
auction_bids = st.builds(AuctionBid, U32, U64, U64, U32, I64, bid_legs)
collateral_purchases = st.builds(BuyCollateral, U32, U64, U64, U32, U8, U64, U64)

COMMANDS: dict[type[Command], SearchStrategy[Any]] = {
    Deposit: deposits,
    Place: places,
    Cancel: cancels,
    CancelAll: cancel_alls,
    Amend: amends,
    QuoteBatch: quote_batches,
    SetProtection: protections,
    ResetProtection: protection_resets,
    SetDeadMan: dead_man_timers,
    SetMarginMode: margin_modes,
    PlaceTrigger: triggers,
    CancelTrigger: trigger_cancels,
    SetParameters: settings_of_parameters,
    SetPublisher: settings_of_publishers,
    SetTerms: settings_of_terms,
    SetUnderlying: settings_of_underlyings,
    SetToken: st.builds(SetToken, U8, U32, U32, U64),
    SetInstrument: settings_of_instruments,
    Uncross: uncrosses,
    ReleaseInstrument: releases,
    SetSettlement: st.builds(SetSettlement, U32, U64, U64),
    SettleExpiry: st.builds(SettleExpiry, U32),
    SettleAccount: st.builds(SettleAccount, U32, U32),
    Liquidate: liquidations,
    StartAuction: auction_starts,
    Deleverage: st.builds(Deleverage, U32, U32),
    AuctionBid: auction_bids,
    StartConversion: st.builds(StartConversion, U32),
    BuyCollateral: collateral_purchases,
    SettleVariation: st.builds(SettleVariation, U32),
    FireTrigger: trigger_fires,
    Withdraw: withdrawals,
    GrantSession: grants,
    RevokeSession: revocations,
    GrantRequest: grant_requests,
    RevokeRequest: revoke_requests,
    Transfer: transfers,
    PositionTransfer: position_transfers,
    SetFeeSchedule: fee_schedules,
    AssignFees: fee_assignments,
    CreateCombo: combos,
    AcceptQuote: acceptances,
    BlockTrade: block_trades,
    IndexPrice: index_prices(),
    ForwardCurve: forward_curves(),
    VolSurface: vol_surfaces(),
    Tick: ticks,
    Remark: remarks,
    ListInstrument: listings,
}

SIGNED: dict[type[Any], SearchStrategy[Any]] = {**COMMANDS, RfqQuote: rfq_quotes}
"""What traders sign is among these."""

trader_commands: SearchStrategy[TraderCommand] = st.one_of(
    *(drawn for command, drawn in COMMANDS.items() if issubclass(command, TraderCommand))
)
commands: SearchStrategy[Command] = st.one_of(*COMMANDS.values())


@st.composite
def entries(draw: st.DrawFn, drawn_from: SearchStrategy[Any] = commands) -> Entry:
    """Draw an entry; session and signature only where a trader signs."""
    command = draw(drawn_from)
    if command.TAG in TRADER_TAGS:
        return Entry(draw(U64), draw(U64), command, draw(U8), draw(SIGNATURES))
    return Entry(draw(U64), draw(U64), command)


# Genesis

symbols = st.text("ABCXYZ019", min_size=1, max_size=8).filter(str.isupper)
fees = st.integers(0, FEE_PPM_MAX)
lot_counts = st.integers(1, ORDER_LOTS_MAX)
parameters_ppm = st.integers(0, PARAMETER_PPM_MAX)


@st.composite
def ticks_and_lots(draw: st.DrawFn) -> tuple[int, int]:
    """Draw a tick and a lot whose product is a whole number of atoms."""
    powers = st.integers(0, 12).map(lambda exponent: 10**exponent)
    lot_nanos = draw(st.one_of(powers, st.integers(1, LOT_NANOS_MAX)))
    step = NANOS_PER_UNIT // gcd(lot_nanos, NANOS_PER_UNIT)
    return step * draw(st.integers(1, TICK_ATOMS_MAX // step)), lot_nanos


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    least, most = sorted(draw(st.tuples(lot_counts, lot_counts)))
    band_ppm = draw(parameters_ppm)
    tick, lot = draw(ticks_and_lots())
    return Terms(tick, lot, draw(fees), draw(fees), band_ppm, least, most, draw(lot_counts))


@st.composite
def grids(draw: st.DrawFn, publishers_count: int) -> UnderlyingGrid:
    prices = st.integers(1, (1 << PRICE_TICKS_BITS) - 1)
    starts = draw(st.lists(prices, max_size=TICK_STEPS, unique=True).map(sorted))
    return UnderlyingGrid(
        draw(symbols),
        draw(st.integers(1, min(publishers_count, QUORUM_MAX))),
        draw(st.integers(1, INDEX_ATOMS_MAX)),
        *(draw(terms()) for _ in range(3)),
        tuple((start, draw(prices)) for start in starts),
        MarginTerms(draw(fractions_ppm), draw(fractions_ppm), draw(U64)),
    )


def tokens(underlyings_count: int) -> SearchStrategy[tuple[TokenTerms, ...]]:
    """Draw tokens on so many underlyings, each with a symbol of its own."""
    one = st.builds(
        TokenTerms,
        symbols.filter(lambda symbol: symbol != QUOTE_SYMBOL),
        st.integers(1, underlyings_count),
        st.integers(TOKEN_DECIMALS_MIN, TOKEN_DECIMALS_MAX),
        st.integers(0, FRACTION_ONE_PPM),
        st.integers(0, AMOUNT_ATOMS_MAX),
    )
    drawn = st.lists(one, max_size=TOKENS_MAX, unique_by=lambda token: token.symbol)
    return drawn.map(tuple)


@st.composite
def margin_parameters(draw: st.DrawFn) -> MarginParameters:
    """Draw parameters that are sound."""
    largest = asdict(PARAMETERS_MAX)
    drawn = {name: draw(st.integers(0, largest[name])) for name in largest}
    for keep, open_ in (
        ("maintenance_factor_ppm", "initial_factor_ppm"),
        ("naked_maintenance_ppm", "naked_initial_ppm"),
        ("standard_linear_maintenance_ppm", "standard_linear_initial_ppm"),
        ("standard_short_maintenance_ppm", "standard_short_min_ppm"),
    ):
        drawn[keep], drawn[open_] = sorted((drawn[keep], drawn[open_]))
    drawn["stale_margin_ppm"] = max(drawn["stale_margin_ppm"], FRACTION_ONE_PPM)
    if drawn["forward_ratio_ppm"]:
        drawn["forward_ratio_ppm"] = max(drawn["forward_ratio_ppm"], FRACTION_ONE_PPM)
    return MarginParameters(**drawn)


@st.composite
def geneses(draw: st.DrawFn) -> Genesis:
    """Draw a genesis that is sound."""
    keys = st.lists(ADDRESSES.filter(any), min_size=1, max_size=PUBLISHERS_MAX, unique=True)
    addresses = tuple(draw(keys))
    drawn = st.lists(grids(len(addresses)), min_size=1, max_size=4)
    assert UNDERLYINGS_MAX >= 4, "four underlyings fit"
    grids_drawn = tuple(draw(drawn))
    return Genesis(
        draw(U64),
        draw(ADDRESSES),
        draw(ADDRESSES),
        addresses,
        grids_drawn,
        draw(tokens(len(grids_drawn))),
        draw(margin_parameters()),
        draw(exactly(32)),
    )


# Events

EVENTS: dict[type[Any], SearchStrategy[Any]] = {
    events.Deposited: st.builds(events.Deposited, U32, ADDRESSES, U8, U64, U8),
    events.WithdrawalQueued: st.builds(events.WithdrawalQueued, U64, U8, ADDRESSES, U64, U32),
    events.OrderRested: st.builds(events.OrderRested, U64, U32, U32, U8, U32, U64, U64, LABELS),
    events.OrderRemoved: st.builds(events.OrderRemoved, U64, U32, U32, U8, U32, U64, U64, U8),
    events.OrderReduced: st.builds(events.OrderReduced, U64, U32, U32, U8, U32, U64, U64, U8),
    events.InstrumentChanged: st.builds(events.InstrumentChanged, U32, U8, U8, U32, U32, U8),
    events.AuctionPriced: st.builds(events.AuctionPriced, U32, U32, U64),
    events.AuctionFilled: st.builds(
        events.AuctionFilled, U32, U32, U64, U64, U64, U32, U32, U64, U64
    ),
    events.AuctionEnded: st.builds(events.AuctionEnded, U32),
    events.ParametersChanged: st.builds(events.ParametersChanged, U32),
    events.PublisherChanged: st.builds(events.PublisherChanged, U8, U32, ADDRESSES),
    events.TermsChanged: st.builds(events.TermsChanged, U32, U32),
    events.TokenChanged: st.builds(events.TokenChanged, U8, U32),
    events.InterestPaid: st.builds(events.InterestPaid, U32, U64),
    events.ConversionStarted: st.builds(events.ConversionStarted, U32, U64),
    events.CollateralSold: st.builds(events.CollateralSold, U32, U32, U8, U64, U64, U64),
    events.ConversionEnded: st.builds(events.ConversionEnded, U32),
    events.VariationSettled: st.builds(events.VariationSettled, U32),
    events.TriggerPlaced: st.builds(
        events.TriggerPlaced, U64, U32, U32, U8, U32, U64, U8, U32, U64, U64, LABELS
    ),
    events.TriggerFired: st.builds(events.TriggerFired, U64, U32, U32, U8),
    events.TriggerRemoved: st.builds(events.TriggerRemoved, U64, U32, U32, U8),
    events.Filled: st.builds(events.Filled, U32, U32, U64, U64, U32, U32, U8, U64, U64, U64),
    events.QuoteAccepted: st.builds(events.QuoteAccepted, U32, U64, U32, U64),
    events.ComboCreated: st.builds(
        events.ComboCreated, U32, U32, U64, U32, I64, U32, I64, U32, I64, U32, I64
    ),
    events.LegFilled: st.builds(events.LegFilled, U32, U32, U32, I64, I64),
    events.BreakerTripped: st.builds(events.BreakerTripped, U32, U64, U64, U64),
    events.FundingChanged: st.builds(events.FundingChanged, U32, I64, I64),
    events.FundingSettled: st.builds(events.FundingSettled, U32, U32, I64, I64, I64),
    events.LiquidationAuctionStarted: st.builds(events.LiquidationAuctionStarted, U32, U8, U64),
    events.LiquidationAuctionTaken: st.builds(events.LiquidationAuctionTaken, U32, U32, U64, U8),
    events.LiquidationAuctionEnded: st.builds(events.LiquidationAuctionEnded, U32),
    events.DeficitCovered: st.builds(events.DeficitCovered, U32, U64, U64),
    events.WithdrawalReduced: st.builds(events.WithdrawalReduced, U32, U64),
    events.DeleveragingStarted: st.builds(events.DeleveragingStarted, U32, U32, I64, U64),
    events.PositionDeleveraged: st.builds(events.PositionDeleveraged, U32, U32, U32, I64, I64, U64),
    events.DeleveragingEnded: st.builds(events.DeleveragingEnded, U32, U32),
    events.ExpirySettled: st.builds(events.ExpirySettled, U32, U32, U64, U64, U64),
    events.PositionSettled: st.builds(events.PositionSettled, U32, U32, I64, I64),
    events.OrdersUnbacked: st.builds(events.OrdersUnbacked, U32),
    events.AccountReduced: st.builds(events.AccountReduced, U32, U32, U8, U32, U64, U64, U64),
    events.BlockTraded: st.builds(events.BlockTraded, U32, U64, U32, U64),
    events.OrdersCancelled: st.builds(events.OrdersCancelled, U32, U32),
    events.QuoteRefused: st.builds(events.QuoteRefused, U8, U32, U32, U8, U64, U8),
    events.ProtectionChanged: st.builds(events.ProtectionChanged, U32, U8, U32, U64),
    events.DeadManSet: st.builds(events.DeadManSet, U32, U64),
    events.IndexChanged: st.builds(events.IndexChanged, U32, U32, U64),
    events.ForwardsChanged: st.builds(events.ForwardsChanged, U32, U32),
    events.SurfaceChanged: st.builds(events.SurfaceChanged, U32, U32),
    events.Marked: st.builds(events.Marked, U32, I64),
    events.SessionGranted: st.builds(
        events.SessionGranted, U32, U8, ADDRESSES, U32, U64, U64, U64, U64
    ),
    events.SessionRevoked: st.builds(events.SessionRevoked, U32, U8, ADDRESSES),
    events.Transferred: st.builds(events.Transferred, U32, U32, U8, U64),
    events.PositionTransferred: st.builds(events.PositionTransferred, U32, U32, U32, I64, I64),
    events.FeeScheduleSet: st.builds(events.FeeScheduleSet, U32, U32),
    events.FeesAssigned: st.builds(events.FeesAssigned, U32, U32),
    events.MarginModeSet: st.builds(events.MarginModeSet, U32, U8),
    events.InstrumentListed: st.builds(events.InstrumentListed, U32, U32, U8, U32, U64, U64),
    events.InstrumentReleased: st.builds(events.InstrumentReleased, U32, U32, U32),
}
