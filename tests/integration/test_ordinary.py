"""A venue that reads ordinary requests at once answers as one that reads all member by member."""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    GENESIS_NS,
    TRADER_KEYS,
    fund_and_list,
    running,
    settings,
)
from tests.set_clock import SetClock

from proofbook.api.convert import hex_text
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.meter import Meter
from proofbook.ingress.methods import decode_params
from proofbook.ingress.session import Session
from proofbook.kernel import Kernel
from proofbook.node import Node, open_node
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.sequencer.rates import KeyRates, Rate, RateLimits

NOW_NS = GENESIS_NS + 10 * NS_PER_SECOND
LATER_NS = str(NOW_NS + 60 * NS_PER_SECOND)
UNSIGNED = "0x" + "00" * 64
LIMITS = RateLimits(Rate(1, 100), Rate(1, 40), Rate(1, 40), Rate(1, 25))
TIMES = ("usIn", "usOut", "usDiff")
ROUNDS = 150


class Twins:
    """Two venues that are sent the same; only the first reads ordinary requests at once."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [self._node(folder / name) for name in ("first", "second")]
        self.sessions: list[Session] = []
        self.at_once = 0

    def _node(self, folder: Path) -> Node:
        kernel = Kernel(GENESIS, CHAIN_ID, CONTRACT)
        node = open_node(replace(settings(folder), clock=SetClock(NOW_NS)), kernel)
        node.sequencer.rates = KeyRates(LIMITS, lambda: 0)
        node.meter = Meter(LIMITS, lambda: 0)
        return node

    def open(self) -> None:
        """Let a session of each begin."""
        first, second = (node.venue for node in self.nodes)
        assert first.ordinary is not None, "a node reads ordinary requests"
        self.sessions = [Session(first, address="x")]
        self.sessions.append(Session(replace(second, ordinary=None), address="x"))
        take = self.nodes[0].sequencer.take_ordinary

        def count(command: Any) -> Any:
            answer = take(command)
            self.at_once += answer is not None
            return answer

        self.nodes[0].sequencer.take_ordinary = count  # type: ignore[method-assign]

    async def ask(self, frames: list[bytes]) -> list[dict[str, Any]]:
        """Return the replies to frames that come together: the same from both."""
        replies = [[session.receive(frame) for frame in frames] for session in self.sessions]
        first, second = [[await told(reply) for reply in row] for row in replies]
        for frame, one, other in zip(frames, first, second, strict=True):
            assert one == other, frame
        return first


async def told(reply: bytes | Awaitable[bytes]) -> dict[str, Any]:
    """Return a reply without its times."""
    members = json.loads(reply if isinstance(reply, bytes) else await reply)
    return {name: value for name, value in members.items() if name not in TIMES}


class Crowd:
    """Two traders who send what makes sense, and what does not."""

    def __init__(self, node: Node, random: Random) -> None:
        self._node = node
        self._random = random
        self._nonce = 0
        self._sent: list[bytes] = []
        self.orders: list[str] = ["1"]

    def frame(self) -> bytes:
        """Return a request, now and then one that came before, or with a byte changed."""
        random = self._random
        if self._sent and random.random() < 0.08:
            return random.choice(self._sent)
        made = random.choice((self._place, self._place, self._place, self._quote, self._cancel))
        data = self._signed(*made())
        if random.random() < 0.15:
            place = random.randrange(len(data))
            data = data[:place] + bytes((random.randrange(256),)) + data[place + 1 :]
        self._sent.append(data)
        return data

    def _place(self) -> tuple[str, dict[str, Any]]:
        random = self._random
        order = {
            "instrument": "BTC-PERP" if random.random() < 0.97 else "ETH-PERP",
            "side": random.choice(("buy", "sell")),
            "price": str(60_000 + random.randrange(-4, 5) * 100 + random.choice((0, 0, 0.5, 0.25))),
            "amount": random.choice(("0.001", "0.01", "0.0001", "0.002", "99999999")),
            "time_in_force": random.choice(("good_till_cancelled", "fill_or_kill")),
            "post_only": random.random() < 0.2,
            "slide": random.random() < 0.1,
            "reduce_only": random.random() < 0.1,
            "max_fee_ppm": random.choice((0, 1_000)),
            "label": random.choice(("", "a", "12345678")),
        }
        return "place", order

    def _quote(self) -> tuple[str, dict[str, Any]]:
        random = self._random
        shift = random.randrange(10)
        rows = [
            {"instrument": "BTC-PERP", "side": "sell", "price": f"{60_100 + shift}", "amount": "1"},
            {"instrument": "BTC-PERP", "side": "buy", "price": f"{59_900 - shift}", "amount": "1"},
        ]
        return "quote", {"quotes": rows[: random.choice((1, 2))], "slide": random.random() < 0.5}

    def _cancel(self) -> tuple[str, dict[str, Any]]:
        if self._random.random() < 0.1:
            return "cancel_all", {}
        return "cancel", {"order": self._random.choice(self.orders)}

    def _signed(self, method: str, members: dict[str, Any]) -> bytes:
        random = self._random
        self._nonce += 1
        place = random.randrange(2)
        late = str(NOW_NS - 1)
        head = {
            "account": FIRST_ACCOUNT + place if random.random() < 0.98 else 99,
            "nonce": str(self._nonce if random.random() < 0.97 else 1),
            "expires_ns": LATER_NS if random.random() < 0.97 else late,
            "session": 0 if random.random() < 0.97 else 3,
        }
        params = head | members
        signature = self._signature(method, params, place) if random.random() < 0.95 else UNSIGNED
        request = {
            "jsonrpc": "2.0",
            "id": self._nonce if random.random() < 0.95 else "text",
            "method": method,
            "params": params | {"signature": signature},
        }
        return json.dumps(request).encode()

    def _signature(self, method: str, params: dict[str, Any], place: int) -> str:
        schema, convert = ACTIONS[method]
        body = msgspec.Raw(json.dumps(params | {"signature": UNSIGNED}).encode())
        try:
            command = convert(decode_params(body, schema), self._node.models)
        except Exception:
            return UNSIGNED  # of what is refused before anybody looks at a signature
        digest = command_digest(self._node.sequencer.separator, command)
        return hex_text(TRADER_KEYS[place].sign(digest))


async def trade_twice(folder: Path) -> tuple[Twins, set[str]]:
    twins, reasons = Twins(folder), set[str]()
    async with running(twins.nodes[0]) as first, running(twins.nodes[1]) as second:
        await fund_and_list(first)
        await fund_and_list(second)
        twins.open()
        crowd = Crowd(first, random := Random(7))
        for _ in range(ROUNDS):
            for reply in await twins.ask([crowd.frame() for _ in range(random.randrange(1, 8))]):
                result = reply.get("result", {})
                rested = [result, *result.get("quotes", [])]
                crowd.orders += [row["order"] for row in rested if row.get("order")]
                reasons.add(reply["error"]["data"]["reason"] if "error" in reply else "applied")
        assert first.engine.root() == second.engine.root(), "both stand at the same state"
    return twins, reasons


def test_both_ways_answer_the_same(tmp_path: Path) -> None:
    twins, reasons = asyncio.run(trade_twice(tmp_path))
    assert twins.at_once > ROUNDS, "most requests are ordinary"
    assert reasons >= {
        "applied",
        "ACCOUNT_NOT_FOUND",
        "AMOUNT_OFF_LOT",
        "INSTRUMENT_NOT_FOUND",
        "INVALID_PARAMS",
        "MESSAGE_EXPIRED",
        "NONCE_USED",
        "ORDER_NOT_FOUND",
        "PARSE_ERROR",
        "RATE_LIMITED",
        "SESSION_NOT_FOUND",
        "SIGNATURE_INVALID",
    }, "what can be wrong was wrong"
