"""The oracle: what publishers say of the market outside, which is index, forwards and surfaces.

Each publisher signs what he sees, and a quorum of them makes an observation. Of prices the lower
median counts, so that no minority moves it; a surface is one set of bytes that all of them sign. An
observation is taken while it is fresh, later than the last one, and near what is known.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from proofbook.protocol.commands import (
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    OracleCommand,
    SurfaceSignature,
    VolSurface,
)
from proofbook.protocol.eip712 import oracle_digests
from proofbook.protocol.events import ForwardsChanged, IndexChanged, SurfaceChanged
from proofbook.protocol.limits import INDEX_ATOMS_MAX, ORACLE_AGE_MAX_NS, Reject
from proofbook.protocol.records import UnderlyingRecord
from proofbook.protocol.surface import is_surface_valid
from proofbook.spec import bands, breakers, expiries, funding
from proofbook.spec.fixed_point import log
from proofbook.spec.signatures import recover
from proofbook.spec.world import World

Signed: TypeAlias = IndexObservation | ForwardObservation | SurfaceSignature


def signers_match(world: World, command: OracleCommand) -> bool:
    """Whether every signature of a publisher that exists is his.

    For an unknown publisher, or one without a key, the entry is rejected, later.
    """
    rows = _rows(command)
    digests = oracle_digests(world.header.domain_separator, command)
    return all(
        recover(digest, row.signature) == world.publishers[row.publisher].address
        for row, digest in zip(rows, digests, strict=True)
        if world.publisher_exists(row.publisher)
    )


def index_price(world: World, command: IndexPrice) -> Reject | None:
    """Set the index of an underlying to the lower median of the observations.

    How far publishers disagree is kept beside it, and the breaker looks at it.

    Rejects  as `_quorum_rejection` with the time of the last index; then OBSERVATION_OUT_OF_RANGE;
             OBSERVATION_OUTSIDE_BAND unless a wide quorum says it.
    """
    rejection = _quorum_rejection(world, command, lambda underlying: underlying.index_ns)
    if rejection is not None:
        return rejection
    prices = [observation.price_atoms for observation in command.observations]
    if not all(_is_price(price) for price in prices):
        return Reject.OBSERVATION_OUT_OF_RANGE
    index_atoms = lower_median(prices)
    is_near = bands.takes_index(world, command.underlying, command.published_ns, index_atoms)
    if not (is_near or bands.is_wide(world, command.underlying, len(prices))):
        return Reject.OBSERVATION_OUTSIDE_BAND
    funding.accrue_underlying(world, command.underlying)
    expiries.observe(world, command.underlying, command.published_ns)
    underlying = world.underlyings.edit(command.underlying)
    index_before = underlying.index_atoms
    underlying.index_atoms = index_atoms
    underlying.index_ns = command.published_ns
    underlying.index_version += 1
    underlying.index_spread_ppm = bands.spread_ppm_up(prices, index_atoms)
    world.emit(IndexChanged(command.underlying, underlying.index_version, index_atoms))
    breakers.observe(world, command.underlying, index_before)
    return None


def forward_curve(world: World, command: ForwardCurve) -> Reject | None:
    """Set the forward of every dated expiry of an underlying.

    Rejects  as `_quorum_rejection`; EXPIRY_SET_MISMATCH unless exactly the dated expiries are
             named, ascending; OBSERVATION_OUT_OF_RANGE; OBSERVATION_OUTSIDE_BAND for one that has
             not passed and is far from the index, unless a wide quorum says it.
    """
    rejection = _quorum_rejection(world, command, lambda underlying: underlying.forward_ns)
    if rejection is not None:
        return rejection
    if not _names_all_expiries(world, command.underlying, command.expiries_ns):
        return Reject.EXPIRY_SET_MISMATCH
    if not all(_is_price(price) for row in command.observations for price in row.forwards_atoms):
        return Reject.OBSERVATION_OUT_OF_RANGE
    curves = zip(*(row.forwards_atoms for row in command.observations), strict=True)
    forwards = [lower_median(values) for values in curves]
    if not _takes_forwards(world, command, forwards):
        return Reject.OBSERVATION_OUTSIDE_BAND
    underlying = world.underlyings.edit(command.underlying)
    underlying.forward_ns = command.published_ns
    underlying.forward_version += 1
    for place, forward_atoms in enumerate(forwards):
        expiry = world.expiries.edit(underlying.expiries[place])
        expiry.forward_atoms = forward_atoms
        expiry.forward_log = log(expiry.forward_atoms)
        expiry.forward_version = underlying.forward_version
        expiry.forward_ns = command.published_ns
    world.emit(ForwardsChanged(command.underlying, underlying.forward_version))
    return None


def _takes_forwards(world: World, command: ForwardCurve, forwards: Sequence[int]) -> bool:
    """Whether the forwards of expiries to come are near the index, or a wide quorum says them."""
    now_ns = world.header.window_ns
    are_near = all(
        bands.takes_forward(world, command.underlying, forward)
        for expiry_ns, forward in zip(command.expiries_ns, forwards, strict=True)
        if expiry_ns > now_ns
    )
    return are_near or bands.is_wide(world, command.underlying, len(command.observations))


def vol_surface(world: World, command: VolSurface) -> Reject | None:
    """Set the volatility slice of every dated expiry of an underlying, all at once.

    Rejects  as `_quorum_rejection`; EXPIRY_SET_MISMATCH; SURFACE_INVALID as `is_surface_valid`
             says. Slices of passed expiries are named too and never priced with.
    """
    rejection = _quorum_rejection(world, command, lambda underlying: underlying.surface_ns)
    if rejection is not None:
        return rejection
    if not _names_all_expiries(world, command.underlying, [s.expiry_ns for s in command.slices]):
        return Reject.EXPIRY_SET_MISMATCH
    if not is_surface_valid(command.slices, world.header.window_ns):
        return Reject.SURFACE_INVALID
    underlying = world.underlyings.edit(command.underlying)
    underlying.surface_ns = command.published_ns
    underlying.surface_version += 1
    for place, slice_ in enumerate(command.slices):
        expiry = world.expiries.edit(underlying.expiries[place])
        expiry.surface_a, expiry.surface_b, expiry.surface_rho = slice_.a, slice_.b, slice_.rho
        expiry.surface_m, expiry.surface_sigma = slice_.m, slice_.sigma
        expiry.surface_version = underlying.surface_version
        expiry.surface_ns = command.published_ns
    world.emit(SurfaceChanged(command.underlying, underlying.surface_version))
    return None


def lower_median(values: Sequence[int]) -> int:
    """Return the middle value; of two middle ones the lower."""
    return sorted(values)[(len(values) - 1) // 2]


def _rows(command: OracleCommand) -> Sequence[Signed]:
    return command.signatures if isinstance(command, VolSurface) else command.observations


def _quorum_rejection(
    world: World, command: OracleCommand, last_ns: Callable[[UnderlyingRecord], int]
) -> Reject | None:
    """Return why an observation does not count by whom and when it was signed, or None.

    Rejects UNDERLYING_NOT_FOUND, PUBLISHER_NOT_FOUND, QUORUM_NOT_MET, OBSERVATION_STALE.
    """
    if command.underlying not in world.underlyings:
        return Reject.UNDERLYING_NOT_FOUND
    underlying = world.underlyings[command.underlying]
    publishers = [row.publisher for row in _rows(command)]
    if not all(world.publisher_exists(publisher) for publisher in publishers):
        return Reject.PUBLISHER_NOT_FOUND
    if len(publishers) < underlying.quorum:
        return Reject.QUORUM_NOT_MET
    window_ns = world.header.window_ns
    is_fresh = command.published_ns <= window_ns <= command.published_ns + ORACLE_AGE_MAX_NS
    return (
        None
        if is_fresh and command.published_ns > last_ns(underlying)
        else Reject.OBSERVATION_STALE
    )


def _names_all_expiries(world: World, underlying: int, expiries_ns: Sequence[int]) -> bool:
    record = world.underlyings[underlying]
    listed = [world.expiries[slot].expiry_ns for slot in record.expiries[: record.expiries_count]]
    return listed == list(expiries_ns)


def _is_price(price_atoms: int) -> bool:
    return 1 <= price_atoms <= INDEX_ATOMS_MAX
