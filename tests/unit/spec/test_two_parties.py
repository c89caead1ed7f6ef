"""Quotes on request and block trades: two signatures, several legs, all of them or none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import AcceptQuote, BlockTrade, Cancel, CancelAll, Leg, RfqQuote
from proofbook.protocol.events import BlockTraded, Filled, QuoteAccepted
from proofbook.protocol.genesis import UnderlyingGrid
from proofbook.protocol.limits import (
    FEE_ACCOUNT,
    ORDER_LOTS_MAX,
    POSITION_LOTS_MAX,
    PRICE_TICKS_BITS,
    Action,
    InstrumentKind,
    Side,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.inspection import account, account_at, position_in
from proofbook.simulator.scene import (
    EXPIRY_NS,
    LINEAR_TERMS,
    OPTION_TERMS,
    STRIKE_ATOMS,
    USDC,
    Scene,
)

MARK = 800_000
CALL_TICKS = 63_000

Trade: TypeAlias = Callable[..., Outcome]


def by_quote(scene: Scene, legs: list[Leg], **options: Any) -> Outcome:
    return scene.accept("ann", "bob", scene.offer("bob", legs), **options)


def by_block(scene: Scene, legs: list[Leg], **options: Any) -> Outcome:
    return scene.block("ann", "bob", legs, **options)


both_ways = pytest.mark.parametrize("trade", [by_quote, by_block])


@pytest.fixture
def legs(scene: Scene, perpetual: int, call: int) -> list[Leg]:
    """Ann buys five calls and sells the perpetual against them."""
    return [Leg(perpetual, -300, MARK), Leg(call, 5, CALL_TICKS)]


@both_ways
def test_all_legs_trade_at_their_prices(scene: Scene, legs: list[Leg], trade: Trade) -> None:
    perpetual, call = (leg.instrument for leg in legs)
    assert trade(scene, legs).is_applied
    lots = [
        (held.lots if (held := position_in(scene, name, instrument)) else None)
        for name in ("ann", "bob")
        for instrument in (perpetual, call)
    ]
    assert lots == [-300, 5, 300, -5]
    short = position_in(scene, "ann", perpetual)
    assert short and short.entry_atoms == 300 * MARK * 10
    premium, perpetual_value = 5 * CALL_TICKS * 1_000, 300 * MARK * 10
    taker_fee = premium * 500 // 10**6 + perpetual_value * 400 // 10**6
    maker_fee = premium * 200 // 10**6 + perpetual_value * 100 // 10**6
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC - premium - taker_fee
    assert account(scene, "bob").cash_atoms == 1_000_000 * USDC + premium - maker_fee
    assert account_at(scene, FEE_ACCOUNT).cash_atoms == taker_fee + maker_fee


def test_quote_tells_who_traded_and_every_leg(scene: Scene, legs: list[Leg]) -> None:
    by_quote(scene, legs)
    accepted, *fills = scene.events()
    ann, bob = scene.accounts["ann"], scene.accounts["bob"]
    assert accepted == QuoteAccepted(ann, 1, bob, 1)
    shown = [
        (f.instrument, f.lots, f.price_ticks, f.maker_order, f.maker_account, f.taker_account,
         f.taker_side)
        for f in fills if isinstance(f, Filled)
    ]  # fmt: skip
    assert shown == [
        (legs[0].instrument, 300, MARK, 0, bob, ann, Side.SELL),
        (legs[1].instrument, 5, CALL_TICKS, 0, bob, ann, Side.BUY),
    ]


def test_block_tells_who_traded(scene: Scene, legs: list[Leg]) -> None:
    by_block(scene, legs)
    ann, bob = scene.accounts["ann"], scene.accounts["bob"]
    assert scene.events()[0] == BlockTraded(ann, 1, bob, 1)
    assert len(scene.events()) == 3


def test_a_trade_outside_the_book_leaves_book_and_last_price_alone(
    scene: Scene, legs: list[Leg]
) -> None:
    order = scene.resting("cid", legs[0].instrument, Side.BUY, MARK - 10, 7)
    assert by_quote(scene, legs).is_applied
    assert scene.cancel("cid", order).is_applied


@both_ways
def test_a_closing_leg_frees_its_position(scene: Scene, legs: list[Leg], trade: Trade) -> None:
    assert trade(scene, legs).is_applied
    back = [replace(leg, taker_lots=-leg.taker_lots) for leg in legs]
    assert trade(scene, back).is_applied
    assert account(scene, "ann").positions_count == account(scene, "bob").positions_count == 0


# Who signs


def test_a_quote_is_open_to_anyone_or_to_the_account_it_names(
    scene: Scene, legs: list[Leg]
) -> None:
    meant = scene.offer("bob", legs, taker=scene.accounts["ann"])
    assert scene.accept("cid", "bob", meant).name == "COUNTERPARTY_INVALID"
    assert scene.accept("ann", "bob", meant).is_applied, "the refusal left the quote as it was"
    assert scene.accept("cid", "bob", scene.offer("bob", legs)).is_applied


def test_nobody_trades_with_himself(scene: Scene, legs: list[Leg]) -> None:
    assert scene.accept("ann", "ann", scene.offer("ann", legs)).name == "COUNTERPARTY_INVALID"
    assert scene.block("ann", "ann", legs).name == "COUNTERPARTY_INVALID"


def test_a_quote_is_taken_once(scene: Scene, legs: list[Leg]) -> None:
    quote = scene.offer("bob", legs)
    assert scene.accept("ann", "bob", quote).is_applied
    assert scene.accept("ann", "bob", quote).name == "NONCE_USED"
    assert scene.accept("cid", "bob", quote).name == "NONCE_USED"


def test_a_maker_withdraws_a_quote_by_using_its_nonce(scene: Scene, legs: list[Leg]) -> None:
    quote = scene.offer("bob", legs)
    scene.submit(CancelAll(quote.account, quote.nonce, quote.expires_ns), "bob")
    assert scene.accept("ann", "bob", quote).name == "NONCE_USED"


def test_a_refused_acceptance_spoils_the_taker_s_nonce_alone(scene: Scene, legs: list[Leg]) -> None:
    scene.deposit("poor", USDC)
    quote = scene.offer("bob", legs)
    assert scene.accept("poor", "bob", quote).name == "INSUFFICIENT_MARGIN"
    again = AcceptQuote(
        scene.accounts["poor"], scene.nonces["poor"], 10**19, 1_000, 0,
        scene.signature("bob", quote), quote,
    )  # fmt: skip
    assert scene.submit(again, "poor").name == "NONCE_USED"
    assert scene.accept("ann", "bob", quote).is_applied


def test_a_quote_expires(scene: Scene, legs: list[Leg]) -> None:
    quote = scene.offer("bob", legs)
    scene.wait(quote.expires_ns - scene.window_ns)
    assert scene.accept("ann", "bob", quote).name == "MESSAGE_EXPIRED"


@pytest.mark.parametrize("spoilt", ["taker", "maker"])
@both_ways
def test_either_wrong_signature_makes_the_entry_void(
    scene: Scene, legs: list[Leg], trade: Trade, spoilt: str
) -> None:
    name = {"taker": "ann", "maker": "bob"}[spoilt]
    scene.owners[name] = "eve"
    assert trade(scene, legs).name == "VOID_SIGNER_MISMATCH"
    assert scene.events() == []


def test_a_signature_of_other_terms_does_not_count(scene: Scene, legs: list[Leg]) -> None:
    quote = scene.offer("bob", legs)
    cheaper = replace(quote, legs=(replace(legs[0], price_ticks=MARK + 1), legs[1]))
    for signed, shown in ((quote, cheaper), (replace(quote, taker=9), quote)):
        signature = scene.signature("bob", signed)
        command = AcceptQuote(*scene.header("ann"), 1_000, 0, signature, shown)
        assert scene.submit(command, "ann").name == "VOID_SIGNER_MISMATCH"


@pytest.mark.parametrize(
    ("account_number", "session", "name"),
    [(77, 0, "ACCOUNT_NOT_FOUND"), (0, 5, "SESSION_NOT_FOUND"), (0, 8, "SESSION_NOT_FOUND")],
)
def test_the_maker_must_exist(
    scene: Scene, legs: list[Leg], account_number: int, session: int, name: str
) -> None:
    quote = scene.offer("bob", legs)
    quote = replace(quote, account=account_number or quote.account)
    assert scene.accept("ann", "bob", quote, session=session).name == name
    terms = BlockTrade(
        *scene.header("ann"), 1_000, quote.account, 50, session, bytes(64), tuple(legs)
    )
    assert scene.submit(terms, "ann").name == name


def test_a_taker_without_account_does_not_excuse_a_forged_quote(
    scene: Scene, legs: list[Leg]
) -> None:
    quote = scene.offer("bob", legs)
    for maker, name in (("eve", "VOID_SIGNER_MISMATCH"), ("bob", "ACCOUNT_NOT_FOUND")):
        signature = scene.signature(maker, quote)
        command = AcceptQuote(77, 1, 10**19, 1_000, 0, signature, quote)
        assert scene.submit(command, "ann").name == name


@both_ways
def test_who_brings_a_deal_keeps_his_order_within_a_window(
    scene: Scene, legs: list[Leg], trade: Trade
) -> None:
    """After a trade, a class of 3, his cancel ranks behind it; not that of the maker, who did not
    pick the moment.
    """
    with scene.window():
        assert trade(scene, legs).is_applied
        assert scene.cancel_all("ann").is_applied
        assert scene.cancel_all("bob").name == "VOID_ORDER_REGRESSED"
        assert scene.cancel_all("cid").name == "VOID_ORDER_REGRESSED"


@both_ways
def test_a_deal_that_its_maker_can_no_longer_make_uses_its_bringer_s_nonce(
    scene: Scene, legs: list[Leg], trade: Trade
) -> None:
    """Or it could be entered again and again, whenever it does him harm."""
    taker, maker = account(scene, "ann"), account(scene, "bob")
    assert scene.submit(CancelAll(scene.accounts["bob"], 1, 10**19), "bob").is_applied
    scene.nonces["bob"] = 0
    assert trade(scene, legs).name == "NONCE_USED"
    again = CancelAll(scene.accounts["ann"], 1, 10**19)
    assert scene.submit(again, "ann").name == "NONCE_USED"
    assert account(scene, "ann").cash_atoms == taker.cash_atoms
    assert account(scene, "bob").cash_atoms == maker.cash_atoms


@pytest.mark.parametrize("side", ["taker", "maker"])
def test_a_session_deals_only_if_it_may(scene: Scene, legs: list[Leg], side: str) -> None:
    name = {"taker": "ann", "maker": "bob"}[side]
    scene.owners["phone"] = "phone"
    for actions, expected in (
        (1 << Action.PLACE, "SESSION_SCOPE_EXCEEDED"),
        (1 << Action.NEGOTIATE, "APPLIED"),
    ):
        scene.grant(name, "phone", actions=actions)
        quote = replace(scene.offer("bob", legs), nonce=100 + actions)
        header = (*scene.header("ann")[:1], 100 + actions, 10**19)
        maker = "phone" if side == "maker" else "bob"
        signature = scene.signature(maker, quote)
        command = AcceptQuote(*header, 1_000, int(side == "maker"), signature, quote)
        taker = "phone" if side == "taker" else "ann"
        assert scene.submit(command, taker, session=int(side == "taker")).name == expected


def test_a_deal_counts_against_the_caps_of_both_sessions(scene: Scene, legs: list[Leg]) -> None:
    value = 300 * MARK * 10 + 5 * CALL_TICKS * 1_000
    for cap, expected in ((value - 1, "SESSION_NOTIONAL_EXCEEDED"), (value, "APPLIED")):
        scene.grant("bob", "phone", notional_cap_atoms=cap)
        quote = replace(scene.offer("bob", legs), nonce=500)
        command = AcceptQuote(
            *scene.header("ann"), 1_000, 1, scene.signature("phone", quote), quote
        )
        assert scene.submit(command, "ann").name == expected
    quote = replace(scene.offer("bob", legs[:1]), nonce=501)
    command = AcceptQuote(*scene.header("ann"), 1_000, 1, scene.signature("phone", quote), quote)
    assert scene.submit(command, "ann").name == "SESSION_NOTIONAL_EXCEEDED"


# What is traded


def wrong_legs(scene: Scene, legs: list[Leg]) -> list[tuple[list[Leg], str]]:
    perpetual, call = legs
    return [
        ([replace(perpetual, instrument=99)], "INSTRUMENT_NOT_FOUND"),
        ([perpetual, replace(call, instrument=1 << 16 | 2)], "INSTRUMENT_NOT_FOUND"),
        ([replace(perpetual, price_ticks=0)], "PRICE_OUT_OF_RANGE"),
        ([replace(perpetual, price_ticks=1 << PRICE_TICKS_BITS)], "PRICE_OUT_OF_RANGE"),
        ([perpetual, replace(call, taker_lots=0)], "LOTS_OUT_OF_RANGE"),
        ([replace(perpetual, taker_lots=ORDER_LOTS_MAX + 1)], "LOTS_OUT_OF_RANGE"),
        ([replace(perpetual, taker_lots=-ORDER_LOTS_MAX - 1)], "LOTS_OUT_OF_RANGE"),
        ([replace(perpetual, taker_lots=-(1 << 63))], "LOTS_OUT_OF_RANGE"),
        ([replace(call, taker_lots=ORDER_LOTS_MAX, price_ticks=1 << 23)], "VALUE_OUT_OF_RANGE"),
    ]  # fmt: skip


@both_ways
@pytest.mark.parametrize("row", range(9))
def test_each_leg_is_checked(scene: Scene, legs: list[Leg], trade: Trade, row: int) -> None:
    wrong, name = wrong_legs(scene, legs)[row]
    assert trade(scene, wrong).name == name
    assert scene.events() == []


@both_ways
def test_an_expired_leg_stops_all(scene: Scene, legs: list[Leg], trade: Trade) -> None:
    scene.wait(EXPIRY_NS)
    assert trade(scene, legs).name == "INSTRUMENT_EXPIRED"


@both_ways
def test_a_leg_without_mark_stops_all(scene: Scene, legs: list[Leg], trade: Trade) -> None:
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    assert trade(scene, [*legs, Leg(put, 1, 100)]).name == "MARK_MISSING"


@pytest.mark.parametrize(
    ("taker_max", "maker_max", "is_applied"),
    [(500, 200, True), (499, 200, False), (500, 199, False)],
)
def test_neither_pays_more_than_he_accepts(
    scene: Scene, legs: list[Leg], taker_max: int, maker_max: int, is_applied: bool
) -> None:
    quote = scene.offer("bob", legs, max_fee_ppm=maker_max)
    outcome = scene.accept("ann", "bob", quote, max_fee_ppm=taker_max)
    assert outcome.name == ("APPLIED" if is_applied else "FEE_ABOVE_MAX")


def test_a_block_binds_both_to_one_highest_fee(scene: Scene, legs: list[Leg]) -> None:
    assert by_block(scene, legs, max_fee_ppm=499).name == "FEE_ABOVE_MAX"
    assert by_block(scene, legs, max_fee_ppm=500).is_applied


@pytest.mark.parametrize("engine", list(ENGINES))
def test_a_block_has_a_least_size(engine: str) -> None:
    blocks = UnderlyingGrid(
        "BTC", 1, 1_000_000_000,
        replace(LINEAR_TERMS, block_lots_min=10), LINEAR_TERMS, OPTION_TERMS,
    )  # fmt: skip
    venue = Scene(ENGINES[engine], blocks)
    for name in ("ann", "bob"):
        venue.deposit(name, 1_000_000 * USDC)
    perpetual = venue.open_perpetual()
    assert by_block(venue, [Leg(perpetual, -9, MARK)]).name == "BLOCK_TOO_SMALL"
    assert by_quote(venue, [Leg(perpetual, 9, MARK)]).is_applied
    assert by_block(venue, [Leg(perpetual, -10, MARK)]).is_applied


# Room and margin


@both_ways
def test_orders_count_towards_the_largest_position(
    scene: Scene, legs: list[Leg], trade: Trade
) -> None:
    perpetual = legs[0].instrument
    scene.resting("bob", perpetual, Side.BUY, 1, 10)
    for lots, name in (
        (POSITION_LOTS_MAX - 9, "POSITION_LIMIT"),
        (POSITION_LOTS_MAX - 10, "INSUFFICIENT_MARGIN"),
    ):
        assert trade(scene, [Leg(perpetual, -lots, 1)]).name == name


@pytest.mark.parametrize("short", ["ann", "bob"])
@both_ways
def test_both_must_be_covered(scene: Scene, legs: list[Leg], trade: Trade, short: str) -> None:
    scene.withdraw(short, 999_990 * USDC)
    assert trade(scene, legs).name == "INSUFFICIENT_MARGIN"
    assert account(scene, "ann").positions_count == account(scene, "bob").positions_count == 0


@both_ways
def test_a_hedge_needs_less_than_its_legs(scene: Scene, legs: list[Leg], trade: Trade) -> None:
    """A covered call: each leg alone asks for more than the account has, both together do not."""
    scene.withdraw("ann", 998_900 * USDC)
    perpetual, call = legs[0].instrument, legs[1].instrument
    hedge = [Leg(perpetual, 900, MARK), Leg(call, -9, CALL_TICKS)]
    assert trade(scene, hedge[1:]).name == "INSUFFICIENT_MARGIN"
    assert trade(scene, hedge).is_applied


@both_ways
def test_reducing_needs_no_margin(scene: Scene, legs: list[Leg], trade: Trade) -> None:
    perpetual = legs[0].instrument
    assert trade(scene, [Leg(perpetual, 5_000, MARK)]).is_applied
    scene.withdraw("ann", 993_100 * USDC)
    scene.wait(10**9)
    scene.publish_index(78_000_000_000)
    scene.remark_perpetual()
    assert trade(scene, [Leg(perpetual, 1, 780_000)]).name == "INSUFFICIENT_MARGIN"
    assert trade(scene, [Leg(perpetual, -4_000, 780_000)]).is_applied


def test_legs_are_one_to_four_and_ascending(scene: Scene, legs: list[Leg]) -> None:
    five = [Leg(number, 1, 1) for number in range(1, 6)]
    for wrong in ([], legs[::-1], [legs[0], legs[0]], five):
        assert by_quote(scene, wrong).name == "VOID_MALFORMED"
        assert by_block(scene, wrong).name == "VOID_MALFORMED"


def test_an_offer_is_no_acceptance(scene: Scene, legs: list[Leg]) -> None:
    """A taker's signature under the quote itself is one of another struct."""
    quote: RfqQuote = scene.offer("bob", legs)
    assert scene.signature("ann", quote) != scene.signature(
        "ann", AcceptQuote(*scene.header("ann"), 1_000, 0, bytes(64), quote)
    )
    assert scene.submit(Cancel(*scene.header("ann"), order=1), "ann").name == "ORDER_NOT_FOUND"


@both_ways
def test_an_account_short_of_margin_does_not_owe_what_another_takes_away(
    scene: Scene, perpetual: int, trade: Trade
) -> None:
    """Ann has lost most of her margin; bob, her accomplice, would take more than what is left."""
    lots = 600_000
    assert trade(scene, [Leg(perpetual, lots, MARK)]).is_applied
    scene.wait(10**9)
    scene.publish_index(74_000_000_000)
    scene.remark_perpetual()
    mark = 740_000
    held = position_in(scene, "ann", perpetual)
    assert held
    equity = account(scene, "ann").cash_atoms + held.entry_atoms + lots * mark * 10
    off_ticks = equity // (lots * 10)
    assert trade(scene, [Leg(perpetual, -lots, mark - off_ticks)]).name == "INSUFFICIENT_MARGIN"
    assert trade(scene, [Leg(perpetual, -lots, mark - off_ticks // 2)]).is_applied
    assert account(scene, "ann").cash_atoms > 0
