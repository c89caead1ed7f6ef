"""Each way in which a sequencer could favour somebody by order or time, and what stops it.

A cheat that shows in the entries is VOID: it has no effect, it is counted, and whoever posted it
pays. One that shows only beside a receipt is in docs/reference/receipts.md.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from proofbook.protocol.commands import (
    AcceptQuote,
    BlockTrade,
    Cancel,
    CancelAll,
    Command,
    FireTrigger,
    IndexObservation,
    IndexPrice,
    Leg,
    Place,
    RfqQuote,
    Tick,
    Uncross,
)
from proofbook.protocol.eip712 import command_digest, domain_separator, index_price_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Filled
from proofbook.protocol.limits import NONCE_WINDOW, Action, Side, TriggerCondition
from proofbook.simulator.inspection import account, header, signer
from proofbook.simulator.scene import Scene, key_of
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, compact_signature

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
SECOND_NS = 10**9


class Sequencer:
    """Stamps as it likes, in a window of one second after everything that has happened."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.opens_ns = scene.window_ns
        self.closes_ns = scene.window_ns + SECOND_NS
        self.nonce = 1_000

    def order(self, name: str, side: Side, lots: int = 1, post_only: int = 0) -> Place:
        self.nonce += 1
        return Place(
            self.scene.accounts[name], self.nonce, self.closes_ns + SECOND_NS,
            self.instrument, side, MARK, lots, post_only=post_only, max_fee_ppm=1_000,
        )  # fmt: skip

    @property
    def instrument(self) -> int:
        return 1

    def head(self, name: str) -> tuple[int, int, int]:
        self.nonce += 1
        return self.scene.accounts[name], self.nonce, self.closes_ns + SECOND_NS

    def post(
        self,
        command: Command,
        after_ns: int,
        name: str = "",
        window_ns: int | None = None,
        session: int = 0,
    ) -> str:
        """Post an entry received so long after the window opened; return its outcome."""
        closes_ns = self.closes_ns if window_ns is None else window_ns
        entry = Entry(closes_ns, self.opens_ns + after_ns, command)
        if name:
            digest = command_digest(self.scene.separator, command)  # type: ignore[arg-type]
            signature = compact_signature(key_of(name), digest)
            entry = Entry(closes_ns, self.opens_ns + after_ns, command, session, signature)
        return self.scene.submit_bytes(entry.encode()).name


def acted_ns(scene: Scene, name: str, session: int = 0) -> int:
    """Return the last window in which a key has acted."""
    record = signer(scene, name, session)
    assert record is not None
    return record.last_window_ns


@pytest.fixture
def sequencer(scene: Scene, perpetual: int) -> Sequencer:
    assert perpetual == 1
    return Sequencer(scene)


def test_the_honest_order_passes(sequencer: Sequencer) -> None:
    """System, cancels, post-only, the rest; each class by time of receipt."""
    assert sequencer.post(Tick(), 900) == "APPLIED"
    assert sequencer.post(CancelAll(*sequencer.head("cid")), 800, "cid") == "APPLIED"
    assert sequencer.post(sequencer.order("ann", SELL, post_only=1), 700, "ann") == "APPLIED"
    assert sequencer.post(sequencer.order("bob", BUY), 600, "bob") == "APPLIED"
    assert any(isinstance(event, Filled) for event in sequencer.scene.events())


def test_a_taker_is_not_put_before_a_cancel(sequencer: Sequencer) -> None:
    """A stale quote picked off although its owner has cancelled in time."""
    resting = sequencer.scene.resting("ann", sequencer.instrument, SELL, MARK, 1)
    sequencer = Sequencer(sequencer.scene)
    assert sequencer.post(sequencer.order("bob", BUY), 500, "bob") == "APPLIED"
    cancel = Cancel(*sequencer.head("ann"), order=resting)
    assert sequencer.post(cancel, 100, "ann") == "VOID_ORDER_REGRESSED"


