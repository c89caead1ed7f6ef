"""Buckets of tokens: what a key or a connection may do, and when again."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofbook.api.errors import Refusal, Refused
from proofbook.api.schema import ErrorData
from proofbook.ingress.meter import COST_MAX, Meter
from proofbook.operation.configuration import RatesSection
from proofbook.operation.operation import rate_limits
from proofbook.protocol.commands import Cancel, CancelAll, Command, Quote, QuoteBatch
from proofbook.protocol.entry import UNSIGNED, command_bytes
from proofbook.protocol.limits import NS_PER_SECOND, QUOTES_PER_BATCH_MAX, PostOnly, Side
from proofbook.sequencer import rates as rates_module
from proofbook.sequencer.rates import (
    NS_PER_MS,
    Buckets,
    KeyRates,
    Rate,
    RateLimits,
    tokens_of,
    tokens_of_bytes,
)

ME, OTHER = (3, 0), (3, 1)
CANCEL_ALL = CancelAll(3, 1, 2)
LIMITS = RateLimits(Rate(10, 4), Rate(10, 6), Rate(100, 40), Rate(1, 2))


class Time:
    """A clock that is set by hand, ns."""

    def __init__(self) -> None:
        self.now_ns = 5 * NS_PER_SECOND

    def __call__(self) -> int:
        return self.now_ns


def batch(count: int) -> QuoteBatch:
    quotes = tuple(Quote(number, Side.BUY, 1, 1) for number in range(count))
    return QuoteBatch(3, 1, 2, 0, PostOnly.REJECT, 0, quotes)


def check(rates: KeyRates, command: Command, key: tuple[int, int]) -> None:
    rates.check(command.TAG, tokens_of(command), key)


def take(rates: KeyRates, command: Command, key: tuple[int, int]) -> None:
    rates.take(command.TAG, tokens_of(command), key)


def refusal_of(act: Callable[[], None]) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


def test_a_bucket_is_full_at_first_and_says_when_there_is_a_token_again() -> None:
    clock = Time()
    buckets = Buckets("orders", Rate(10, 4), clock)
    for left in (4, 3, 2, 1):
        assert buckets.left(ME) == left
        buckets.check(ME)
        buckets.take(ME)
    refused = refusal_of(lambda: buckets.check(ME))
    assert (refused.code, refused.reason) == (Refusal.RATE_LIMITED, "RATE_LIMITED")
    assert (refused.value, refused.limit, refused.retry_after_ms) == ("5", "4", 100)
    assert "orders: 5 together, at most 4 and 10 a second; again in 100 ms" in str(refused)
    buckets.check(OTHER)
    clock.now_ns += 100 * NS_PER_MS - 1
    assert refusal_of(lambda: buckets.check(ME)).retry_after_ms == 1
    clock.now_ns += 1
    buckets.check(ME)
    assert refusal_of(lambda: buckets.check(ME, 2)).retry_after_ms == 100


def test_a_key_that_sent_too_many_orders_can_still_cancel_and_the_other_way_round() -> None:
    rates = KeyRates(LIMITS, Time())
    for _ in range(4):
        take(rates, batch(1), ME)
    assert refusal_of(lambda: check(rates, batch(1), ME)).retry_after_ms == 100
    for command in (CANCEL_ALL, Cancel(3, 1, 2, 9)) * 3:
        check(rates, command, ME)
        take(rates, command, ME)
    assert refusal_of(lambda: check(rates, CANCEL_ALL, ME)).limit == "6"
    check(rates, batch(1), OTHER)


def test_publishers_have_no_bucket() -> None:
    rates = KeyRates(LIMITS, Time())
    for _ in range(100):
        check(rates, batch(1), (0, 1))
        take(rates, batch(1), (0, 1))
    assert len(rates.orders) == 0


@pytest.mark.parametrize(("quotes", "tokens"), [(1, 1), (8, 1), (9, 2), (32, 4), (0, 1)])
def test_a_batch_takes_a_token_for_every_eight_quotes(quotes: int, tokens: int) -> None:
    assert tokens_of(batch(quotes)) == tokens
    assert tokens_of_bytes(command_bytes(batch(quotes), 0, UNSIGNED)) == tokens


def test_the_least_bursts_let_the_dearest_through() -> None:
    section = RatesSection(orders_burst=4, requests_burst=20)
    limits = rate_limits(section)
    check(KeyRates(limits, Time()), batch(QUOTES_PER_BATCH_MAX), ME)
    Meter(limits, Time()).requests.check(ME, COST_MAX)
    assert tokens_of(batch(QUOTES_PER_BATCH_MAX)) == 4 and COST_MAX == 20


def test_full_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates_module, "KEPT_MIN", 10)
    clock = Time()
    buckets = Buckets("orders", Rate(10, 4), clock)
    for who in range(1_000):
        buckets.take(who)
        clock.now_ns += 100 * NS_PER_MS
        assert len(buckets) <= 21


def test_questions_and_signed_methods_do_not_share_a_bucket() -> None:
    meter = Meter(LIMITS, Time())
    meter.admit("a", "get_summary")
    meter.admit("a", "get_summary")
    assert refusal_of(lambda: meter.admit("a", "get_status")).retry_after_ms == 10
    meter.admit("a", "place")
    meter.admit("b", "get_status")


def test_signatures_that_are_nobodys_close_the_signed_methods_for_a_while() -> None:
    clock = Time()
    meter = Meter(LIMITS, clock)
    for _ in range(2):
        meter.admit("a", "place")
        meter.refused("a", Refused(Refusal.SIGNATURE_INVALID, "nobody's"))
    assert refusal_of(lambda: meter.admit("a", "cancel")).retry_after_ms == 1_000
    meter.admit("a", "get_status")
    meter.admit("b", "cancel")
    clock.now_ns += NS_PER_SECOND
    meter.admit("a", "cancel")
    meter.forget("a")
    assert meter.invalid_signatures.left("a") == 2


def test_frames_that_cannot_be_read_count_as_questions() -> None:
    meter = Meter(LIMITS, Time())
    for _ in range(40):
        meter.refused("a", Refused(Refusal.PARSE_ERROR, "broken"))
    assert refusal_of(lambda: meter.admit("a", "get_status")).reason == "RATE_LIMITED"


def test_errors_without_a_time_say_nothing_of_one() -> None:
    assert ErrorData("X").retry_after_ms is None


@given(
    st.integers(1, 50),
    st.integers(4, 60),
    st.lists(st.tuples(st.integers(0, 3 * NS_PER_SECOND), st.integers(1, 4)), max_size=60),
)
def test_nobody_gets_more_than_a_burst_and_what_came_since(
    per_second: int, burst: int, asked: list[tuple[int, int]]
) -> None:
    clock = Time()
    buckets = Buckets("orders", Rate(per_second, burst), clock)
    began_ns, taken = clock.now_ns, 0
    for pause_ns, tokens in asked:
        clock.now_ns += pause_ns
        try:
            buckets.check(ME, tokens)
        except Refused as refused:
            assert refused.retry_after_ms is not None
            clock.now_ns += refused.retry_after_ms * NS_PER_MS
            buckets.check(ME, tokens)
        buckets.take(ME, tokens)
        taken += tokens
        assert 0 <= buckets.left(ME) <= burst
        come = (clock.now_ns - began_ns) // (NS_PER_SECOND // per_second)
        assert taken <= burst + come
