"""What is no longer good when its window closes stays out, and what is good goes in."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES

from proofbook.api.errors import Refused
from proofbook.protocol.commands import (
    AcceptQuote,
    BlockTrade,
    Cancel,
    Command,
    Leg,
    Place,
    RfqQuote,
    Tick,
    TraderCommand,
)
from proofbook.protocol.entry import Entry, command_bytes
from proofbook.protocol.limits import Action, Reject, Side
from proofbook.protocol.records import SignerRecord
from proofbook.sequencer.freshness import sift, use
from proofbook.sequencer.window import Received, signing_slots
from proofbook.spec.accounts import consume_nonce, nonce_rejection

WINDOW_NS = 10_000
FOREVER = 1 << 60
LEGS = (Leg(1, 1, 100),)


def unused(_: int, __: int) -> SignerRecord:
    signer = SignerRecord()
    signer.actions, signer.expires_ns = 1 << Action.PLACE, FOREVER
    return signer


def place(account: int, nonce: int, expires_ns: int = FOREVER) -> Place:
    return Place(account, nonce, expires_ns, 1, Side.BUY, 100, 1)


def cancel(account: int, nonce: int) -> Cancel:
    return Cancel(account, nonce, FOREVER, 7)


def accept(
    account: int, nonce: int, maker: int, quote_nonce: int, maker_session: int = 0
) -> AcceptQuote:
    quote = RfqQuote(maker, quote_nonce, FOREVER, 0, 0, LEGS)
    return AcceptQuote(account, nonce, FOREVER, 0, maker_session, bytes(64), quote)


def block(account: int, nonce: int, maker: int, maker_nonce: int) -> BlockTrade:
    return BlockTrade(account, nonce, FOREVER, 0, maker, maker_nonce, 0, bytes(64), LEGS)


def refused(*commands: Command, session: int = 0, sessions: Sequence[int] = ()) -> list[str]:
    """Return why commands, received in this order, are refused; "" for those that are not."""
    keys = sessions or [session] * len(commands)
    received = [
        Received(moment, command, command_bytes(command), signing_slots(entry))
        for moment, (command, key) in enumerate(zip(commands, keys, strict=True), 1)
        for entry in [Entry(0, 0, command, key)]
    ]
    good, dead = sift(received, WINDOW_NS, unused)
    reasons = {item.received_ns: fault.reason for item, fault in dead}
    assert [item.received_ns for item in good] == [
        item.received_ns for item in received if item.received_ns not in reasons
    ]
    return [reasons.get(item.received_ns, "") for item in received]


def test_what_is_good_goes_in() -> None:
    assert refused(place(3, 2), place(3, 1), cancel(4, 1), Tick(), block(5, 1, 4, 2)) == [""] * 5


def test_the_second_use_of_a_nonce_stays_out() -> None:
    """Sorted by class the cancel would go first, and the order would be the second use."""
    assert refused(place(3, 1), cancel(3, 1), place(3, 2)) == ["", "NONCE_USED", ""]


def test_a_nonce_far_below_another_of_the_window_stays_out() -> None:
    assert refused(place(3, 256), place(3, 1), place(3, 512)) == ["", "", ""]
    assert refused(place(3, 257), place(3, 1)) == ["", "NONCE_TOO_OLD"]


def test_what_expires_before_its_window_closes_stays_out() -> None:
    assert refused(place(3, 1, WINDOW_NS), place(3, 2, WINDOW_NS - 1)) == ["", "MESSAGE_EXPIRED"]


def test_what_a_session_may_not_do_stays_out() -> None:
    assert refused(place(3, 5), cancel(3, 6), session=1) == ["", "SESSION_SCOPE_EXCEEDED"]
    assert refused(place(3, 5), cancel(3, 6)) == ["", ""], "the owner may do everything"


def test_a_session_s_nonce_above_the_time_stays_out() -> None:
    assert refused(place(3, WINDOW_NS), place(3, WINDOW_NS + 1)) == ["", ""], "the owner's may be"
    outcomes = refused(place(3, WINDOW_NS), place(3, WINDOW_NS + 1), session=1)
    assert outcomes == ["", "NONCE_OUT_OF_RANGE"]


def test_a_message_that_a_deal_might_kill_stays_out() -> None:
    """Whether the deal trades, nobody knows before: then its maker's nonce is used."""
    for deal in (accept(4, 1, 3, 300), block(4, 1, 3, 300)):
        assert refused(deal, place(3, 300)) == ["", "NONCE_USED"]
        assert refused(deal, place(3, 44)) == ["", "NONCE_TOO_OLD"]
        assert refused(deal, place(3, 45), place(3, 301)) == ["", "", ""]


def test_a_maker_takes_a_quote_back_by_a_cancel_with_its_nonce() -> None:
    """It goes before every deal, and none can keep it out."""
    assert refused(accept(4, 1, 3, 9), cancel(3, 9)) == ["", ""]
    assert refused(accept(4, 1, 3, 9), place(3, 8), cancel(3, 9)) == ["", "", "NONCE_USED"], (
        "behind an order of the same key it goes after the deal"
    )
    assert refused(accept(4, 1, 3, 9), place(3, 8), cancel(3, 9), sessions=(0, 1, 0)) == [""] * 3, (
        "an order of a session's holds back none of the owner's cancels"
    )


def test_quotes_of_a_key_of_their_own_touch_no_other_message() -> None:
    """Each key counts its own nonces: a quote may be as far ahead as its maker likes."""
    assert refused(accept(4, 1, 3, 300), place(3, 1)) == ["", "NONCE_TOO_OLD"]
    assert refused(accept(4, 1, 3, 300, maker_session=1), place(3, 1)) == ["", ""]


def test_what_comes_before_a_deal_is_not_touched_by_it() -> None:
    assert refused(place(3, 1), accept(4, 1, 3, 300)) == ["", ""]
    assert refused(place(3, 9), accept(4, 1, 3, 9)) == ["", "NONCE_USED"], "the quote is gone"


def test_many_may_ask_for_one_quote() -> None:
    """The first that can pay gets it."""
    assert refused(accept(4, 1, 3, 9), accept(5, 1, 3, 9), accept(6, 1, 3, 9)) == ["", "", ""]


def test_what_stays_out_uses_no_nonce() -> None:
    assert refused(place(3, 1, 0), place(3, 1)) == ["MESSAGE_EXPIRED", ""]


@EXAMPLES
@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=60))
def test_nonces_are_used_as_by_the_state_machine(nonces: list[int]) -> None:
    ours, theirs = SignerRecord(), SignerRecord()
    for nonce in nonces:
        use(ours, nonce)
        if nonce_rejection(theirs, nonce) is None:
            consume_nonce(theirs, nonce)
        assert ours.pack() == theirs.pack()


@pytest.mark.parametrize("command", [place(3, 1), cancel(3, 1), accept(3, 1, 4, 1)])
def test_a_key_that_is_gone_signs_nothing(command: TraderCommand) -> None:
    def nobody(account: int, session: int) -> SignerRecord:
        raise Refused(Reject.SESSION_NOT_FOUND, f"account {account} has no session {session}")

    received = Received(1, command, command_bytes(command), signing_slots(Entry(0, 0, command)))
    _, ((_, fault),) = sift([received], WINDOW_NS, nobody)
    assert fault.reason == "SESSION_NOT_FOUND"
