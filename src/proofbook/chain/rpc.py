"""JSON-RPC over HTTP, twice: `Rpc` waits, `AsyncRpc` awaits; what they send and read is shared."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import httpx

from proofbook.chain.abi import Function, LogEvent
from proofbook.chain.contracts import ERRORS
from proofbook.chain.errors import (
    AnswerUnexpected,
    ChainRefused,
    ChainUnreachable,
    TransactionReverted,
)

TIMEOUT_SECONDS = 30.0
BATCH_CALLS_MAX = 100  # calls in one HTTP request: what public nodes accept
LOG_BLOCKS_MAX = 10_000  # blocks in one eth_getLogs: what public nodes accept
NOTHING_TO_READ = httpx.ByteStream(b"")
"""In place of the stream of an answer that was read: the two refer to each other, and several a
second would wait for Python's collector."""

BlockTag = int | str


class Request(NamedTuple):
    """One call of a method of the node."""

    method: str
    params: tuple[Any, ...] = ()


class Log(NamedTuple):
    """One event as a node gives it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    log_index: int
    transaction_hash: bytes


def from_hex(text: str) -> bytes:
    """Return the bytes that `0x…` stands for. Raises ValueError."""
    if not text.startswith("0x"):
        raise ValueError(f"{text[:20]!r} does not begin with 0x")
    return bytes.fromhex(text[2:])


def decode_bytes(method: str, answer: Any) -> bytes:
    """Return the bytes that a node gave. Raises AnswerUnexpected."""
    try:
        return from_hex(answer)
    except (ValueError, AttributeError) as error:
        raise AnswerUnexpected(method, answer) from error


def decode_quantity(method: str, answer: Any) -> int:
    """Return the number of 64 bits that a node gave. Raises AnswerUnexpected."""
    is_hex = isinstance(answer, str) and answer.startswith("0x")
    try:
        number = int(answer, 16) if is_hex else -1
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise AnswerUnexpected(method, answer)
    return number


def to_hex(value: bytes | int) -> str:
    """Return bytes, or a quantity, as nodes want them."""
    return hex(value) if isinstance(value, int) else "0x" + value.hex()


def block_tag(block: BlockTag) -> str:
    return hex(block) if isinstance(block, int) else block


def view_request(
    contract: bytes, function: Function, arguments: Sequence[Any], block: BlockTag
) -> Request:
    """Return the request that asks a contract's view."""
    call = {"to": to_hex(contract), "data": to_hex(function.encode(*arguments))}
    return Request("eth_call", (call, block_tag(block)))


def decode_view(function: Function, answer: Any) -> Any:
    """Return a view's result.

    Raises AnswerUnexpected, which is also what an address without code gives.
    """
    try:
        return function.decode_result(from_hex(answer))
    except (ValueError, TypeError, AttributeError) as error:
        raise AnswerUnexpected(f"view {function.name}", answer) from error


def log_requests(
    contract: bytes, events: Sequence[LogEvent], first_block: int, last_block: int
) -> Iterator[Request]:
    """Yield the requests that together cover the blocks, both ends included."""
    for start in range(first_block, last_block + 1, LOG_BLOCKS_MAX):
        end = min(start + LOG_BLOCKS_MAX - 1, last_block)
        topics = [to_hex(event.topic) for event in events]
        yield Request(
            "eth_getLogs",
            (
                {
                    "address": to_hex(contract),
                    "topics": [topics],
                    "fromBlock": hex(start),
                    "toBlock": hex(end),
                },
            ),
        )


