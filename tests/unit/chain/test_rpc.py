"""What a node answers becomes values, or faults with names."""

import json
from typing import Any

import httpx
import pytest

from proofbook.chain.abi import signature_hash
from proofbook.chain.contracts import NEXT_SEQ
from proofbook.chain.errors import (
    AnswerUnexpected,
    ChainRefused,
    ChainUnreachable,
    TransactionReverted,
)
from proofbook.chain.rpc import LOG_BLOCKS_MAX, Request, Rpc, log_requests

CONTRACT = b"\x11" * 20


def node(answer: Any) -> Rpc:
    """Return a client of a node that gives every request this answer, JSON or bytes."""
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    rpc = Rpc("http://node.invalid")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    rpc._http = httpx.Client(transport=transport)
    return rpc


def refusing(code: int, message: str, data: Any = None) -> Rpc:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return node({"jsonrpc": "2.0", "id": 0, "error": error})


def revert(signature: str, *numbers: int) -> str:
    name, _, inputs = signature.rstrip(")").partition("(")
    selector = signature_hash(name, inputs.split(","))[:4]
    return "0x" + (selector + b"".join(n.to_bytes(32, "big") for n in numbers)).hex()


def test_a_result_is_returned() -> None:
    assert node({"jsonrpc": "2.0", "id": 0, "result": "0x7a69"}).chain_id() == 31337


def test_results_of_a_batch_come_in_the_order_of_its_requests() -> None:
    rows = [{"id": 1, "result": "b"}, {"id": 0, "result": "a"}]
    assert node(rows).batch([Request("first"), Request("second")]) == ["a", "b"]


def test_a_missing_result_is_unexpected() -> None:
    with pytest.raises(AnswerUnexpected, match="second"):
        node([{"id": 0, "result": "a"}]).batch([Request("first"), Request("second")])


def test_a_custom_error_is_named_with_its_arguments() -> None:
    rpc = refusing(3, "execution reverted", revert("AppendsNotFound(uint64,uint64)", 5, 2))
    with pytest.raises(TransactionReverted) as caught:
        rpc.call("eth_call")
    assert str(caught.value.error) == "AppendsNotFound(5, 2)"
    assert caught.value.name == "AppendsNotFound"


def test_an_error_that_is_wrapped_once_more_is_named() -> None:
    data = {"data": revert("BondMismatch(uint256,uint256)", 1, 2)}
    with pytest.raises(TransactionReverted, match=r"BondMismatch\(1, 2\)"):
        refusing(-32000, "execution reverted", data).call("eth_call")


def test_an_unknown_error_shows_its_bytes() -> None:
    with pytest.raises(TransactionReverted) as caught:
        refusing(3, "execution reverted", "0x12345678").call("eth_call")
    assert caught.value.error is None
    assert caught.value.data == bytes.fromhex("12345678")
    assert caught.value.name == ""


def test_a_truncated_error_is_not_named() -> None:
    data = revert("BondMismatch(uint256,uint256)", 1)
    with pytest.raises(TransactionReverted) as caught:
        refusing(3, "execution reverted", data).call("eth_call")
    assert caught.value.error is None


def test_a_refusal_of_the_node_keeps_code_and_message() -> None:
    with pytest.raises(ChainRefused) as caught:
        refusing(-32601, "Method not found").call("eth_nothing")
    assert (caught.value.code, caught.value.message) == (-32601, "Method not found")


def test_an_answer_that_is_no_json_counts_as_no_answer() -> None:
    with pytest.raises(ChainUnreachable, match="no JSON"):
        node(b"<html>").call("eth_chainId")


def test_no_answer_is_a_fault_with_the_url() -> None:
    with Rpc("http://127.0.0.1:1") as rpc, pytest.raises(ChainUnreachable) as caught:
        rpc.chain_id()
    assert caught.value.url == "http://127.0.0.1:1"


def test_a_view_of_an_address_without_code_is_unexpected() -> None:
    with pytest.raises(AnswerUnexpected, match="nextSeq"):
        node({"id": 0, "result": "0x"}).view(CONTRACT, NEXT_SEQ)


def test_logs_are_asked_for_in_ranges_that_cover_every_block_once() -> None:
    requests = log_requests(CONTRACT, (), 5, 5 + 2 * LOG_BLOCKS_MAX)
    ranges = [(int(p["fromBlock"], 16), int(p["toBlock"], 16)) for _, (p,) in requests]
    last = 5 + 2 * LOG_BLOCKS_MAX
    assert ranges == [
        (5, 4 + LOG_BLOCKS_MAX),
        (5 + LOG_BLOCKS_MAX, 4 + 2 * LOG_BLOCKS_MAX),
        (last, last),
    ]


@pytest.mark.parametrize(
    "answer", [None, "", "0x", "zz", "-0x1", 7, True, {}, ["0x1"], hex(1 << 64)]
)
def test_a_number_that_is_none_is_unexpected(answer: Any) -> None:
    rpc = node({"jsonrpc": "2.0", "id": 0, "result": answer})
    for ask in (rpc.chain_id, rpc.block_number):
        with pytest.raises(AnswerUnexpected):
            ask()


@pytest.mark.parametrize("answer", [None, 0, "zz", "0x1", {}])
def test_code_that_is_none_is_unexpected(answer: Any) -> None:
    with pytest.raises(AnswerUnexpected, match="eth_getCode"):
        node({"jsonrpc": "2.0", "id": 0, "result": answer}).code(CONTRACT)


@pytest.mark.parametrize("answer", [None, 0, True, {}, "0x", [None], [{"address": 1}]])
def test_logs_that_are_none_are_unexpected(answer: Any) -> None:
    with pytest.raises(AnswerUnexpected, match="eth_getLogs"):
        node({"jsonrpc": "2.0", "id": 0, "result": answer}).logs(CONTRACT, (), 0, 1)


@pytest.mark.parametrize("code", [None, "x", []])
def test_an_error_whose_code_is_no_number_is_still_named(code: Any) -> None:
    answer = {"jsonrpc": "2.0", "id": 0, "error": {"code": code, "message": "too many requests"}}
    with pytest.raises(ChainRefused, match="too many requests"):
        node(answer).call("eth_chainId")
