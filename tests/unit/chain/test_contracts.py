"""The calls, events and errors written down in Python are those of the compiled contracts."""

from typing import Any

import pytest

from proofbook.chain import contracts
from proofbook.chain.abi import Function, LogEvent
from proofbook.settlement.deployment import artifact

CONTRACTS = ("Chain", "Inbox", "Governor", "Vault", "DevelopmentToken")
ABI: list[dict[str, Any]] = [item for name in CONTRACTS for item in artifact(name)["abi"]]


def type_of(parameter: dict[str, Any]) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(type_of, parameter['components']))}){kind.removeprefix('tuple')}"


def types_of(parameters: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(type_of(parameter) for parameter in parameters)


def members(kind: type) -> list[Any]:
    return [value for value in vars(contracts).values() if isinstance(value, kind)]


@pytest.mark.parametrize("function", members(Function), ids=lambda f: f.name)
def test_function_is_in_the_contracts(function: Function) -> None:
    compiled = {
        (item["name"], types_of(item["inputs"]), types_of(item["outputs"]))
        for item in ABI
        if item["type"] == "function"
    }
    assert (function.name, function.inputs, function.outputs) in compiled


@pytest.mark.parametrize("event", members(LogEvent), ids=lambda e: e.name)
def test_event_is_in_the_contracts(event: LogEvent) -> None:
    compiled = {
        (
            item["name"],
            types_of([p for p in item["inputs"] if p["indexed"]]),
            types_of([p for p in item["inputs"] if not p["indexed"]]),
        )
        for item in ABI
        if item["type"] == "event"
    }
    assert (event.name, event.indexed, event.plain) in compiled


def test_every_error_of_our_contracts_has_a_name() -> None:
    compiled = {
        f"{item['name']}({','.join(types_of(item['inputs']))})"
        for name in ("Chain", "Inbox", "Governor", "Vault")
        for item in artifact(name)["abi"]
        if item["type"] == "error" and not item["name"].startswith(("SafeERC20", "SafeCast"))
    }
    openzeppelin = {"FailedCall()", "InsufficientBalance(uint256,uint256)"}
    reentrancy = {"ReentrancyGuardReentrantCall()"}
    assert compiled - openzeppelin - reentrancy <= contracts.ERRORS.signatures


@pytest.mark.parametrize(
    ("name", "types"),
    [("Chain", contracts.DEPLOYMENT), ("Governor", contracts.GOVERNANCE_TERMS)],
)
def test_constructor_takes_what_is_deployed(name: str, types: tuple[str, ...]) -> None:
    (constructor,) = (i for i in artifact(name)["abi"] if i["type"] == "constructor")
    assert types_of(constructor["inputs"]) == types


def test_calldata_is_decoded_to_what_was_encoded() -> None:
    data = contracts.APPEND.encode(b"entries", b"\x01" * 32)
    assert contracts.APPEND.decode_call(data) == (b"entries", b"\x01" * 32)


@pytest.mark.parametrize("size", range(0, 100, 7))
def test_truncated_calldata_is_no_call(size: int) -> None:
    data = contracts.APPEND.encode(b"entries", b"\x01" * 32)
    assert contracts.APPEND.decode_call(data[:size]) is None


def test_calldata_of_another_function_is_no_call() -> None:
    assert contracts.CLAIM.decode_call(contracts.APPEND.encode(b"", bytes(32))) is None