@pytest.mark.parametrize("is_auction", [False, True])
def test_what_lets_orders_trade_is_not_put_before_a_cancel(
    sequencer: Sequencer, is_auction: bool
) -> None:
    """A stop that is always met, fired on news, would pick off who cancels on the same news."""
    scene = sequencer.scene
    resting = scene.resting("ann", sequencer.instrument, SELL, MARK, 1)
    condition = TriggerCondition.MARK_AT_OR_ABOVE
    trigger = scene.waiting("bob", sequencer.instrument, condition, 1, BUY, MARK, 1)
    command = Uncross(sequencer.instrument) if is_auction else FireTrigger(trigger)
    sequencer = Sequencer(scene)
    cancel = Cancel(*sequencer.head("ann"), order=resting)
    assert sequencer.post(cancel, 500, "ann") == "APPLIED"
    outcome = sequencer.post(command, 100)
    assert outcome == ("AUCTION_NOT_DUE" if is_auction else "APPLIED")
    assert not any(isinstance(event, Filled) for event in scene.events())


def test_who_accepts_a_quote_does_not_put_its_maker_s_cancels_last(sequencer: Sequencer) -> None:
    """The maker chose neither the moment nor that anybody would, and the taker may be poor."""
    scene = sequencer.scene
    scene.deposit("dan", 1)
    resting = scene.resting("ann", sequencer.instrument, SELL, MARK, 1)
    sequencer = Sequencer(scene)
    quote = RfqQuote(*sequencer.head("ann"), 0, 1_000, (Leg(sequencer.instrument, 10, MARK),))
    signature = scene.signature("ann", quote)
    cancel = Cancel(*sequencer.head("ann"), order=resting)
    assert sequencer.post(cancel, 500, "ann") == "APPLIED"
    accept = AcceptQuote(*sequencer.head("dan"), 1_000, 0, signature, quote)
    assert sequencer.post(accept, 100, "dan") == "INSUFFICIENT_MARGIN"
    assert sequencer.post(sequencer.order("bob", BUY), 200, "bob") == "APPLIED"
    assert not any(isinstance(event, Filled) for event in scene.events())


def test_a_taker_is_not_put_before_who_can_only_rest(sequencer: Sequencer) -> None:
    assert sequencer.post(sequencer.order("bob", BUY), 500, "bob") == "APPLIED"
    late = sequencer.order("ann", SELL, post_only=1)
    assert sequencer.post(late, 100, "ann") == "VOID_ORDER_REGRESSED"


def test_a_later_taker_is_not_put_before_an_earlier_one(sequencer: Sequencer) -> None:
    assert sequencer.post(sequencer.order("bob", BUY), 500, "bob") == "APPLIED"
    assert sequencer.post(sequencer.order("cid", BUY), 400, "cid") == "VOID_ORDER_REGRESSED"


def test_two_entries_do_not_share_a_moment(sequencer: Sequencer) -> None:
    assert sequencer.post(sequencer.order("bob", BUY), 500, "bob") == "APPLIED"
    assert sequencer.post(sequencer.order("cid", BUY), 500, "cid") == "VOID_ORDER_REGRESSED"


def test_orders_are_not_put_before_the_prices_of_their_window(sequencer: Sequencer) -> None:
    """The operator's friend trades at the old index that everybody else no longer sees."""
    assert sequencer.post(sequencer.order("bob", BUY), 500, "bob") == "APPLIED"
    digest = index_price_digest(sequencer.scene.separator, 1, sequencer.closes_ns, 10**11)
    row = IndexObservation(1, 10**11, compact_signature(key_of("publisher"), digest))
    index = IndexPrice(1, sequencer.closes_ns, (row,))
    assert sequencer.post(index, 100) == "VOID_ORDER_REGRESSED"


def test_an_entry_is_not_received_before_its_window(sequencer: Sequencer) -> None:
    assert sequencer.post(sequencer.order("bob", BUY), 0, "bob") == "VOID_ORDER_REGRESSED"


def test_an_entry_is_not_received_after_its_window(sequencer: Sequencer) -> None:
    late_ns = SECOND_NS + 1
    assert sequencer.post(sequencer.order("bob", BUY), late_ns, "bob") == "VOID_ORDER_REGRESSED"


