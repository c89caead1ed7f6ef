"""Sessions: who grants them, what their keys may do, and what is over once they are revoked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proofbook.protocol.commands import (
    Amend,
    BlockTrade,
    CancelAll,
    GrantRequest,
    GrantSession,
    Leg,
    Place,
    PlaceTrigger,
    PositionTransfer,
    Quote,
    QuoteBatch,
    ResetProtection,
    RevokeRequest,
    RevokeSession,
    SetDeadMan,
    SetProtection,
    TraderCommand,
    Transfer,
    Withdraw,
)
from proofbook.protocol.events import OrderRested, SessionGranted, SessionRevoked
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    SESSIONS_PER_ACCOUNT,
    Action,
    ArenaId,
    PostOnly,
    Side,
    TriggerCondition,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import SignerRecord
from proofbook.simulator.inspection import account, header, money, position, risk_array, signer
from proofbook.simulator.scene import GENESIS_NS, USDC, WIDEST_SCOPE, Scene, key_of
from proofbook.simulator.workload import address_of
from proofbook.spec import State

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
ALL = (1 << 64) - 1
ANN = address_of(key_of("ann"))
PHONE = address_of(key_of("phone"))


def by_phone(scene: Scene, command: TraderCommand, nonce: int = 0, session: int = 1) -> Outcome:
    """Submit a command under the phone's signature; its nonces rise by themselves."""
    scene.nonces["phone"] = nonce or scene.nonces.get("phone", 0) + 1
    return scene.submit(replace(command, nonce=scene.nonces["phone"]), "phone", session)


def order(scene: Scene, instrument: int, lots: int = 1, price_ticks: int = MARK - 1) -> Place:
    """An order of ann's, to be signed by somebody."""
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    return Place(number, 1, expires_ns, instrument, BUY, price_ticks, lots, max_fee_ppm=1_000)


def cancel_all(scene: Scene) -> CancelAll:
    return CancelAll(scene.accounts["ann"], 1, scene.window_ns + 10**12)


def request(scene: Scene, owner: bytes = ANN, account_number: int = 0) -> GrantRequest:
    number = account_number or scene.accounts["ann"]
    return GrantRequest(number, owner, 1, PHONE, **WIDEST_SCOPE)


def grant(scene: Scene, way: str, session: int = 1, **scope: Any) -> Outcome:
    """Let the phone act for ann, by her signature or by a request of hers on chain."""
    if way == "signature":
        return scene.grant("ann", "phone", session, **scope)
    return scene.submit(replace(request(scene), session=session, **scope))


def revoke(scene: Scene, way: str, session: int = 1) -> Outcome:
    """End a session of ann's, by her signature or by a request of hers on chain."""
    if way == "signature":
        return scene.revoke("ann", session)
    return scene.submit(RevokeRequest(scene.accounts["ann"], ANN, session))


both_ways = pytest.mark.parametrize("way", ["signature", "request"])


# Granting


@both_ways
@pytest.mark.parametrize("change", [grant, revoke])
@pytest.mark.parametrize("session", [0, 8, 255])
def test_the_owner_and_no_slot_are_no_sessions(
    scene: Scene, change: Callable[..., Outcome], way: str, session: int
) -> None:
    assert change(scene, way, session).name == "SESSION_OUT_OF_RANGE"


@both_ways
@pytest.mark.parametrize(
    "scope",
    [
        {"key": bytes(20)},
        {"actions": 0},
        {"actions": 1 << 31},
        {"session_expires_ns": 0},
        {"session_expires_ns": GENESIS_NS},
    ],
    ids=["no key", "no action", "unknown action", "no time", "over"],
)
def test_grant_rejects_scopes_without_meaning(
    scene: Scene, way: str, scope: dict[str, int]
) -> None:
    assert grant(scene, way, **scope).name == "SESSION_SCOPE_INVALID"


@both_ways
def test_session_must_outlive_the_window_that_grants_it(scene: Scene, way: str) -> None:
    now_ns = scene.window_ns + 10**6
    assert grant(scene, way, session_expires_ns=now_ns).name == "SESSION_SCOPE_INVALID"
    assert grant(scene, way, session_expires_ns=now_ns + 10**7).is_applied


