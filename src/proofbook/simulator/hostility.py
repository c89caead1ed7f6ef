"""Ways to spoil a command or its bytes."""

from dataclasses import fields, replace
from random import Random
from typing import Any

from proofbook.protocol.commands import (
    AcceptQuote,
    BlockTrade,
    ComboLeg,
    Command,
    CreateCombo,
    Leg,
    OracleCommand,
    RfqQuote,
    SetParameters,
    SetTerms,
    SetUnderlying,
    VolSurface,
)
from proofbook.protocol.entry import HEAD, LENGTH
from proofbook.protocol.terms import MarginParameters

EXTREMES = (
    0,
    1,
    2,
    3,
    255,
    256,
    (1 << 16) - 1,
    1 << 24,
    (1 << 31) - 1,
    (1 << 32) - 1,
    1 << 40,
    1 << 60,
    (1 << 64) - 1,
)

WIDTHS_BITS = {
    "account": 32, "subaccount": 32, "token": 8, "amount_atoms": 64, "nonce": 64, "expires_ns": 64,
    "instrument": 32, "price_ticks": 32, "lots": 64, "group": 16, "max_fee_ppm": 32, "order": 64,
    "target": 32, "max_cost_atoms": 63,
    "protection": 8, "interval_ns": 64, "frozen_ns": 64, "limit_nanos": 64, "deadline_ns": 64,
    "underlying": 32, "published_ns": 64, "expiry": 32, "cursor": 32, "expiry_ns": 64,
    "price_atoms": 64,
    "strike_atoms": 64, "recipient": 32, "session": 8, "actions": 32, "markets": 64,
    "notional_cap_atoms": 64, "session_expires_ns": 64, "schedule": 32, "version": 32,
    "perpetual_maker_ppm": 32, "option_taker_ppm": 32,
    "trigger": 64, "trigger_ticks": 32,
    "publisher": 8, "quorum": 32, "strike_step_atoms": 64, "tick_atoms": 64, "lot_nanos": 64,
    "lots_min": 64, "lots_max": 64, "block_lots_min": 64, "maker_fee_ppm": 32, "taker_fee_ppm": 32,
    "band_ppm": 32, "speed_bump_ms": 32, "auction_interval_ms": 32, "haircut_ppm": 32,
    "cap_atoms": 64,
    "taker": 32, "maker_account": 32, "maker_nonce": 64, "maker_session": 8,
    "beta_ppm": 32, "concentration_ppm": 32, "concentration_nanos": 64,
    **{parameter.name: 32 for parameter in fields(MarginParameters)},
}  # fmt: skip


def corrupt_command(random: Random, command: Command) -> Command:
    """Return the command with one integer field at an extreme or off by one.

    Nonces only fall: an extreme one would be honoured and end the account's stream.
    """
    if isinstance(command, OracleCommand) and random.random() < 0.3:
        return reorder_publishers(random, command)
    if isinstance(command, AcceptQuote) and random.random() < 0.6:
        return replace(command, quote=corrupt_terms(random, command.quote))
    if isinstance(command, CreateCombo) and random.random() < 0.6:
        return replace(command, legs=corrupt_combo(random, command.legs))
    if isinstance(command, SetTerms) and random.random() < 0.6:
        return replace(command, terms=corrupt_terms(random, command.terms))
    if isinstance(command, SetUnderlying) and random.random() < 0.4:
        return replace(command, margin=corrupt_terms(random, command.margin))
    if isinstance(command, SetParameters) and random.random() < 0.6:
        return replace(command, parameters=corrupt_terms(random, command.parameters))
    return corrupt_terms(random, command)


def corrupt_terms(random: Random, terms: Any) -> Any:
    """Return a command, or what stands in one, with a field at an extreme or off by one."""
    if isinstance(terms, RfqQuote | BlockTrade) and random.random() < 0.4:
        return replace(terms, legs=corrupt_legs(random, terms.legs))
    names = [
        member.name
        for member in fields(terms)
        if member.name in WIDTHS_BITS and isinstance(getattr(terms, member.name), int)
    ]
    name = random.choice(names)
    value = getattr(terms, name) + random.choice((1, -1))
    if name.endswith("nonce"):
        value = random.choice((0, max(1, value - 300), value))
    elif random.random() < 0.8:
        value = random.choice(EXTREMES)
    return replace(terms, **{name: value & (1 << WIDTHS_BITS[name]) - 1})


def corrupt_legs(random: Random, legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """Return legs with one of them changed, or in another order, or too many of them."""
    place = random.randrange(len(legs))
    leg = legs[place]
    match random.randrange(5):
        case 0:
            leg = replace(leg, instrument=random.choice((0, 1 << 16 | leg.instrument, 99)))
        case 1:
            leg = replace(leg, price_ticks=random.choice((0, 1, (1 << 24) - 1, 1 << 24)))
        case 2:
            extremes = (0, (1 << 40) - 1, -(1 << 40), (1 << 63) - 1, -(1 << 63))
            leg = replace(leg, taker_lots=random.choice(extremes))
        case 3:
            return legs[::-1] if len(legs) > 1 else ()
        case _:
            return legs * random.randrange(1, 5)
    return (*legs[:place], leg, *legs[place + 1 :])


def corrupt_combo(random: Random, legs: tuple[ComboLeg, ...]) -> tuple[ComboLeg, ...]:
    """Return legs with one of them changed, or in another order, or too few or many of them."""
    place = random.randrange(len(legs))
    leg = legs[place]
    match random.randrange(4):
        case 0:
            leg = replace(leg, instrument=random.choice((0, 1 << 16 | leg.instrument, 99)))
        case 1:
            leg = replace(leg, ratio=random.choice((0, -1, 2, 1_000, 1_001, -1_001, -(1 << 63))))
        case 2:
            return legs[::-1]
        case _:
            return legs * random.randrange(4)
    return (*legs[:place], leg, *legs[place + 1 :])


def reorder_publishers(random: Random, command: OracleCommand) -> OracleCommand:
    """Return the command with its publishers in another order, or one of them twice."""
    name = "signatures" if isinstance(command, VolSurface) else "observations"
    rows = list(getattr(command, name))
    rows = [*rows, random.choice(rows)] if random.random() < 0.5 else rows[::-1]
    return replace(command, **{name: tuple(rows)})


def corrupt_bytes(random: Random, data: bytes) -> bytes:
    """Return an entry with a byte flipped, cut off or added, or with its stamp moved."""
    spoiled = bytearray(data)
    match random.randrange(5):
        case 0:
            spoiled[random.randrange(HEAD.size, len(spoiled))] ^= 1 << random.randrange(8)
        case 1:
            del spoiled[random.randrange(HEAD.size, len(spoiled)) :]
            LENGTH.pack_into(spoiled, 0, len(spoiled) - LENGTH.size)
        case 2:
            spoiled += random.randbytes(random.randrange(1, 9))
            LENGTH.pack_into(spoiled, 0, len(spoiled) - LENGTH.size)
        case 3:
            spoiled[HEAD.size] = random.randrange(256)
        case _:
            length, window_ns, received_ns = HEAD.unpack_from(spoiled)
            back_ns = random.choice((0, 1, 10**6, 10**10))
            HEAD.pack_into(
                spoiled, 0, length, window_ns - back_ns, received_ns + random.choice((0, 10**6))
            )
    return bytes(spoiled)
