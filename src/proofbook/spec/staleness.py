"""Stale marks: how long an instrument's observations still speak for it, and what follows after.

A mark is as fresh as the oldest observation that its kind needs. Beyond that moment it is worth an
interval that widens with its age, up to all that the core scenarios could make of it. And as soon
as publishers say another index or forward than the mark is made of, the interval reaches to what
the columns make of that: whoever brings the marks of some legs up to date, and not those of others,
makes no account richer or poorer than it is.
"""

from proofbook.protocol.limits import FRACTION_ONE_PPM, NS_PER_SECOND
from proofbook.spec.fixed_point import clamp
from proofbook.spec.payoff import payoff_of
from proofbook.spec.prices import legs_of
from proofbook.spec.scenarios import SPOT_STEPS, SPOT_STEPS_PER_RANGE, VOLATILITY_MOVES
from proofbook.spec.world import PARAMETERS_SLOT, World

UNMOVED_STEP = SPOT_STEPS.index(0)
UNMOVED_VOLATILITY = VOLATILITY_MOVES // 2

STEPS_MAX_PPM = 128 * FRACTION_ONE_PPM
"""The most steps by which a price counts as moved since a mark: five times itself, at 4 % each."""


def is_stale(world: World, slot: int) -> bool:
    """Whether the observations behind an instrument's mark, or behind that of a leg, are old."""
    legs = legs_of(world.instruments[slot]) or [(slot, 1)]
    return any(stale_share_ppm(world, leg) > 0 for leg, _ in legs)


def stale_share_ppm(world: World, slot: int) -> int:
    """Return how much of its core scenarios a mark may be off by, in ppm; 0 while it is fresh.

    Rounds up. What has never been marked has nothing that could be stale.
    """
    fresh_until_ns = world.risk_arrays[slot].fresh_until_ns
    return share_ppm(world, fresh_until_ns) if fresh_until_ns else 0


def share_ppm(world: World, fresh_until_ns: int) -> int:
    """Return how much of its core scenarios a value may be off by that was fresh so long, in ppm.

    Rounds up.
    """
    age_ns = world.header.window_ns - fresh_until_ns
    if age_ns <= 0:
        return 0
    full_ns = world.parameters[PARAMETERS_SLOT].stale_full_seconds * NS_PER_SECOND
    if age_ns >= full_ns:
        return FRACTION_ONE_PPM
    return -(-age_ns * FRACTION_ONE_PPM // full_ns)


def interval_ppm(world: World, slot: int) -> tuple[int, int]:
    """Return how far below and above its mark a lot may be worth, in 1e-6 atoms.

    (0, 0) while the mark is fresh, and made of what publishers said last.
    """
    core, share = world.risk_arrays[slot].core, stale_share_ppm(world, slot)
    moved = moved_profit_ppm(world, slot)
    return min(0, share * min(core), moved), max(0, share * max(core), moved)


def is_superseded(world: World, slot: int) -> bool:
    """Whether a mark is too far behind index, forward or surface for a position to change hands at.

    Whoever takes a position over at its mark could first bring the mark up to date, or not, as it
    suits him. So both must be of one surface, and no further apart than `superseded_ppm` of the
    price.
    """
    array, instrument = world.risk_arrays[slot], world.instruments[slot]
    marked_atoms, observed_atoms = array.observed_atoms, _observed_atoms(world, slot)
    if marked_atoms == 0 or observed_atoms == 0:
        return False
    surface_version = world.expiries[instrument.expiry].surface_version
    if payoff_of(instrument.kind).has_strike and array.surface_version != surface_version:
        return True
    superseded_ppm = world.parameters[PARAMETERS_SLOT].superseded_ppm
    moved_atoms = abs(observed_atoms - marked_atoms)
    return moved_atoms * FRACTION_ONE_PPM > marked_atoms * superseded_ppm


def moved_profit_ppm(world: World, slot: int) -> int:
    """Return what a lot has gained, in 1e-6 atoms, by the index or forward since its mark.

    Volatility unmoved, in proportion between the spot moves of its core columns, in a straight line
    beyond them; nothing after its expiry. Rounds the move down, to a ppm of what was observed.
    """
    array, range_ppm = world.risk_arrays[slot], world.parameters[PARAMETERS_SLOT].spot_range_ppm
    marked_atoms = array.observed_atoms
    if marked_atoms == 0:
        return 0
    observed_atoms = _observed_atoms(world, slot)
    if observed_atoms in (0, marked_atoms) or range_ppm == 0:
        return 0
    moved_ppm = (observed_atoms - marked_atoms) * FRACTION_ONE_PPM // marked_atoms
    steps_ppm = moved_ppm * SPOT_STEPS_PER_RANGE * FRACTION_ONE_PPM // range_ppm
    place_ppm = UNMOVED_STEP * FRACTION_ONE_PPM + clamp(steps_ppm, -STEPS_MAX_PPM, STEPS_MAX_PPM)
    below = clamp(place_ppm // FRACTION_ONE_PPM, 0, len(SPOT_STEPS) - 2)
    share_ppm = place_ppm - below * FRACTION_ONE_PPM
    low, high = array.core[UNMOVED_VOLATILITY::VOLATILITY_MOVES][below : below + 2]
    return low * (FRACTION_ONE_PPM - share_ppm) + high * share_ppm


def _observed_atoms(world: World, slot: int) -> int:
    """Return the index or forward of now that an instrument is priced by; 0 after its expiry."""
    instrument = world.instruments[slot]
    payoff, expiry = payoff_of(instrument.kind), world.expiries[instrument.expiry]
    if payoff.is_dated and world.header.window_ns >= expiry.expiry_ns:
        return 0
    return payoff.observed_atoms(world.underlyings[instrument.underlying], expiry)