@both_ways
def test_key_has_one_slot_of_an_account(scene: Scene, way: str) -> None:
    """Signatures do not name the slot: in two of them one message would count twice."""
    assert grant(scene, way, key=ANN).name == "SESSION_KEY_IN_USE", "the owner has slot 0"
    assert grant(scene, way).is_applied
    assert grant(scene, way, 2).name == "SESSION_KEY_IN_USE"
    assert scene.grant("bob", "phone", 2).is_applied, "of another account"


@both_ways
def test_grant_writes_the_scope(scene: Scene, way: str) -> None:
    scope = {"actions": 3, "markets": 6, "notional_cap_atoms": 7, "session_expires_ns": 1 << 63}
    assert grant(scene, way, 5, **scope).is_applied
    number = scene.accounts["ann"]
    assert scene.events() == [SessionGranted(number, 5, PHONE, 3, 6, 7, 1 << 63, 0)]
    record = signer(scene, "ann", 5)
    assert record and (record.address, record.account) == (PHONE, number)
    assert (record.actions, record.markets, record.expires_ns) == (3, 6, 1 << 63)
    assert (record.notional_cap_atoms, record.notional_used_atoms) == (7, 0)


def test_grant_rejects_when_signers_are_kept_for_accounts_to_come() -> None:
    scene = Scene(State)
    scene.deposit("ann", USDC)
    state = scene.engine
    assert isinstance(state, State)
    world = state.world
    world.signers.live = (
        world.signers.capacity - 1 - (world.accounts.capacity - world.accounts.live)
    )
    assert scene.grant("ann", "phone").is_applied, "the last one"
    assert scene.grant("ann", "tablet", 2).name == "ARENA_FULL"
    assert scene.grant("ann", "tablet", 1).is_applied, "in place of the phone"


def test_account_holds_a_session_in_every_slot(scene: Scene) -> None:
    for session in range(1, SESSIONS_PER_ACCOUNT):
        assert scene.grant("ann", f"key {session}", session).is_applied
    for session in range(1, SESSIONS_PER_ACCOUNT):
        assert scene.submit(cancel_all(scene), f"key {session}", session).is_applied
    assert scene.grant("ann", "one more", 7).is_applied, "in place of the last"
    assert scene.grant("ann", "key 6", 7).name == "SESSION_KEY_IN_USE"


# What a session may do


def test_session_places_and_cancels(scene: Scene, perpetual: int) -> None:
    assert scene.grant("ann", "phone").is_applied
    assert by_phone(scene, order(scene, perpetual)).is_applied
    assert account(scene, "ann").orders_live == 1
    assert by_phone(scene, cancel_all(scene)).is_applied
    assert account(scene, "ann").orders_live == 0


def test_signature_of_another_session_is_void(scene: Scene) -> None:
    for session, name in ((1, "phone"), (2, "tablet")):
        assert scene.grant("ann", name, session).is_applied
    assert by_phone(scene, cancel_all(scene), session=2).name == "VOID_SIGNER_MISMATCH"
    assert by_phone(scene, cancel_all(scene), session=0).name == "VOID_SIGNER_MISMATCH"
    assert by_phone(scene, cancel_all(scene), session=3).name == "SESSION_NOT_FOUND"


def test_session_ends_by_itself(scene: Scene) -> None:
    expires_ns = scene.window_ns + 3 * 10**6
    assert scene.grant("ann", "phone", session_expires_ns=expires_ns).is_applied
    scene.wait(expires_ns - scene.window_ns - 10**6)
    assert by_phone(scene, cancel_all(scene)).is_applied, "in its last window"
    assert by_phone(scene, cancel_all(scene)).name == "SESSION_EXPIRED"