def test_time_does_not_run_back(sequencer: Sequencer) -> None:
    assert sequencer.post(Tick(), 500) == "APPLIED"
    order = sequencer.order("bob", BUY)
    outcome = sequencer.post(order, 600, "bob", window_ns=sequencer.closes_ns - 1)
    assert outcome == "VOID_ORDER_REGRESSED"


def test_an_own_cancel_is_not_put_before_the_order_that_it_follows(sequencer: Sequencer) -> None:
    """Received second, put first: nothing is cancelled, and the order stands unwanted."""
    order, cancel = sequencer.order("ann", SELL), CancelAll(*sequencer.head("ann"))
    assert sequencer.post(cancel, 200, "ann") == "APPLIED"
    assert sequencer.post(order, 100, "ann") == "VOID_ORDER_REGRESSED"


def test_an_own_cancel_keeps_its_place_behind_the_order(sequencer: Sequencer) -> None:
    order, cancel = sequencer.order("ann", SELL), CancelAll(*sequencer.head("ann"))
    assert sequencer.post(order, 100, "ann") == "APPLIED"
    assert sequencer.post(cancel, 200, "ann") == "APPLIED"
    assert account(sequencer.scene, "ann").orders_resident == 0


def test_an_order_is_not_executed_twice(sequencer: Sequencer) -> None:
    order = sequencer.order("bob", BUY)
    assert sequencer.post(order, 100, "bob") == "APPLIED"
    assert sequencer.post(order, 200, "bob") == "NONCE_USED"


def test_an_order_is_not_held_back_beyond_its_expiry(sequencer: Sequencer) -> None:
    order = sequencer.order("bob", BUY)
    much_later_ns = order.expires_ns + 1
    assert sequencer.post(order, 100, "bob", window_ns=much_later_ns) == "MESSAGE_EXPIRED"


def test_an_order_of_another_venue_is_not_executed(sequencer: Sequencer) -> None:
    order = sequencer.order("bob", BUY)
    for separator in (domain_separator(1, CONTRACT), domain_separator(CHAIN_ID, b"\x01" * 20)):
        signature = compact_signature(key_of("bob"), command_digest(separator, order))
        entry = Entry(sequencer.closes_ns, sequencer.opens_ns + 100, order, 0, signature)
        outcome = sequencer.scene.submit_bytes(entry.encode())
        assert outcome.name == "VOID_SIGNER_MISMATCH"


def test_every_cheat_is_counted(sequencer: Sequencer) -> None:
    before = header(sequencer.scene).void_count
    sequencer.post(sequencer.order("bob", BUY), 500, "bob")
    for after_ns in (500, 400, 0, SECOND_NS + 1):
        sequencer.post(sequencer.order("cid", BUY), after_ns, "cid")
    assert header(sequencer.scene).void_count == before + 4


def test_an_entry_that_nobody_signed_does_not_demote_cancels(sequencer: Sequencer) -> None:
    """Under an empty session slot no signature is asked for: it takes nobody's place."""
    forged = Entry(
        sequencer.closes_ns, sequencer.opens_ns + 100, sequencer.order("ann", SELL), session=5
    )
    assert sequencer.scene.submit_bytes(forged.encode()).name == "SESSION_NOT_FOUND"
    assert acted_ns(sequencer.scene, "ann") < sequencer.closes_ns
    cancel = CancelAll(*sequencer.head("ann"))
    assert sequencer.post(cancel, 200, "ann") == "VOID_ORDER_REGRESSED"


# A message that has had its time does not move its account's later cancels behind takers