def decode_log(row: dict[str, Any]) -> Log:
    """Return a node's log. Raises AnswerUnexpected."""
    try:
        return Log(
            from_hex(row["address"]),
            tuple(from_hex(topic) for topic in row["topics"]),
            from_hex(row["data"]),
            int(row["blockNumber"], 16),
            int(row["logIndex"], 16),
            from_hex(row["transactionHash"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnswerUnexpected("eth_getLogs", row) from error


def decode_logs(found: Sequence[Any]) -> list[Log]:
    """Return the logs of several answers, in their order. Raises AnswerUnexpected."""
    for rows in found:
        if not isinstance(rows, list):
            raise AnswerUnexpected("eth_getLogs", rows)
    return [decode_log(row) for rows in found for row in rows]


def decode_event(log: Log, events: Sequence[LogEvent]) -> Any:
    """Return the record of a log that is one of the events. Raises AnswerUnexpected."""
    for event in events:
        if log.topics and log.topics[0] == event.topic:
            try:
                return event.decode(log.topics, log.data)
            except ValueError as error:
                raise AnswerUnexpected("eth_getLogs", log) from error
    raise AnswerUnexpected("eth_getLogs", log)


def _bodies(requests: Sequence[Request]) -> list[dict[str, Any]]:
    return [
        {"jsonrpc": "2.0", "id": number, "method": request.method, "params": list(request.params)}
        for number, request in enumerate(requests)
    ]


def _results(requests: Sequence[Request], answer: Any) -> list[Any]:
    """Return results in the order of the requests. Raises for the first that failed."""
    objects = [cast(dict[str, Any], row) for row in _rows(answer) if isinstance(row, dict)]
    by_id = {row["id"]: row for row in objects if "id" in row}
    results: list[Any] = []
    for number, request in enumerate(requests):
        row = by_id.get(number)
        if row is None:
            raise AnswerUnexpected(request.method, answer)
        if "error" in row:
            raise _fault(request.method, row["error"])
        results.append(row.get("result"))
    return results


def _rows(answer: Any) -> list[Any]:
    return cast(list[Any], answer) if isinstance(answer, list) else [answer]


def _fault(method: str, error: Any) -> Exception:
    """Return the typed fault for a JSON-RPC error."""
    if not isinstance(error, dict):
        return AnswerUnexpected(method, error)
    said = cast(dict[str, Any], error)
    message, data, code = str(said.get("message", "")), said.get("data"), said.get("code")
    if not isinstance(code, int):  # some nodes leave it out
        code = 0
    if isinstance(data, dict):  # some nodes wrap it once more
        data = cast(dict[str, Any], data).get("data")
    is_revert = "revert" in message.lower()
    if isinstance(data, str) and data.startswith("0x") and (is_revert or len(data) > 2):
        try:
            revert = from_hex(data)
        except ValueError:
            return ChainRefused(method, code, message)
        return TransactionReverted(ERRORS.decode(revert), revert, message)
    if is_revert:
        return TransactionReverted(None, b"", message)
    return ChainRefused(method, code, message)


def _json(url: str, response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise ChainUnreachable(url, f"HTTP {response.status_code}, no JSON") from error
    finally:
        response.stream = NOTHING_TO_READ


class Rpc:
    """A node, asked one thing after the other."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url
        self._http = httpx.Client(timeout=timeout_seconds, trust_env=False)

    def __enter__(self) -> "Rpc":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, *params: Any) -> Any:
        """Return a method's result. Raises ChainFault."""
        return self.batch([Request(method, params)])[0]

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results of many requests, in their order. Raises ChainFault."""
        results: list[Any] = []
        for start in range(0, len(requests), BATCH_CALLS_MAX):
            part = requests[start : start + BATCH_CALLS_MAX]
            try:
                bodies = _bodies(part)
                response = self._http.post(self.url, json=bodies if len(part) > 1 else bodies[0])
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ChainUnreachable(self.url, str(error) or type(error).__name__) from error
            results += _results(part, _json(self.url, response))
        return results

    def view(
        self, contract: bytes, function: Function, *arguments: Any, block: BlockTag = "latest"
    ) -> Any:
        """Return what a view of a contract says. Raises ChainFault."""
        return self.views([(contract, function, arguments)], block)[0]

    def views(
        self,
        calls: Sequence[tuple[bytes, Function, Sequence[Any]]],
        block: BlockTag = "latest",
    ) -> list[Any]:
        """Return what many views say, at one block. Raises ChainFault."""
        answers = self.batch([view_request(*call, block) for call in calls])
        return [
            decode_view(function, answer)
            for (_, function, _), answer in zip(calls, answers, strict=True)
        ]

    def logs(
        self, contract: bytes, events: Sequence[LogEvent], first_block: int, last_block: int
    ) -> list[Log]:
        """Return the logs of these events in their order. Raises ChainFault."""
        found = self.batch(list(log_requests(contract, events, first_block, last_block)))
        return decode_logs(found)

    def code(self, contract: bytes, block: BlockTag = "latest") -> bytes:
        """Return the code at an address, empty if there is none. Raises ChainFault."""
        answer = self.call("eth_getCode", to_hex(contract), block_tag(block))
        return decode_bytes("eth_getCode", answer)

    def block_number(self) -> int:
        return decode_quantity("eth_blockNumber", self.call("eth_blockNumber"))

    def chain_id(self) -> int:
        return decode_quantity("eth_chainId", self.call("eth_chainId"))


class AsyncRpc:
    """The same node for an event loop."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url
        self._http = httpx.AsyncClient(timeout=timeout_seconds, trust_env=False)

    async def __aenter__(self) -> "AsyncRpc":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, *params: Any) -> Any:
        """Return a method's result. Raises ChainFault."""
        return (await self.batch([Request(method, params)]))[0]

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results of many requests, in their order. Raises ChainFault."""
        results: list[Any] = []
        for start in range(0, len(requests), BATCH_CALLS_MAX):
            part = requests[start : start + BATCH_CALLS_MAX]
            bodies = _bodies(part)
            try:
                response = await self._http.post(
                    self.url, json=bodies if len(part) > 1 else bodies[0]
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ChainUnreachable(self.url, str(error) or type(error).__name__) from error
            results += _results(part, _json(self.url, response))
        return results

    async def view(
        self, contract: bytes, function: Function, *arguments: Any, block: BlockTag = "latest"
    ) -> Any:
        """Return what a view of a contract says. Raises ChainFault."""
        return (await self.views([(contract, function, arguments)], block))[0]

    async def views(
        self,
        calls: Sequence[tuple[bytes, Function, Sequence[Any]]],
        block: BlockTag = "latest",
    ) -> list[Any]:
        """Return what many views say, at one block. Raises ChainFault."""
        answers = await self.batch([view_request(*call, block) for call in calls])
        return [
            decode_view(function, answer)
            for (_, function, _), answer in zip(calls, answers, strict=True)
        ]

    async def logs(
        self, contract: bytes, events: Sequence[LogEvent], first_block: int, last_block: int
    ) -> list[Log]:
        """Return the logs of these events in their order. Raises ChainFault."""
        found = await self.batch(list(log_requests(contract, events, first_block, last_block)))
        return decode_logs(found)

    async def block_number(self) -> int:
        return decode_quantity("eth_blockNumber", await self.call("eth_blockNumber"))

    async def chain_id(self) -> int:
        return decode_quantity("eth_chainId", await self.call("eth_chainId"))