@pytest.mark.parametrize("allowed", list(Action))
def test_session_does_only_what_it_may(scene: Scene, perpetual: int, allowed: Action) -> None:
    scene.deposit("ann two", USDC, owner="ann")
    assert scene.grant("ann", "phone", actions=1 << allowed).is_applied
    own = scene.accounts["ann two"]
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    quotes = (Quote(perpetual, BUY, MARK - 9, 1),)
    attempts = (
        (Action.PLACE, order(scene, perpetual)),
        (Action.PLACE, QuoteBatch(number, 1, expires_ns, 0, PostOnly.REJECT, 1_000, quotes)),
        (Action.PLACE, SetProtection(number, 1, expires_ns, 1, 10**9, 10**9, 10**9)),
        (Action.PLACE, ResetProtection(number, 1, expires_ns, 1)),
        (Action.CANCEL, cancel_all(scene)),
        (Action.CANCEL, SetDeadMan(number, 1, expires_ns, 0)),
        (Action.TRANSFER, Transfer(number, 1, expires_ns, own, 0, 5)),
    )
    for action, command in attempts:
        expected = "APPLIED" if action == allowed else "SESSION_SCOPE_EXCEEDED"
        assert by_phone(scene, command).name == expected, action.name


def test_session_never_withdraws_nor_grants(scene: Scene) -> None:
    assert scene.grant("ann", "phone").is_applied
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    before = money(scene)
    for command in (
        Withdraw(number, 1, expires_ns, 0, b"\x07" * 20, 5),
        RevokeSession(number, 1, expires_ns, 1),
        GrantSession(number, 1, expires_ns, 2, b"\x33" * 20, **WIDEST_SCOPE),
    ):
        assert by_phone(scene, command).name == "SESSION_SCOPE_EXCEEDED"
    assert [slot != 0 for slot in account(scene, "ann").signers] == [True, True] + [False] * 6
    assert money(scene) == before


def test_session_is_held_to_its_markets(scene: Scene, perpetual: int) -> None:
    assert scene.grant("ann", "phone", markets=ALL ^ 1 << 1).is_applied
    assert by_phone(scene, order(scene, perpetual)).name == "SESSION_SCOPE_EXCEEDED"
    assert by_phone(scene, cancel_all(scene)).is_applied, "cancels are of no market"
    assert by_phone(scene, order(scene, 999)).name == "INSTRUMENT_NOT_FOUND"
    assert scene.grant("ann", "phone", markets=1 << 1).is_applied
    assert by_phone(scene, order(scene, perpetual)).is_applied


def test_session_transfers_positions_only_of_its_markets(scene: Scene, perpetual: int) -> None:
    scene.deposit("ann two", 1_000 * USDC, owner="ann")
    scene.resting("bob", perpetual, SELL, MARK, 2)
    scene.place("ann", perpetual, BUY, MARK, 2)
    own = scene.accounts["ann two"]
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    command = PositionTransfer(number, 1, expires_ns, own, perpetual, 1)
    for markets, expected in ((0, "SESSION_SCOPE_EXCEEDED"), (1 << 1, "APPLIED")):
        assert scene.grant("ann", "phone", markets=markets).is_applied
        assert by_phone(scene, command).name == expected


def test_session_transfers_only_to_the_same_owner(scene: Scene) -> None:
    scene.deposit("ann two", USDC, owner="ann")
    assert scene.grant("ann", "phone").is_applied
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    story = (("bob", "SESSION_SCOPE_EXCEEDED"), ("ann two", "APPLIED"))
    for to, expected in story:
        command = Transfer(number, 1, expires_ns, scene.accounts[to], 0, 5)
        assert by_phone(scene, command).name == expected
    nowhere = Transfer(number, 1, expires_ns, 99, 0, 5)
    assert by_phone(scene, nowhere).name == "RECIPIENT_INVALID"


