"""What traders and publishers sign, against eth-account's digests of the same typed data."""

from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import SignableMessage, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.strategies import ADDRESSES, EXAMPLES, FEW_EXAMPLES, U32, U64

from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    CancelAll,
    ForwardCurve,
    IndexPrice,
    Place,
    RfqQuote,
    SurfaceSlice,
    TraderCommand,
    VolSurface,
)
from proofbook.protocol.eip712 import command_digest, domain_separator, oracle_digests, typed_data
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import OrderType, SelfTradePrevention, Side, TimeInForce

REFERENCE = Path(__file__).resolve().parents[3] / "docs/reference/protocol.md"
CONTRACT = bytes(range(20))
CHAIN_IDS = st.integers(1, (1 << 64) - 1)

DOMAIN_MEMBERS = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
]
INDEX_MEMBERS = [("underlying", "uint32"), ("publishedNs", "uint64"), ("priceAtoms", "uint64")]
FORWARD_MEMBERS = [
    ("underlying", "uint32"),
    ("publishedNs", "uint64"),
    ("expiriesNs", "uint64[]"),
    ("forwardsAtoms", "uint64[]"),
]
SURFACE_MEMBERS = [
    ("underlying", "uint32"),
    ("publishedNs", "uint64"),
    ("slices", "SurfaceSlice[]"),
]
SLICE_MEMBERS = [
    ("expiryNs", "uint64"),
    *((name, "int64") for name in ("a", "b", "rho", "m", "sigma")),
]


def signed_bytes(message: SignableMessage) -> bytes:
    """Return the digest that a wallet signs for a message."""
    return keccak(b"\x19" + message.version + message.header + message.body)


def members(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in pairs]


def publisher_digest(
    chain_id: int, contract: bytes, types: dict[str, list[tuple[str, str]]], message: dict[str, Any]
) -> bytes:
    """Return eth-account's digest of a struct; the first type is the one that is signed."""
    data = {
        "types": {
            "EIP712Domain": members(DOMAIN_MEMBERS),
            **{name: members(pairs) for name, pairs in types.items()},
        },
        "primaryType": next(iter(types)),
        "domain": {
            "name": "Proofbook",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": "0x" + contract.hex(),
        },
        "message": message,
    }
    return signed_bytes(encode_typed_data(full_message=data))


@pytest.mark.parametrize("kind", list(eip712.COMMAND_TYPES), ids=lambda k: k.__name__)
@EXAMPLES
@given(data=st.data(), chain_id=CHAIN_IDS, contract=ADDRESSES)
def test_digest_of_every_trader_command_is_the_wallets(
    kind: type[TraderCommand | RfqQuote], data: st.DataObject, chain_id: int, contract: bytes
) -> None:
    command = data.draw(strategies.SIGNED[kind])
    message = encode_typed_data(full_message=typed_data(chain_id, contract, command))
    assert message.header == domain_separator(chain_id, contract)
    assert command_digest(message.header, command) == signed_bytes(message)


@pytest.mark.parametrize("number", [0, 1])
def test_digest_of_extreme_orders_is_the_wallets(number: int) -> None:
    """All fields at nothing, and all at the most that they hold."""
    wide, half = number * ((1 << 64) - 1), number * ((1 << 32) - 1)
    command = Place(
        half, wide, wide, half, Side(number), half, wide, TimeInForce(number),
        bool(number), bool(number), half, bytes((255 * number,)) * 8,
        OrderType.LIMIT, SelfTradePrevention.CANCEL_MAKER, half & 0xFFFF,
    )  # fmt: skip
    message = encode_typed_data(full_message=typed_data(1, CONTRACT, command))
    assert command_digest(message.header, command) == signed_bytes(message)


