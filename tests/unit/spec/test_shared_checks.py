"""Checks that several commands share, of those commands that no other test shows them of."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.exhaustion import filled

from proofbook.kernel import Store
from proofbook.protocol.commands import (
    AcceptQuote,
    BlockTrade,
    ForwardCurve,
    ForwardObservation,
    GrantRequest,
    Leg,
    SurfaceSignature,
    VolSurface,
)
from proofbook.protocol.eip712 import forward_curve_digest
from proofbook.protocol.limits import (
    INDEX_ATOMS_MAX,
    ArenaId,
    InstrumentState,
    Side,
    TriggerCondition,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.inspection import account
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    SPOT_ATOMS,
    USDC,
    WIDEST_SCOPE,
    Scene,
    key_of,
)
from proofbook.simulator.workload import address_of, compact_signature

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000

Deal = Callable[[Scene, Leg], Outcome]


def accepted(scene: Scene, leg: Leg) -> Outcome:
    return scene.accept("ann", "bob", scene.offer("bob", [leg]))


def blocked(scene: Scene, leg: Leg) -> Outcome:
    return scene.block("ann", "bob", [leg])


deals = pytest.mark.parametrize("deal", [accepted, blocked])


@deals
@pytest.mark.parametrize("state", [InstrumentState.HALTED, InstrumentState.CANCEL_ONLY])
def test_a_deal_needs_a_book_that_trades(
    scene: Scene, perpetual: int, deal: Deal, state: InstrumentState
) -> None:
    scene.set_instrument(perpetual, state)
    assert deal(scene, Leg(perpetual, 10, MARK)).name == "INSTRUMENT_STATE"
    scene.set_instrument(perpetual)
    assert deal(scene, Leg(perpetual, 10, MARK)).is_applied


@deals
def test_a_deal_has_no_combo_for_a_leg(scene: Scene, perpetual: int, call: int, deal: Deal) -> None:
    combo = scene.combo("ann", (perpetual, 2), (call, -1))
    assert deal(scene, Leg(combo, 10, 1 << 23)).name == "KIND_NOT_SUPPORTED"


@deals
@pytest.mark.parametrize("arena", [ArenaId.POSITIONS, ArenaId.NODES])
def test_a_deal_finds_room_or_is_refused(
    scene: Scene, perpetual: int, store: Store | None, deal: Deal, arena: ArenaId
) -> None:
    scene.engine = filled(scene.engine, arena, store)
    assert deal(scene, Leg(perpetual, 10, MARK)).name == "ARENA_FULL"
    assert account(scene, "ann").positions_count == 0


def test_a_deal_expires_for_either_side(scene: Scene, perpetual: int) -> None:
    """The moment counts for who brings it and for the maker."""
    legs = (Leg(perpetual, 10, MARK),)
    late = replace(scene.offer("bob", legs), expires_ns=scene.window_ns)
    assert scene.accept("ann", "bob", late).name == "MESSAGE_EXPIRED", "the maker's"
    (account_slot, nonce, _), (maker, maker_nonce, _) = scene.header("ann"), scene.header("bob")
    terms = BlockTrade(
        account_slot, nonce, scene.window_ns, 1_000, maker, maker_nonce, 0, bytes(64), legs
    )  # fmt: skip
    block = replace(terms, maker_signature=scene.signature("bob", terms))
    assert scene.submit(block, "ann").name == "MESSAGE_EXPIRED", "the taker's"


def test_a_deal_counts_its_nonce_like_any_message(scene: Scene, perpetual: int) -> None:
    legs = (Leg(perpetual, 10, MARK),)
    quote, (account_slot, _, end_ns) = scene.offer("bob", legs), scene.header("ann")
    signature = scene.signature("bob", quote)
    accept = AcceptQuote(account_slot, 0, end_ns, 1_000, 0, signature, quote)
    assert scene.submit(accept, "ann").name == "NONCE_TOO_OLD"
    maker, maker_nonce, _ = scene.header("bob")
    terms = BlockTrade(
        account_slot, 0, end_ns, 1_000, maker, maker_nonce, 0, bytes(64), legs
    )  # fmt: skip
    block = replace(terms, maker_signature=scene.signature("bob", terms))
    assert scene.submit(block, "ann").name == "NONCE_TOO_OLD"


@pytest.mark.parametrize("arena", [ArenaId.NODES, ArenaId.LEVELS])
def test_an_order_moves_to_a_new_price_only_where_there_is_room(
    scene: Scene, perpetual: int, store: Store | None, arena: ArenaId
) -> None:
    resting = scene.resting("ann", perpetual, BUY, MARK // 2, 2)
    scene.engine = filled(scene.engine, arena, store)
    assert scene.amend("ann", resting, MARK // 3, 2).name == "ARENA_FULL"
    assert scene.amend("ann", resting, 0, 1).is_applied, "it may shrink where it is"


def test_a_stop_of_a_book_at_its_end_is_not_stored(scene: Scene, call: int) -> None:
    scene.wait(EXPIRY_NS - scene.window_ns)
    outcome = scene.place_trigger("ann", call, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, 100, 1)
    assert outcome.name == "INSTRUMENT_EXPIRED"


def test_a_grant_from_the_inbox_finds_room_or_is_refused(scene: Scene, store: Store | None) -> None:
    scene.engine = filled(scene.engine, ArenaId.SIGNERS, store)
    owner, key = address_of(key_of("ann")), address_of(key_of("phone"))
    request = GrantRequest(scene.accounts["ann"], owner, 1, key, **WIDEST_SCOPE)
    assert scene.submit(request).name == "ARENA_FULL"
    scene.deposit("ann", USDC)


def curve(scene: Scene, forward_atoms: int = SPOT_ATOMS, publisher: int = 1) -> ForwardCurve:
    published_ns = scene.window_ns + 10**6
    digest = forward_curve_digest(scene.separator, 1, published_ns, (EXPIRY_NS,), (forward_atoms,))
    signature = compact_signature(key_of("publisher"), digest)
    row = ForwardObservation(publisher, (forward_atoms,), signature)
    return ForwardCurve(1, published_ns, (EXPIRY_NS,), (row,))


def test_a_curve_is_refused_by_name(scene: Scene, call: int) -> None:
    scene.wait(10**9)
    strange = curve(scene, publisher=9)
    assert scene.submit(replace(strange, underlying=2)).name == "UNDERLYING_NOT_FOUND"
    assert scene.submit(replace(strange, observations=())).name == "QUORUM_NOT_MET"
    assert scene.submit(strange).name == "PUBLISHER_NOT_FOUND"
    for forward_atoms in (0, INDEX_ATOMS_MAX + 1):
        assert scene.submit(curve(scene, forward_atoms)).name == "OBSERVATION_OUT_OF_RANGE"
    assert scene.submit(curve(scene)).is_applied


@pytest.mark.parametrize(
    ("underlying", "reason"), [(2, "UNDERLYING_NOT_FOUND"), (1, "PUBLISHER_NOT_FOUND")]
)
def test_a_surface_is_refused_by_name(
    scene: Scene, call: int, underlying: int, reason: str
) -> None:
    row = SurfaceSignature(9, bytes(64))
    surface = VolSurface(underlying, scene.window_ns + 1, (FLAT_SLICE,), (row,))
    assert scene.submit(surface).name == reason
