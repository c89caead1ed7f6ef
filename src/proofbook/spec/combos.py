"""Combos: books in which two to four instruments trade as one.

A combo's mark and columns are the sum of its legs', as they stand. Its lots are never held: a fill
gives both sides their legs. The legs after the first trade at their marks, the first for what is
left of the price, so that the legs are worth the price to the atom.
"""

from math import gcd

from proofbook.protocol.commands import ComboLeg, CreateCombo
from proofbook.protocol.events import ComboCreated, LegFilled
from proofbook.protocol.hashing import keccak
from proofbook.protocol.identifiers import instrument_id, instrument_slot
from proofbook.protocol.limits import (
    COMBO_FEE_ATOMS,
    COMBO_RATIO_MAX,
    COMBOS_MAX,
    FUND_ACCOUNT,
    LEGS_MAX,
    PRICE_TICKS_BITS,
    QUOTE_TOKEN,
    InstrumentKind,
    InstrumentState,
    Reject,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec import margin, transfers, trie
from proofbook.spec.order_terms import instrument_rejection
from proofbook.spec.positions import find_position, trade
from proofbook.spec.prices import is_combo, legs_of
from proofbook.spec.world import World

KEYS = 3
"""Tries on the way to a combo, one in the other: together they read 72 bits of a hash."""

KEY_BYTES = PRICE_TICKS_BITS // 8
NODES_PER_COMBO = KEYS * trie.PRICE_DEPTH


def create_combo(world: World, command: CreateCombo) -> Reject | None:
    """Open the book of a combo, for a fee to the fund.

    Rejects  INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED, KIND_NOT_SUPPORTED (a leg that is a combo
             itself), one leg after the other; COMBO_INVALID (legs of two underlyings, a first ratio
             that is not positive, one that is 0 or too large, ratios with a common divisor);
             INSTRUMENT_EXISTS; COMBO_LIMIT, ARENA_FULL; for the fee, as `margin.outflow_rejection`.
    """
    for leg in command.legs:
        rejection = instrument_rejection(world, leg.instrument)
        if rejection is not None:
            return rejection
        if is_combo(world.instruments[instrument_slot(leg.instrument)]):
            return Reject.KIND_NOT_SUPPORTED
    legs = [(instrument_slot(leg.instrument), leg.ratio) for leg in command.legs]
    if not _is_sound(world, legs):
        return Reject.COMBO_INVALID
    keys = keys_of(legs)
    if find(world, world.instruments[legs[0][0]].combos_root, keys):
        return Reject.INSTRUMENT_EXISTS
    rejection = _room_rejection(world) or margin.outflow_rejection(
        world, command.account, QUOTE_TOKEN, COMBO_FEE_ATOMS
    )
    if rejection is not None:
        return rejection
    slot = _open(world, legs)
    first = world.instruments.edit(legs[0][0])
    first.combos_root = _insert(world, first.combos_root, keys, slot)
    _count(world, slot, 1)
    _emit_created(world, command.legs, slot)
    transfers.pay(world, command.account, FUND_ACCOUNT, QUOTE_TOKEN, COMBO_FEE_ATOMS)
    return None


def forget(world: World, slot: int) -> None:
    """Take a combo out of the index, and out of what its legs count."""
    legs = legs_of(world.instruments[slot])
    first = world.instruments.edit(legs[0][0])
    first.combos_root = _remove(world, first.combos_root, keys_of(legs))
    _count(world, slot, -1)


def _count(world: World, slot: int, change: int) -> None:
    """Count a combo, or count it no more: all of them, and those that name a leg."""
    world.header.combos_count += change
    for leg, _ in legs_of(world.instruments[slot]):
        world.instruments.edit(leg).combos_count += change


def _room_rejection(world: World) -> Reject | None:
    if world.header.combos_count >= COMBOS_MAX:
        return Reject.COMBO_LIMIT
    has_room = world.instruments.has_room(1) and world.nodes.has_room(NODES_PER_COMBO)
    return None if has_room else Reject.ARENA_FULL


def _is_sound(world: World, legs: list[tuple[int, int]]) -> bool:
    ratios = [ratio for _, ratio in legs]
    underlyings = {world.instruments[leg].underlying for leg, _ in legs}
    is_small = all(0 < abs(ratio) <= COMBO_RATIO_MAX for ratio in ratios)
    return len(underlyings) == 1 and ratios[0] > 0 and is_small and gcd(*ratios) == 1


def keys_of(legs: list[tuple[int, int]]) -> list[int]:
    """Return where the index has a combo of these legs."""
    spare = LEGS_MAX - len(legs)
    slots, ratios = zip(*legs, *[(0, 0)] * spare, strict=True)
    data = b"".join([slot.to_bytes(4, "little") for slot in slots])
    data += b"".join([ratio.to_bytes(8, "little", signed=True) for ratio in ratios])
    digest = keccak(data)
    parts = [digest[place * KEY_BYTES :][:KEY_BYTES] for place in range(KEYS)]
    return [int.from_bytes(part, "big") for part in parts]


def find(world: World, root: int, keys: list[int]) -> int:
    """Return the slot of a combo, or 0."""
    slot = root
    for key in keys:
        slot = trie.find(world.nodes, slot, key, trie.PRICE_DEPTH)
    return slot


def _insert(world: World, root: int, keys: list[int], slot: int) -> int:
    """Put a combo into the index; return its root. Inner tries are made first."""
    key, *rest = keys
    if not rest:
        return trie.insert(world.nodes, root, key, trie.PRICE_DEPTH, slot)
    inner = trie.find(world.nodes, root, key, trie.PRICE_DEPTH)
    grown = _insert(world, inner, rest, slot)
    return root if inner else trie.insert(world.nodes, root, key, trie.PRICE_DEPTH, grown)


def _remove(world: World, root: int, keys: list[int]) -> int:
    """Take a combo that is there out of the index; return its root. Empty inner tries go."""
    key, *rest = keys
    if rest:
        inner = trie.find(world.nodes, root, key, trie.PRICE_DEPTH)
        if _remove(world, inner, rest):
            return root
    return trie.remove(world.nodes, root, key, trie.PRICE_DEPTH)


def _open(world: World, legs: list[tuple[int, int]]) -> int:
    """Make the instrument, on the terms of its coarsest leg and with the highest fees of all."""
    slot, combo = world.instruments.allocate()
    array_slot, _ = world.risk_arrays.allocate()
    assert array_slot == slot, "risk arrays are numbered like instruments"
    records = [world.instruments[leg] for leg, _ in legs]
    combo.kind = InstrumentKind.COMBO
    combo.state = InstrumentState.OPEN
    combo.underlying = records[0].underlying
    combo.expiry_ns = min((r.expiry_ns for r in records if r.expiry_ns), default=0)
    combo.active_ns = world.header.window_ns
    combo.legs_count = len(legs)
    for place, (leg, ratio) in enumerate(legs):
        combo.legs[place], combo.ratios[place] = leg, ratio
    _copy_terms(combo, max(records, key=lambda record: record.tick_value_atoms))
    combo.maker_fee_ppm = max(record.maker_fee_ppm for record in records)
    combo.taker_fee_ppm = max(record.taker_fee_ppm for record in records)
    combo.band_ppm = min(record.band_ppm for record in records)
    return slot


def _copy_terms(combo: InstrumentRecord, coarsest: InstrumentRecord) -> None:
    combo.tick_atoms = coarsest.tick_atoms
    combo.lot_nanos = coarsest.lot_nanos
    combo.tick_value_atoms = coarsest.tick_value_atoms
    combo.lots_min = coarsest.lots_min
    combo.lots_max = coarsest.lots_max
    combo.block_lots_min = coarsest.block_lots_min


def _emit_created(world: World, legs: tuple[ComboLeg, ...], slot: int) -> None:
    combo = world.instruments[slot]
    rows = [(leg.instrument, leg.ratio) for leg in legs] + [(0, 0)] * (LEGS_MAX - len(legs))
    numbers = [number for row in rows for number in row]
    identifier = instrument_id(slot, combo.generation)
    world.emit(ComboCreated(identifier, combo.underlying, combo.expiry_ns, *numbers))


def trade_position(world: World, position_slot: int, lots: int, value_atoms: int) -> None:
    """Add signed lots bought for `value_atoms` to a position; those of a combo, to its legs'."""
    position = world.positions[position_slot]
    slot, account = position.instrument, position.account
    if not is_combo(world.instruments[slot]):
        trade(world, position_slot, lots, value_atoms)
        return
    for leg, leg_lots, leg_atoms in _shares(world, slot, lots, value_atoms):
        trade(world, find_position(world, account, leg), leg_lots, leg_atoms)


def _shares(world: World, slot: int, lots: int, value_atoms: int) -> list[tuple[int, int, int]]:
    """Return lots and value of each leg: the first takes what the marks of the others leave."""
    first, *others = legs_of(world.instruments[slot])
    rows = [
        (leg, ratio * lots, ratio * lots * world.risk_arrays[leg].mark_atoms)
        for leg, ratio in others
    ]
    rest_atoms = value_atoms - sum(row[2] for row in rows)
    return [(first[0], first[1] * lots, rest_atoms), *rows]


def emit_legs(world: World, slot: int, accounts: tuple[int, int], lots: int, per_lot: int) -> None:
    """Tell what a fill of signed lots for the taker was in each leg, if it was of a combo."""
    if not is_combo(world.instruments[slot]):
        return
    taker, maker = accounts
    ratios = [ratio for _, ratio in legs_of(world.instruments[slot])]
    for ratio, (leg, _, atoms) in zip(ratios, _shares(world, slot, 1, per_lot), strict=True):
        identifier = instrument_id(leg, world.instruments[leg].generation)
        world.emit(LegFilled(identifier, taker, maker, ratio * lots, atoms))
