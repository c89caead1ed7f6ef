"""The watcher of deposits believes a node only when it shows every request."""

import asyncio
import time
from typing import Any, cast

import pytest

from proofbook.chain.abi import encode_arguments
from proofbook.chain.contracts import REQUEST_QUEUED_EVENT
from proofbook.chain.errors import LogNotFound
from proofbook.chain.rpc import AsyncRpc, Log
from proofbook.protocol.commands import Command, Deposit, UnreadableRequest
from proofbook.protocol.entry import command_bytes
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.deposits import DepositWatcher

INBOX = b"\x11" * 20


def deposit_number(index: int) -> Deposit:
    return Deposit(3 + index, b"\x05" * 20, 0, 0, 7)


REQUEST = command_bytes(deposit_number(1))


def log_of(index: int, request: bytes) -> Log:
    """Return the event of a request that was queued in the block of its number."""
    data = encode_arguments(("bytes", "bytes32"), (request, bytes(32)))
    topics = (REQUEST_QUEUED_EVENT.topic, index.to_bytes(32, "big"))
    return Log(INBOX, topics, data, index, 0, bytes(32))


class Node:
    """A node whose inbox holds three requests, one a block, and which hides some of the logs."""

    def __init__(self) -> None:
        self.hidden: set[int] = set()
        self.instead: dict[int, bytes] = {}
        self.block = 2

    async def call(self, method: str, tag: str, _: bool) -> dict[str, str]:
        assert (method, tag) == ("eth_getBlockByNumber", "latest")
        return {"number": hex(self.block), "timestamp": hex(12 * self.block)}

    async def view(self, *_: Any, block: int | None = None) -> int:
        return 1 + (self.block if block is None else block)

    async def logs(self, _: bytes, __: Any, first_block: int, last_block: int) -> list[Log]:
        shown = range(first_block, last_block + 1)
        return [
            log_of(index, self.instead.get(index, command_bytes(deposit_number(index))))
            for index in shown
            if index not in self.hidden
        ]


class Venue:
    """What the watcher works on: a node, and a journal that remembers."""

    def __init__(self) -> None:
        self.node = Node()
        self.journal: list[Command] = []
        self.watcher = self.restarted()

    def restarted(self) -> DepositWatcher:
        place = Deployment(31337, b"", INBOX, b"", b"", b"", b"", b"", 0, 0, 1)
        rpc = cast(AsyncRpc, self.node)
        return DepositWatcher(rpc, place, lambda: len(self.journal), self.submit, time.time_ns)

    async def submit(self, command: Command) -> None:
        self.journal.append(command)


@pytest.mark.parametrize("hidden", [{0}, {1}, {2}, {0, 1, 2}])
def test_a_request_that_the_node_hides_is_not_passed_over(hidden: set[int]) -> None:
    venue = Venue()
    venue.node.hidden = hidden
    with pytest.raises(LogNotFound, match="RequestQueued"):
        asyncio.run(venue.watcher.step())
    assert venue.journal == [], "nothing goes into the journal in another's place"
    venue.node.hidden = set()
    assert asyncio.run(venue.watcher.step()) == 3, "asked again, the node shows all"
    assert venue.journal == [deposit_number(index) for index in range(3)]


@pytest.mark.parametrize("data", [b"\x0b", b"\x04" * 9, REQUEST + b"\0", REQUEST[:-1]])
def test_a_request_that_is_no_command_is_consumed_as_it_is(data: bytes) -> None:
    venue = Venue()
    venue.node.instead[1] = data
    assert asyncio.run(venue.watcher.step()) == 3, "those after it do not wait for ever"
    assert venue.journal == [deposit_number(0), UnreadableRequest(data), deposit_number(2)]


def test_a_restart_goes_on_where_the_journal_ends() -> None:
    venue = Venue()
    venue.node.block = 1
    assert asyncio.run(venue.watcher.step()) == 2
    venue.node.block = 2
    assert asyncio.run(venue.restarted().step()) == 1
    assert venue.journal == [deposit_number(index) for index in range(3)]