def test_cap_counts_the_value_of_orders_that_were_accepted(scene: Scene, perpetual: int) -> None:
    value = (MARK - 1) * 10
    assert scene.grant("ann", "phone", notional_cap_atoms=3 * value).is_applied
    assert by_phone(scene, order(scene, perpetual, 4)).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, order(scene, perpetual, 2)).is_applied
    assert by_phone(scene, replace(order(scene, perpetual), max_fee_ppm=0)).name == "FEE_ABOVE_MAX"
    record = signer(scene, "ann", 1)
    assert record and record.notional_used_atoms == 2 * value, "what was refused does not count"
    assert by_phone(scene, cancel_all(scene)).is_applied
    assert by_phone(scene, order(scene, perpetual, 2)).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, order(scene, perpetual, 1)).is_applied
    assert scene.place("ann", perpetual, BUY, MARK - 1, 9).is_applied, "the owner has no cap"


def test_cap_counts_quotes_and_amendments(scene: Scene, perpetual: int) -> None:
    value = (MARK - 1) * 10
    assert scene.grant("ann", "phone", notional_cap_atoms=6 * MARK * 10).is_applied
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    quotes = (Quote(perpetual, BUY, MARK - 1, 2), Quote(perpetual, SELL, MARK, 2))
    quoted = 2 * value + 2 * MARK * 10
    batch = QuoteBatch(number, 1, expires_ns, 0, PostOnly.REJECT, 1_000, quotes)
    assert by_phone(scene, batch).is_applied
    assert used(scene) == quoted, "a batch counts as a whole"
    assert by_phone(scene, batch).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, order(scene, perpetual, 1, MARK - 2)).is_applied
    (rested,) = scene.events()
    assert isinstance(rested, OrderRested)
    amend = Amend(number, 1, expires_ns, rested.order, MARK - 1, 3)
    assert by_phone(scene, amend).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, replace(amend, lots=1)).is_applied
    assert used(scene) == quoted + (MARK - 2) * 10 + value
    (_, renewed) = scene.events()
    assert isinstance(renewed, OrderRested)
    shrink = Amend(number, 1, expires_ns, renewed.order, 0, 1)
    assert by_phone(scene, shrink).is_applied
    assert used(scene) == quoted + (MARK - 2) * 10 + value, "shrinking costs nothing"


def test_cap_counts_what_the_legs_of_a_combo_are_worth(scene: Scene, perpetual: int) -> None:
    """A combo can trade at a price of nothing, and far from what it is worth."""
    call = scene.open_option()
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    worth = 100 * MARK * 10 + risk_array(scene, call).mark_atoms
    assert scene.grant("ann", "phone", notional_cap_atoms=2 * worth).is_applied
    free = replace(order(scene, combo), side=SELL, price_ticks=COMBO_PRICE_OFFSET_TICKS)
    assert by_phone(scene, replace(free, lots=3)).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, replace(free, lots=2)).is_applied
    held = signer(scene, "ann", 1)
    assert held and held.notional_used_atoms == 2 * worth


def test_cap_counts_what_is_sold_at_its_mark(scene: Scene, call: int) -> None:
    """Found by reading: at a limit of one tick all that margin allowed went to an accomplice."""
    mark_atoms = risk_array(scene, call).mark_atoms
    assert scene.grant("ann", "phone", notional_cap_atoms=3 * mark_atoms).is_applied
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    sale = replace(order(scene, call, 4, price_ticks=1), side=SELL)
    stop = PlaceTrigger(
        number, 1, expires_ns, call, TriggerCondition.MARK_AT_OR_ABOVE, 1, SELL, 1, 4,
        max_fee_ppm=1_000,
    )  # fmt: skip
    quotes = (Quote(call, SELL, 1, 4),)
    batch = QuoteBatch(number, 1, expires_ns, 0, PostOnly.REJECT, 1_000, quotes)
    for command in (sale, stop, batch):
        assert by_phone(scene, command).name == "SESSION_NOTIONAL_EXCEEDED"
    block = block_by_phone(scene, call, -4)
    assert by_phone(scene, block, block.nonce).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, replace(sale, lots=1)).is_applied
    assert used(scene) == mark_atoms
    (rested,) = scene.events()
    assert isinstance(rested, OrderRested)
    amend = Amend(number, 1, expires_ns, rested.order, 2, 3)
    assert by_phone(scene, amend).name == "SESSION_NOTIONAL_EXCEEDED"
    assert by_phone(scene, replace(amend, lots=1)).is_applied
    assert used(scene) == 2 * mark_atoms
    bid = order(scene, call, 4, price_ticks=1)
    assert by_phone(scene, replace(bid, post_only=PostOnly.SLIDE)).is_applied
    assert used(scene) == 2 * mark_atoms + 4 * 1_000, "a bid costs no more than its limit"


