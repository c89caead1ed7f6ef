"""What is read at once off an ordinary request is what the slow way makes of it, or nothing."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.api.errors import Refused
from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.methods import decode_params
from proofbook.ingress.ordinary import METHODS, OrdinaryRequests
from proofbook.ingress.session import decode_request
from proofbook.kernel import Kernel
from proofbook.protocol.commands import ListInstrument, QuoteBatch
from proofbook.protocol.events import InstrumentReleased, decode_events
from proofbook.protocol.limits import InstrumentKind
from proofbook.queries.models import ReadModels
from proofbook.sequencer.admission import canonical_body
from proofbook.simulator.floor import Floor
from proofbook.simulator.many_accounts import GRIDS

SIGNATURE = "0x" + "5a" * 64
HEAD = {"account": 7, "nonce": "12", "expires_ns": "1790000000000000000", "signature": SIGNATURE}
ORDER = {"instrument": "BTC-PERP", "side": "buy", "price": "59000.5", "amount": "1.25"}
TERMS = {
    "order_type": "market",
    "time_in_force": "fill_or_kill",
    "post_only": True,
    "slide": False,
    "reduce_only": True,
    "self_trade_prevention": "decrement",
    "max_fee_ppm": 1_000,
    "group": 9,
    "label": "mine ~",
    "session": 3,
}
ROWS = [
    {"instrument": "ETH-PERP", "side": "sell", "price": "3100.25", "amount": "2"},
    {"instrument": "BTC-PERP", "side": "sell", "price": "60000", "amount": "0.5"},
    {"instrument": "BTC-PERP", "side": "buy", "amount": "0"},
]
PLAIN: list[tuple[str, dict[str, Any]]] = [
    ("place", HEAD | ORDER),
    ("place", HEAD | ORDER | TERMS),
    ("quote", HEAD | {"quotes": ROWS}),
    ("quote", HEAD | {"quotes": ROWS, "protection": 2, "slide": True, "max_fee_ppm": 5}),
    ("cancel", HEAD | {"order": "18446744073709551615"}),
    ("cancel_all", HEAD | {"session": 255}),
]
ODD: list[Any] = [
    None, True, 0, -1, 1, 1.0, 1.5, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, 2**64,
    10**30,
    "", "0", "00", "01", "-0", "-1", "1.", ".5", "1e3", "0.0000000001", "1.000000000000000000",
    "1.0000000000000000000", "999999999999999999", "1234567890123456789", "59000.25", "0.001",
    "18446744073709551616", "99999999999999999999", "4294967295", "18446744073.709551615",
    "18446744074", "buy", "Buy", "b\u00fcy", "sell ", "limit", "cancel_both", "BTC-PERP",
    "btc-perp", "SOL-PERP", "x" * 65, "a\"b", "tab\t", "[", "{", "\x7f", "123456789",
    SIGNATURE.upper(), SIGNATURE[:-1], SIGNATURE + "0",
    [], {}, [1], {"a": 1}, [ROWS[0], ROWS[0]], [ROWS[0]] * 33,
]  # fmt: skip


class Reader:
    """Both ways to read a request, over the instruments of one floor."""

    def __init__(self) -> None:
        floor = Floor(Kernel, GRIDS)
        self.models = ReadModels(floor.engine)
        for underlying in range(1, len(GRIDS) + 1):
            (listed,) = floor.require(ListInstrument(underlying, InstrumentKind.PERPETUAL))
            for event in decode_events(listed.events):
                self.models.instruments.add(floor.engine, event)  # type: ignore[arg-type]
        self.ordinary = OrdinaryRequests(self.models.instruments)

    def slowly(self, frame: bytes) -> tuple[Any, ...] | None:
        """What the session makes of a signed method, member by member; None if it refuses it."""
        try:
            request = decode_request(frame)
            if request.method not in ACTIONS:
                return None
            schema, convert = ACTIONS[request.method]
            params = decode_params(request.params, schema)
            command = convert(params, self.models)
            signature = bytes.fromhex(params.signature[2:])
            body = canonical_body(command, params.session, signature)
        except Refused:
            return None
        rows = [
            (self.models.instruments.named(row.instrument).number, row.side == "sell")
            for row in (params.quotes if isinstance(command, QuoteBatch) else [])
        ]
        instrument = getattr(command, "instrument", 0)
        return type(request.id), request.id, request.method, instrument, rows, body

    def at_once(self, frame: bytes) -> tuple[Any, ...] | None:
        """What is read off the frame, in the same form."""
        read = self.ordinary.read(frame)
        if read is None:
            return None
        return int, read.id, METHODS[read.tag], read.instrument, read.rows, read.body


READER = Reader()


def frame(method: str, params: dict[str, Any], /, **changes: Any) -> bytes:
    members = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | changes
    return json.dumps(members).encode()


@pytest.mark.parametrize(("method", "params"), PLAIN)
@pytest.mark.parametrize("write", [json.dumps, lambda value: json.dumps(value, indent=1)])
def test_plain_requests_are_read_at_once(
    method: str, params: dict[str, Any], write: Callable[[Any], str]
) -> None:
    members = {"params": params, "method": method, "id": 2**53 - 1, "jsonrpc": "2.0"}
    shuffled = write(members).encode()
    assert READER.at_once(shuffled) is None, "params before their method are not"
    members["params"] = members.pop("params")
    plain = write(members).encode()
    assert READER.at_once(plain) == READER.slowly(plain) is not None


@pytest.mark.parametrize(("method", "params"), PLAIN)
def test_odd_members_are_read_as_the_slow_way_reads_them(
    method: str, params: dict[str, Any]
) -> None:
    known: set[str] = {*HEAD, *ORDER, *TERMS, "quotes", "order", "protection", "more"}
    for name in sorted(known):
        assert_agree(frame(method, {k: v for k, v in params.items() if k != name}))
        for odd in ODD:
            assert_agree(frame(method, params | {name: odd}))
            if method == "quote":
                rows = [ROWS[0] | {name: odd}, *ROWS[1:]]
                assert_agree(frame(method, params | {"quotes": rows}))
    for odd in ODD:
        for name in ("jsonrpc", "id", "method", "params", "more"):
            assert_agree(frame(method, params, **{name: odd}))


@settings(max_examples=600)
@given(st.sampled_from(PLAIN), st.randoms(use_true_random=False))
def test_spoiled_requests_are_read_as_the_slow_way_reads_them(
    plain: tuple[str, dict[str, Any]], random: Random
) -> None:
    for spoiled in spoil(frame(*plain), random):
        assert_agree(spoiled)


def spoil(data: bytes, random: Random) -> Iterator[bytes]:
    """Yield a request with bytes changed, left out, put in, doubled or cut off."""
    place, length = random.randrange(len(data)), random.randrange(1, 30)
    byte = bytes((random.choice((*b'"{}[],:.0159-+eE\\ \n\t', random.randrange(256))),))
    piece = data[place : place + length]
    yield data[:place] + byte + data[place + 1 :]
    yield data[:place] + byte + data[place:]
    yield data[:place] + data[place + length :]
    yield data[:place] + piece + data[place:]
    yield data[:place]
    yield data + byte
    yield byte + data
    names = (*HEAD, *ORDER, "jsonrpc", "id", "method", "quotes")
    name = random.choice(names).encode()
    yield data.replace(b'"%s"' % name, b'"%s"' % random.choice(names).encode(), 1)
    yield data.replace(b'"%s":' % name, b'"%s":1,"%s":' % (name, name), 1)


def assert_agree(data: bytes) -> None:
    at_once = READER.at_once(data)
    assert at_once is None or at_once == READER.slowly(data), data


def test_a_request_that_is_too_long_is_left_to_the_slow_way() -> None:
    plain = frame("place", HEAD | ORDER)
    padded = plain + b" " * (FRAME_BYTES_MAX - len(plain))
    assert READER.at_once(padded) == READER.slowly(padded) is not None
    assert READER.at_once(padded + b" ") is READER.slowly(padded + b" ") is None


def test_a_released_instrument_is_left_to_the_slow_way() -> None:
    reader = Reader()
    plain = frame("place", HEAD | ORDER)
    assert reader.at_once(plain) is not None
    number = reader.models.instruments.named("BTC-PERP").number
    reader.models.instruments.released(InstrumentReleased(number, 1, 0))
    assert reader.at_once(plain) is reader.slowly(plain) is None
