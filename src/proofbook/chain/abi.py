"""Calls, events and errors of contracts as bytes. Addresses are 20 bytes, never text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from eth_abi.codec import ABICodec
from eth_abi.decoding import AddressDecoder
from eth_abi.encoding import AddressEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals
from eth_abi.registry import registry as standard_registry

from proofbook.protocol.hashing import keccak

SELECTOR_BYTES = 4


class _BytesAddressDecoder(AddressDecoder):
    decoder_fn = staticmethod(bytes)


def _codec() -> ABICodec:
    registry = standard_registry.copy()
    registry.unregister("address")
    registry.register(BaseEquals("address"), AddressEncoder, _BytesAddressDecoder, label="address")
    return ABICodec(registry)


_CODEC = _codec()


@dataclass(frozen=True)
class Function:
    """One function of a contract."""

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @cached_property
    def selector(self) -> bytes:
        return signature_hash(self.name, self.inputs)[:SELECTOR_BYTES]

    def encode(self, *arguments: Any) -> bytes:
        """Return the calldata of a call."""
        return self.selector + _CODEC.encode(self.inputs, arguments)

    def decode_call(self, data: bytes) -> tuple[Any, ...] | None:
        """Return the arguments of calldata; None if it is no canonical call of this function."""
        if data[:SELECTOR_BYTES] != self.selector:
            return None
        try:
            return _CODEC.decode(self.inputs, data[SELECTOR_BYTES:])
        except (DecodingError, OverflowError):
            return None

    def decode_result(self, data: bytes) -> Any:
        """Return the result: the value itself if there is one, a tuple of several.

        Raises ValueError.
        """
        try:
            values = _CODEC.decode(self.outputs, data)
        except (DecodingError, OverflowError) as error:
            raise ValueError(f"no result of {self.name}: 0x{data.hex()[:64]}") from error
        return values[0] if len(values) == 1 else values


@dataclass(frozen=True)
class LogEvent:
    """One event of a contract; indexed fields come first in all of ours."""

    record: type[Any]
    indexed: tuple[str, ...]
    plain: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.record.__name__

    @cached_property
    def topic(self) -> bytes:
        return signature_hash(self.name, self.indexed + self.plain)

    def decode(self, topics: Sequence[bytes], data: bytes) -> Any:
        """Return the event as its record. Raises ValueError."""
        if len(topics) != 1 + len(self.indexed) or topics[0] != self.topic:
            raise ValueError(f"no event {self.name}")
        try:
            return self.record(
                *_CODEC.decode(self.indexed, b"".join(topics[1:])), *_CODEC.decode(self.plain, data)
            )
        except (DecodingError, OverflowError) as error:
            raise ValueError(f"no event {self.name}") from error


class ContractError(NamedTuple):
    """A custom error of a contract, by name, with its arguments."""

    name: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        shown = (f"0x{v.hex()}" if isinstance(v, bytes) else str(v) for v in self.arguments)
        return f"{self.name}({', '.join(shown)})"


class ErrorTable:
    """Errors that contracts may revert with, written as signatures and found by selector."""

    def __init__(self, signatures: Sequence[str]) -> None:
        self.signatures = frozenset(signatures)
        self._by_selector = {
            keccak(signature.encode())[:SELECTOR_BYTES]: _split(signature)
            for signature in signatures
        }

    def decode(self, data: bytes) -> ContractError | None:
        """Return the error that a revert carries, None if it is unknown."""
        name, inputs = self._by_selector.get(data[:SELECTOR_BYTES], ("", ()))
        if not name:
            return None
        try:
            return ContractError(name, _CODEC.decode(inputs, data[SELECTOR_BYTES:]))
        except (DecodingError, OverflowError):
            return None


def _split(signature: str) -> tuple[str, tuple[str, ...]]:
    name, _, rest = signature.partition("(")
    return name, tuple(filter(None, rest.removesuffix(")").split(",")))


def signature_hash(name: str, inputs: Sequence[str]) -> bytes:
    """Return the hash of `name(inputs)`: topic of an event; its first four bytes are a selector."""
    return keccak(f"{name}({','.join(inputs)})".encode())


def encode_arguments(types: Sequence[str], arguments: Sequence[Any]) -> bytes:
    """Return the bytes of a constructor's arguments."""
    return _CODEC.encode(types, arguments)
