"""The bytes of state 0: a sound genesis reads back, everything else is refused by name."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.strategies import EXAMPLES, FEW_EXAMPLES

from proofbook.protocol.commands import Malformed
from proofbook.protocol.genesis import HEAD, TOKEN, UNDERLYING, Genesis, UnderlyingGrid
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, FEE_PPM_MAX, INDEX_ATOMS_MAX
from proofbook.protocol.parameters import PARAMETERS_MAX
from proofbook.protocol.terms import (
    LOT_NANOS_MAX,
    MARGIN_TERMS,
    PARAMETERS,
    TERMS,
    TICK_ATOMS_MAX,
    TICK_TABLE,
    MarginParameters,
    MarginTerms,
    Terms,
    TokenTerms,
)

GRID = UnderlyingGrid(
    "BTC",
    1,
    1_000_000_000,
    Terms(100_000, 100_000, 1, 2),
    Terms(100_000, 100_000, 3, 4, band_ppm=5, lots_min=6, lots_max=7, block_lots_min=8),
    Terms(100_000, 10_000_000, 9, 10),
    ((100, 5),),
)
WETH = TokenTerms("WETH", 1, 9, 50_000, 10**12)
GENESIS = Genesis(7, b"\x01" * 20, b"\x02" * 20, (b"\x03" * 20, b"\x04" * 20), (GRID,), (WETH,))
PUBLISHERS_AT = HEAD.size + PARAMETERS.size
SYMBOL_AT = PUBLISHERS_AT + 1 + 2 * 20 + 1


@EXAMPLES
@given(strategies.geneses())
def test_genesis_reads_back_as_written(genesis: Genesis) -> None:
    assert Genesis.decode(genesis.encode()) == genesis


@FEW_EXAMPLES
@given(strategies.geneses(), st.binary(min_size=1, max_size=4))
def test_genesis_cut_off_or_followed_by_bytes_is_refused(genesis: Genesis, tail: bytes) -> None:
    data = genesis.encode()
    for size in range(len(data)):
        with pytest.raises(Malformed):
            Genesis.decode(data[:size])
    with pytest.raises(Malformed, match="after the genesis"):
        Genesis.decode(data + tail)


@EXAMPLES
@given(strategies.geneses(), st.data())
def test_spoiled_genesis_is_refused_or_encodes_to_itself(
    genesis: Genesis, data: st.DataObject
) -> None:
    spoiled = bytearray(genesis.encode())
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(strategies.U8)
    try:
        read = Genesis.decode(bytes(spoiled))
    except Malformed:
        return
    assert read.encode() == bytes(spoiled)


@pytest.mark.parametrize("version", [0, 2, 0xFFFF_FFFF])
def test_genesis_of_another_protocol_is_refused(version: int) -> None:
    with pytest.raises(Malformed, match=f"protocol version {version}"):
        Genesis.decode(replace(GENESIS, protocol_version=version).encode())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strike_step_atoms": 0}, "strike step"),
        ({"strike_step_atoms": INDEX_ATOMS_MAX + 1}, "strike step"),
        ({"quorum": 0}, "quorum 0 is not within 1 to 7"),
        ({"quorum": 8}, "quorum 8 is not within 1 to 7"),
        ({"quorum": 3}, "quorum 3 of 2"),
        ({"tick_table": ((5, 1), (5, 2))}, "tick table"),
        ({"tick_table": ((5, 0),)}, "tick table"),
        ({"margin": MarginTerms(beta_ppm=1_000_001)}, "beta"),
        ({"margin": MarginTerms(concentration_ppm=10_000_001)}, "concentration"),
        ({"tick_table": ((0, 5),)}, "tick table"),
        ({"tick_table": ((1 << 24, 5),)}, "tick table"),
    ],
)
def test_unsound_grid_is_refused(change: dict[str, Any], message: str) -> None:
    unsound = replace(GENESIS, underlyings=(replace(GRID, **change),))
    for refuse in (unsound.require_sound, lambda: Genesis.decode(unsound.encode())):
        with pytest.raises(Malformed, match=message):
            refuse()


@pytest.mark.parametrize("kind", ["perpetual", "future", "option"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tick_atoms": 0}, "out of range"),
        ({"tick_atoms": TICK_ATOMS_MAX + 1}, "out of range"),
        ({"lot_nanos": 0}, "out of range"),
        ({"lot_nanos": LOT_NANOS_MAX + 1}, "out of range"),
        ({"tick_atoms": 1, "lot_nanos": 10**9 - 1}, "no whole number"),
        ({"maker_fee_ppm": FEE_PPM_MAX + 1}, "fees"),
        ({"taker_fee_ppm": FEE_PPM_MAX + 1}, "fees"),
        ({"band_ppm": 10_000_001}, "band"),
        ({"lots_min": 0}, "sizes"),
        ({"lots_min": 9, "lots_max": 8}, "sizes"),
        ({"lots_max": 1 << 40}, "sizes"),
        ({"block_lots_min": 0}, "least block"),
        ({"block_lots_min": 1 << 40}, "least block"),
    ],
)
def test_unsound_terms_are_refused(kind: str, change: dict[str, int], message: str) -> None:
    terms = replace(getattr(GRID, kind), **change)
    unsound = replace(GENESIS, underlyings=(replace(GRID, **{kind: terms}),))
    for refuse in (unsound.require_sound, lambda: Genesis.decode(unsound.encode())):
        with pytest.raises(Malformed, match=message):
            refuse()


@pytest.mark.parametrize(
    "parameters",
    [
        *[
            MarginParameters(**{name: largest + 1})
            for name, largest in asdict(PARAMETERS_MAX).items()
        ],
        MarginParameters(initial_factor_ppm=999_999, maintenance_factor_ppm=1_000_000),
    ],
    ids=str,
)
def test_unsound_margin_parameters_are_refused(parameters: MarginParameters) -> None:
    with pytest.raises(Malformed, match="margin parameter"):
        Genesis.decode(replace(GENESIS, parameters=parameters).encode())


def test_genesis_without_publishers_or_underlyings_is_refused() -> None:
    for change in ({"publishers": ()}, {"underlyings": ()}):
        with pytest.raises(Malformed, match="no publishers or no underlyings"):
            Genesis.decode(replace(GENESIS, **change).encode())


@pytest.mark.parametrize(
    ("publishers", "message"),
    [
        ((b"\x03" * 20, bytes(20)), "the zero address"),
        ((b"\x03" * 20, b"\x04" * 20, b"\x03" * 20), "one key for two"),
    ],
)
def test_publishers_that_are_nobody_or_one_are_refused(
    publishers: tuple[bytes, ...], message: str
) -> None:
    with pytest.raises(Malformed, match=message):
        Genesis.decode(replace(GENESIS, publishers=publishers).encode())


def test_genesis_over_the_limit_of_publishers_or_underlyings_is_refused() -> None:
    many = replace(GENESIS, publishers=(bytes(20),) * 17)
    with pytest.raises(Malformed, match="list of 17, at most 16"):
        Genesis.decode(many.encode())
    many = replace(GENESIS, underlyings=(GRID,) * 33)
    with pytest.raises(Malformed, match="list of 33, at most 32"):
        Genesis.decode(many.encode())


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ((replace(WETH, underlying=0),), "underlying 0 of 1"),
        ((replace(WETH, underlying=2),), "underlying 2 of 1"),
        ((replace(WETH, decimals=10),), "10 decimals, not 6 to 9"),
        ((replace(WETH, decimals=5),), "5 decimals, not 6 to 9"),
        ((replace(WETH, haircut_ppm=1_000_001),), "haircut"),
        ((replace(WETH, cap_atoms=AMOUNT_ATOMS_MAX + 1),), "cap"),
        ((WETH, WETH), "one symbol for two tokens"),
        ((replace(WETH, symbol="USDC"),), "one symbol for two tokens"),
        ((replace(WETH, symbol="weth"),), "symbol"),
        (tuple(replace(WETH, symbol=f"W{place}A") for place in range(4)), "list of 4, at most 3"),
    ],
)
def test_unsound_tokens_are_refused(tokens: tuple[TokenTerms, ...], message: str) -> None:
    data = replace(GENESIS, tokens=tokens).encode()
    with pytest.raises(Malformed, match=message):
        Genesis.decode(data)


@pytest.mark.parametrize(
    "symbol",
    [b"", b"btc", b"B TC", b"B\x00TC", b"\x00BTC", b"123", b"BT\xc3\x9c", b"BTC-", b"\xff"],
)
def test_symbol_that_is_not_capital_letters_and_digits_is_refused(symbol: bytes) -> None:
    data = bytearray(GENESIS.encode())
    data[SYMBOL_AT : SYMBOL_AT + 8] = symbol.ljust(8, b"\0")
    with pytest.raises(Malformed, match="symbol"):
        Genesis.decode(bytes(data))


def test_genesis_has_the_layout_of_the_reference() -> None:
    data = GENESIS.encode()
    underlying_bytes = UNDERLYING.size + 3 * TERMS.size + TICK_TABLE.size + MARGIN_TERMS.size
    head_bytes = 4 + 8 + 32 + 20 + 20 + PARAMETERS.size + 1 + 2 * 20
    assert len(data) == head_bytes + 1 + underlying_bytes + 1 + TOKEN.size
    assert data[:12] == b"\x01\x00\x00\x00" + (7).to_bytes(8, "little")
    assert data[PUBLISHERS_AT : PUBLISHERS_AT + 21] == b"\x02" + b"\x03" * 20
    assert data[-TOKEN.size :] == (
        b"WETH" + bytes(4) + b"\x01\x00\x00\x00" + b"\x09" + (50_000).to_bytes(4, "little")
        + (10**12).to_bytes(8, "little")
    )  # fmt: skip
    assert data[SYMBOL_AT : SYMBOL_AT + 12] == b"BTC" + bytes(5) + b"\x01\x00\x00\x00"