def block_by_phone(scene: Scene, instrument: int, lots: int) -> BlockTrade:
    """A block of ann's with bob at a price of one tick, that bob has signed."""
    (ann, _, expires_ns), (bob, nonce, _) = scene.header("ann"), scene.header("bob")
    legs = (Leg(instrument, lots, 1),)
    number = scene.nonces.get("phone", 0) + 1
    terms = BlockTrade(ann, number, expires_ns, 1_000, bob, nonce, 0, bytes(64), legs)
    return replace(terms, maker_signature=scene.signature("bob", terms))


def test_cap_counts_an_amended_order_that_is_filled_at_once(scene: Scene, perpetual: int) -> None:
    """Found by reading: counted after the trade, it was gone and cost nothing."""
    assert scene.grant("ann", "phone", notional_cap_atoms=10**12).is_applied
    resting = scene.resting("ann", perpetual, BUY, MARK - 9, 2)
    scene.resting("bob", perpetual, SELL, MARK, 2)
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    assert by_phone(scene, Amend(number, 1, expires_ns, resting, MARK, 2)).is_applied
    held = position(scene, "ann")
    assert held and held.lots == 2
    assert used(scene) == MARK * 10 * 2


def test_amendments_and_quotes_are_held_to_their_markets(scene: Scene, perpetual: int) -> None:
    resting = scene.resting("ann", perpetual, BUY, MARK - 9, 2)
    assert scene.grant("ann", "phone", markets=1 << 2).is_applied
    number, expires_ns = scene.accounts["ann"], scene.window_ns + 10**12
    quotes = (Quote(perpetual, BUY, MARK - 1, 2),)
    for command in (
        Amend(number, 1, expires_ns, resting, 0, 1),
        QuoteBatch(number, 1, expires_ns, 0, PostOnly.REJECT, 1_000, quotes),
    ):
        assert by_phone(scene, command).name == "SESSION_SCOPE_EXCEEDED"
    unknown = Amend(number, 1, expires_ns, 999, 0, 1)
    assert by_phone(scene, unknown).name == "ORDER_NOT_FOUND"


def used(scene: Scene) -> int:
    """What the phone's orders have counted against its cap."""
    record = signer(scene, "ann", 1)
    assert record
    return record.notional_used_atoms


def test_no_cap_is_no_bound(scene: Scene, perpetual: int) -> None:
    assert scene.grant("ann", "phone", notional_cap_atoms=0).is_applied
    assert by_phone(scene, order(scene, perpetual, 1_000)).is_applied
    record = signer(scene, "ann", 1)
    assert record and record.notional_used_atoms == 0


def test_value_beyond_all_numbers_exceeds_the_highest_cap(scene: Scene, perpetual: int) -> None:
    assert scene.grant("ann", "phone", notional_cap_atoms=ALL).is_applied
    wide = order(scene, perpetual, lots=ALL, price_ticks=(1 << 32) - 1)
    assert by_phone(scene, wide).name == "SESSION_NOTIONAL_EXCEEDED"


def test_refusal_for_scope_uses_the_nonce_and_nothing_else(scene: Scene, perpetual: int) -> None:
    assert scene.grant("ann", "phone", actions=1 << Action.CANCEL).is_applied
    before = header(scene)
    assert by_phone(scene, order(scene, perpetual), 7).name == "SESSION_SCOPE_EXCEEDED"
    record, after = signer(scene, "ann", 1), header(scene)
    assert record and (record.nonce_highest, record.notional_used_atoms) == (7, 0)
    assert (after.custody_atoms, position(scene, "ann")) == (before.custody_atoms, None)
    assert by_phone(scene, order(scene, perpetual), 7).name == "NONCE_USED"


# Revoking