@EXAMPLES
@given(strategies.index_prices(), CHAIN_IDS, ADDRESSES)
def test_digest_of_an_index_is_the_wallets(
    command: IndexPrice, chain_id: int, contract: bytes
) -> None:
    expected = [
        publisher_digest(
            chain_id,
            contract,
            {"IndexPrice": INDEX_MEMBERS},
            {
                "underlying": command.underlying,
                "publishedNs": command.published_ns,
                "priceAtoms": observation.price_atoms,
            },
        )
        for observation in command.observations
    ]
    assert oracle_digests(domain_separator(chain_id, contract), command) == expected


@FEW_EXAMPLES
@given(strategies.forward_curves(), CHAIN_IDS)
def test_digest_of_a_forward_curve_is_the_wallets(command: ForwardCurve, chain_id: int) -> None:
    expected = [
        publisher_digest(
            chain_id,
            CONTRACT,
            {"ForwardCurve": FORWARD_MEMBERS},
            {
                "underlying": command.underlying,
                "publishedNs": command.published_ns,
                "expiriesNs": list(command.expiries_ns),
                "forwardsAtoms": list(observation.forwards_atoms),
            },
        )
        for observation in command.observations
    ]
    assert oracle_digests(domain_separator(chain_id, CONTRACT), command) == expected


@FEW_EXAMPLES
@given(
    strategies.U32,
    strategies.U64,
    st.lists(strategies.slices, min_size=1, max_size=4),
    strategies.vol_surfaces(),
)
def test_digest_of_a_surface_is_the_wallets(
    underlying: int, published_ns: int, slices: list[SurfaceSlice], other: VolSurface
) -> None:
    command = VolSurface(underlying, published_ns, tuple(slices), other.signatures)
    names = [name for name, _ in SLICE_MEMBERS]
    rows = [
        dict(zip(names, (s.expiry_ns, s.a, s.b, s.rho, s.m, s.sigma), strict=True)) for s in slices
    ]
    expected = publisher_digest(
        1,
        CONTRACT,
        {"VolSurface": SURFACE_MEMBERS, "SurfaceSlice": SLICE_MEMBERS},
        {"underlying": underlying, "publishedNs": published_ns, "slices": rows},
    )
    digests = oracle_digests(domain_separator(1, CONTRACT), command)
    assert digests == [expected] * len(command.signatures), "all sign the same bytes"


def test_a_published_slice_is_signed_with_its_signs() -> None:
    """The extremes of i64, which two's complement must carry."""
    low, high = -(1 << 63), (1 << 63) - 1
    row = SurfaceSlice(1, low, high, low, high, -1)
    expected = publisher_digest(
        1,
        CONTRACT,
        {"VolSurface": SURFACE_MEMBERS, "SurfaceSlice": SLICE_MEMBERS},
        {
            "underlying": 1,
            "publishedNs": 2,
            "slices": [{"expiryNs": 1, "a": low, "b": high, "rho": low, "m": high, "sigma": -1}],
        },
    )
    separator = domain_separator(1, CONTRACT)
    assert eip712.vol_surface_digest(separator, 1, 2, (row,)) == expected


@EXAMPLES
@given(st.data(), strategies.trader_commands)
def test_digest_depends_on_chain_and_contract(data: st.DataObject, command: TraderCommand) -> None:
    digests = {
        command_digest(domain_separator(chain_id, contract), command)
        for chain_id in (1, 2)
        for contract in (CONTRACT, bytes(20))
    }
    assert len(digests) == 4


@EXAMPLES
@given(st.tuples(U32, U64, U64), st.tuples(U32, U64, U64))
def test_different_commands_have_different_digests(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    digests = [command_digest(bytes(32), CancelAll(*numbers)) for numbers in (first, second)]
    assert (digests[0] == digests[1]) == (first == second)


def test_reference_names_the_types_that_are_signed() -> None:
    text = REFERENCE.read_text()
    for type_text in (
        *eip712.COMMAND_TYPES.values(),
        eip712.INDEX_PRICE_TYPE, eip712.FORWARD_CURVE_TYPE, eip712.VOL_SURFACE_TYPE,
    ):  # fmt: skip
        assert f"\n{type_text}\n" in text, f"{type_text} is not in docs/reference/protocol.md"