def spoil_by_nonce(sequencer: Sequencer) -> Entry:
    """An order executed long ago: its bytes are on chain for everybody."""
    scene = sequencer.scene
    assert scene.place("ann", sequencer.instrument, BUY, MARK // 2, 1).is_applied
    return Entry.decode(scene.entries[-1])


def spoil_by_expiry(sequencer: Sequencer) -> Entry:
    """An order that was never executed, and is too late."""
    scene = sequencer.scene
    order = replace(sequencer.order("ann", BUY), expires_ns=scene.window_ns + 1)
    scene.wait(SECOND_NS)
    return Entry(0, 0, order, 0, scene.signature("ann", order))


def spoil_by_distance(sequencer: Sequencer) -> Entry:
    """An order whose nonce is below the window of nonces."""
    scene = sequencer.scene
    order = replace(sequencer.order("ann", BUY), expires_ns=scene.window_ns + 10**13)
    later = CancelAll(scene.accounts["ann"], order.nonce + NONCE_WINDOW, 10**19)
    assert scene.submit(later, "ann").is_applied
    return Entry(0, 0, order, 0, scene.signature("ann", order))


def spoil_by_time(sequencer: Sequencer) -> Entry:
    """An order of a session that signed with a nonce above the time."""
    scene = sequencer.scene
    scene.owners["phone"] = "phone"
    assert scene.grant("ann", "phone").is_applied
    order = replace(sequencer.order("ann", BUY), nonce=10**19, expires_ns=10**19)
    return Entry(0, 0, order, 1, scene.signature("phone", order))


def spoil_by_end(sequencer: Sequencer) -> Entry:
    """An order of a session that its owner has ended."""
    scene = sequencer.scene
    scene.owners["phone"] = "phone"
    assert scene.grant("ann", "phone").is_applied
    order = replace(sequencer.order("ann", BUY), nonce=scene.window_ns, expires_ns=10**19)
    assert scene.revoke("ann").is_applied
    return Entry(0, 0, order, 1, scene.signature("phone", order))


def spoil_by_quote(sequencer: Sequencer) -> Entry:
    """An acceptance that came too late for its quote, which would be refused for ever."""
    scene = sequencer.scene
    quote = scene.offer("cid", [Leg(sequencer.instrument, 10, MARK)])
    assert scene.accept("bob", "cid", quote).is_applied
    assert scene.accept("ann", "cid", quote).name == "NONCE_USED"
    return Entry.decode(scene.entries[-1])


def spoil_as_maker(sequencer: Sequencer) -> Entry:
    """A block that its taker could not pay: the maker's nonce was not used."""
    scene = sequencer.scene
    scene.deposit("dan", 1)
    legs = [Leg(sequencer.instrument, 10, MARK)]
    assert scene.block("dan", "ann", legs).name == "INSUFFICIENT_MARGIN"
    return Entry.decode(scene.entries[-1])


def spoil_as_maker_held_back(sequencer: Sequencer) -> Entry:
    """A block that its taker, a friend of the sequencer's, has kept for the moment."""
    scene = sequencer.scene
    scene.deposit("dan", 1)
    (account, nonce, _), (maker, maker_nonce, _) = scene.header("dan"), scene.header("ann")
    legs = (Leg(sequencer.instrument, 10, MARK),)
    terms = BlockTrade(account, nonce, 10**19, 1_000, maker, maker_nonce, 0, bytes(64), legs)
    block = replace(terms, maker_signature=scene.signature("ann", terms))
    return Entry(0, 0, block, 0, scene.signature("dan", block))


@pytest.mark.parametrize(
    ("spoil", "outcome"),
    [
        (spoil_by_nonce, "NONCE_USED"),
        (spoil_by_expiry, "MESSAGE_EXPIRED"),
        (spoil_by_distance, "NONCE_TOO_OLD"),
        (spoil_by_time, "NONCE_OUT_OF_RANGE"),
        (spoil_by_end, "SESSION_NOT_FOUND"),
        (spoil_by_quote, "NONCE_USED"),
        (spoil_as_maker, "NONCE_USED"),
        (spoil_as_maker_held_back, "INSUFFICIENT_MARGIN"),
    ],
)
def test_an_old_message_does_not_put_its_account_s_cancels_last(
    sequencer: Sequencer, spoil: Callable[[Sequencer], Entry], outcome: str
) -> None:
    """Entered at the start of a window, so that what the account cancels there comes too late."""
    scene = sequencer.scene
    resting = scene.resting("ann", sequencer.instrument, SELL, MARK, 1)
    spoilt = spoil(sequencer)
    before_ns = acted_ns(scene, "ann")
    scene.wait(SECOND_NS)
    nonce, sequencer = sequencer.nonce + 2 * NONCE_WINDOW, Sequencer(scene)
    sequencer.nonce = nonce
    again = replace(
        spoilt, window_ns=sequencer.closes_ns, received_ns=sequencer.opens_ns + 100
    )  # fmt: skip
    assert scene.submit_bytes(again.encode()).name == outcome
    assert acted_ns(scene, "ann") == before_ns, "it does not stand in her order"
    assert sequencer.post(sequencer.order("bob", BUY), 400, "bob") == "APPLIED"
    cancel = Cancel(*sequencer.head("ann"), order=resting)
    assert sequencer.post(cancel, 500, "ann") == "VOID_ORDER_REGRESSED"


@pytest.mark.parametrize(
    ("scope", "outcome"),
    [
        ({}, "APPLIED"),
        ({"actions": 1 << Action.CANCEL}, "SESSION_SCOPE_EXCEEDED"),
        ({"markets": 1 << 40}, "SESSION_SCOPE_EXCEEDED"),
        ({"notional_cap_atoms": 1}, "SESSION_NOTIONAL_EXCEEDED"),
        ({"session_expires_ns": 1}, "SESSION_EXPIRED"),
    ],
)
def test_a_key_does_not_put_its_owner_s_cancels_last(
    sequencer: Sequencer, scope: dict[str, int], outcome: str
) -> None:
    """They stay before takers, though an order of the key's was received before them."""
    scene = sequencer.scene
    scene.owners["phone"] = "phone"
    resting = scene.resting("ann", sequencer.instrument, SELL, MARK, 1)
    if "session_expires_ns" in scope:
        scope = {"session_expires_ns": scene.window_ns + SECOND_NS // 2}
    assert scene.grant("ann", "phone", 1, **scope).is_applied
    scene.wait(SECOND_NS)
    sequencer = Sequencer(scene)
    order = replace(sequencer.order("ann", BUY), price_ticks=MARK - 1, nonce=10**6)
    assert sequencer.post(order, 100, "phone", session=1) == outcome
    assert acted_ns(scene, "ann", 1) == sequencer.closes_ns
    assert acted_ns(scene, "ann") < sequencer.closes_ns
    cancel = Cancel(*sequencer.head("ann"), order=resting)
    assert sequencer.post(sequencer.order("bob", BUY), 400, "bob") == "APPLIED"
    assert sequencer.post(cancel, 500, "ann") == "VOID_ORDER_REGRESSED"


def test_the_cancel_of_a_session_keeps_its_place_behind_its_order(sequencer: Sequencer) -> None:
    """One key's order holds, and an owner's cancel has no place behind it."""
    scene = sequencer.scene
    scene.owners["phone"] = "phone"
    assert scene.grant("ann", "phone", 1).is_applied
    sequencer = Sequencer(scene)
    order = replace(sequencer.order("ann", BUY), price_ticks=MARK - 1)
    cancels = [CancelAll(*sequencer.head("ann")) for _ in range(2)]
    assert sequencer.post(cancels[0], 300, "ann") == "APPLIED", "the owner's, received last"
    assert sequencer.post(order, 100, "phone", session=1) == "APPLIED"
    assert account(scene, "ann").orders_resident == 1
    assert sequencer.post(cancels[1], 200, "phone", session=1) == "APPLIED"
    assert account(scene, "ann").orders_resident == 0


def test_a_refused_acceptance_counts_once(sequencer: Sequencer) -> None:
    """Of what its maker can no longer keep: it uses its nonce, so it cannot be entered again."""
    scene = sequencer.scene
    quote = scene.offer("cid", [Leg(sequencer.instrument, 10, MARK)])
    assert scene.accept("bob", "cid", quote).is_applied
    head = (scene.accounts["ann"], 500, 10**19)
    late = AcceptQuote(*head, 1_000, 0, scene.signature("cid", quote), quote)
    sequencer = Sequencer(scene)
    assert sequencer.post(late, 100, "ann") == "NONCE_USED"
    assert acted_ns(scene, "ann") == sequencer.closes_ns, "she acted in this window"
    scene.wait(SECOND_NS)
    sequencer = Sequencer(scene)
    assert sequencer.post(late, 100, "ann") == "NONCE_USED"
    assert acted_ns(scene, "ann") < sequencer.closes_ns, "and not in this one"