@both_ways
def test_revoke_rejects_an_empty_slot(scene: Scene, way: str) -> None:
    assert revoke(scene, way).name == "SESSION_NOT_GRANTED"


@both_ways
def test_revoked_key_is_nobody(scene: Scene, way: str) -> None:
    assert grant(scene, way).is_applied
    slot = account(scene, "ann").signers[1]
    assert revoke(scene, way).is_applied
    assert scene.events() == [SessionRevoked(scene.accounts["ann"], 1, PHONE)]
    assert signer(scene, "ann", 1) is None
    assert by_phone(scene, cancel_all(scene)).name == "SESSION_NOT_FOUND"
    freed = SignerRecord.unpack(scene.engine.read(ArenaId.SIGNERS, slot))
    assert (freed.address, freed.generation) == (bytes(20), 1)


@pytest.mark.parametrize("session", [1, 2])
def test_message_of_a_revoked_key_is_not_good_again(scene: Scene, session: int) -> None:
    """Whichever slot the key comes back to."""
    assert scene.grant("ann", "phone").is_applied
    assert by_phone(scene, cancel_all(scene), 300).is_applied
    assert scene.revoke("ann").is_applied
    assert scene.grant("ann", "phone", session).is_applied
    (granted,) = scene.events()
    assert isinstance(granted, SessionGranted) and granted.nonce_floor == 300
    for nonce, expected in ((300, "NONCE_USED"), (299, "NONCE_USED"), (44, "NONCE_TOO_OLD")):
        assert by_phone(scene, cancel_all(scene), nonce, session).name == expected
    assert by_phone(scene, cancel_all(scene), 301, session).is_applied


def test_granting_over_a_key_ends_it(scene: Scene) -> None:
    assert scene.grant("ann", "phone").is_applied
    assert by_phone(scene, cancel_all(scene), 9).is_applied
    assert scene.grant("ann", "tablet").is_applied
    assert account(scene, "ann").nonce_floor == 9
    assert by_phone(scene, cancel_all(scene)).name == "VOID_SIGNER_MISMATCH"


# Owners who ask on chain


def test_requests_of_the_owner_are_consumed(scene: Scene) -> None:
    before = header(scene)
    assert grant(scene, "request").is_applied
    assert by_phone(scene, cancel_all(scene)).is_applied
    assert revoke(scene, "request").is_applied
    assert header(scene).inbox_position == before.inbox_position + 2


def test_request_rejects_unknown_accounts(scene: Scene) -> None:
    assert scene.submit(request(scene, account_number=99)).name == "ACCOUNT_NOT_FOUND"
    assert scene.submit(RevokeRequest(99, ANN, 1)).name == "ACCOUNT_NOT_FOUND"


def test_request_rejects_who_is_not_the_owner(scene: Scene) -> None:
    assert scene.submit(request(scene, owner=PHONE)).name == "OWNER_MISMATCH"
    assert scene.submit(RevokeRequest(scene.accounts["ann"], PHONE, 1)).name == "OWNER_MISMATCH"


def test_rejected_request_is_consumed(scene: Scene) -> None:
    before = header(scene)
    scene.submit(request(scene, owner=PHONE))
    after = header(scene)
    assert after.inbox_position == before.inbox_position + 1
    assert after.inbox_hash != before.inbox_hash


@pytest.mark.parametrize("nonce", [(1 << 64) - 1, None])
def test_nonce_of_a_session_is_at_most_the_time(scene: Scene, nonce: int | None) -> None:
    """A key about to go could leave no number to those after it."""
    assert scene.grant("ann", "phone").is_applied
    number = scene.window_ns + 10**6 + 1 if nonce is None else nonce
    cancel = CancelAll(scene.accounts["ann"], number, scene.window_ns + 10**12)
    assert scene.submit(cancel, "phone", session=1).name == "NONCE_OUT_OF_RANGE"
    assert scene.submit(replace(cancel, nonce=scene.window_ns), "phone", session=1).is_applied
    assert scene.submit(replace(cancel, nonce=1 << 60), "ann").is_applied, "the owner's may be any"
