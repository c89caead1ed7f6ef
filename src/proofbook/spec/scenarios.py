"""Scenarios: how far prices and volatilities of an expiry move, and what each move counts for.

Nine moves of the price with three of the volatility are the 27 columns of the core; eight further
moves of the price, which count in part, are the tails.

Source docs/reference/pricing.md, with every formula and its first parameters.
"""

from dataclasses import dataclass

from proofbook.protocol.limits import (
    FRACTION_ONE_PPM,
    NS_PER_DAY,
    NS_PER_YEAR,
    TAIL_MOVES_PPM,
)
from proofbook.protocol.records import ParametersRecord
from proofbook.spec.black76 import DEVIATION_MAX
from proofbook.spec.fixed_point import (
    FRACTION_BITS,
    ONE,
    clamp,
    exp,
    log,
    square_root_down,
)

SPOT_STEPS = range(-4, 5)
"""Spot moves in quarters of the range, lowest first; within each volatility up, unmoved, down."""

SPOT_STEPS_PER_RANGE = 4
VOLATILITY_MOVES = 3
VOLATILITY_UP = 0

REFERENCE_NS = 30 * NS_PER_DAY
"""The time to expiry at which volatility moves by its parameters themselves."""

SHORTEST_NS = NS_PER_DAY
"""Below it volatility moves as much as with a day left."""


@dataclass(frozen=True, slots=True)
class Move:
    """A spot move: price after it as a share of now, the share's logarithm, what profit counts."""

    factor_ppm: int
    factor_log: int
    weight_ppm: int


@dataclass(frozen=True, slots=True)
class Scenarios:
    """What the instruments of an expiry are put through, at one time to it.

    Units logarithms, factors of volatility, deviations, cap and width in Q5.58.
    """

    core: list[Move]
    tails: list[Move]
    up_factor: int
    down_factor: int
    floor_deviation: int
    skew_cap: int
    skew_width: int
    basis_ppm: int

    def deviations(self, deviation: int) -> tuple[int, int, int]:
        """Return σ√t with volatility up (at least the floor's), unmoved and down. Rounds down."""
        up = deviation * self.up_factor >> FRACTION_BITS
        down = deviation * self.down_factor >> FRACTION_BITS
        return min(max(up, self.floor_deviation), DEVIATION_MAX), deviation, down

    def skewed(self, deviation: int, log_moneyness: int) -> int:
        """Return σ√t after a skew shock: more on one side of the money, less on the other.

        Rounds down, the shift as well as the deviation.
        """
        shift = log_moneyness * self.skew_cap // self.skew_width
        factor = max(0, ONE + clamp(shift, -self.skew_cap, self.skew_cap))
        return min(deviation * factor >> FRACTION_BITS, DEVIATION_MAX)


UNMOVED = Move(FRACTION_ONE_PPM, 0, FRACTION_ONE_PPM)


def scenarios_of(parameters: ParametersRecord, remaining_ns: int, variance_ns: int) -> Scenarios:
    """Return the scenarios with so much time to expiry; none is left of a perpetual.

    Volatility counts for `variance_ns`, see `averaging`.
    """
    root_time = square_root_down((variance_ns << FRACTION_BITS) // NS_PER_YEAR)
    multiple = volatility_multiple(parameters, remaining_ns)
    up = ONE + parameters.vol_up_ppm * multiple // FRACTION_ONE_PPM
    down = ONE - parameters.vol_down_ppm * multiple // FRACTION_ONE_PPM
    return Scenarios(
        [move_by(shock_ppm, FRACTION_ONE_PPM) for shock_ppm in spot_shocks_ppm(parameters)],
        [move_by(tail_ppm, _tail_weight_ppm(parameters, tail_ppm)) for tail_ppm in TAIL_MOVES_PPM],
        up,
        max(0, down),
        root_time * parameters.vol_up_floor_ppm // FRACTION_ONE_PPM,
        skew_cap(parameters, root_time),
        skew_width(parameters, root_time),
        basis_ppm_up(parameters, remaining_ns),
    )


def spot_shocks_ppm(parameters: ParametersRecord) -> list[int]:
    """Return the nine spot moves, lowest first. Rounds down."""
    return [parameters.spot_range_ppm * step // SPOT_STEPS_PER_RANGE for step in SPOT_STEPS]


def spot_profits(parameters: ParametersRecord, value_atoms: int) -> list[int]:
    """Return what a value in proportion to the spot price gains in each scenario, core and tails.

    Rounds down, against who holds it.
    """
    core = [value_atoms * shock // FRACTION_ONE_PPM for shock in spot_shocks_ppm(parameters)]
    tails = [
        value_atoms * tail_ppm * _tail_weight_ppm(parameters, tail_ppm) // FRACTION_ONE_PPM**2
        for tail_ppm in TAIL_MOVES_PPM
    ]
    return [profit for profit in core for _ in range(VOLATILITY_MOVES)] + tails


def move_by(shock_ppm: int, weight_ppm: int) -> Move:
    """Return the move by a share of the price, above −1."""
    factor_ppm = FRACTION_ONE_PPM + shock_ppm
    return Move(factor_ppm, log(factor_ppm) - log(FRACTION_ONE_PPM), weight_ppm)


def _tail_weight_ppm(parameters: ParametersRecord, tail_ppm: int) -> int:
    """Return what profit in a tail counts for: less, the further it is. Rounds up."""
    return -(-parameters.tail_weight_ppm * parameters.spot_range_ppm // abs(tail_ppm))


def volatility_multiple(parameters: ParametersRecord, remaining_ns: int) -> int:
    """Return (30 d / t)^p, t at least a day, Q5.58: volatility of little time moves most.

    Rounds down; error below 2^-51.
    """
    is_long = remaining_ns > REFERENCE_NS
    power_ppm = parameters.vol_power_long_ppm if is_long else parameters.vol_power_short_ppm
    ratio_log = log(REFERENCE_NS) - log(max(remaining_ns, SHORTEST_NS))
    return exp(power_ppm * ratio_log // FRACTION_ONE_PPM)


def skew_cap(parameters: ParametersRecord, root_time: int) -> int:
    """Return the share by which a skew shock changes a volatility at most, Q5.58. Rounds down."""
    cap = parameters.skew_cap_ppm * ONE - parameters.skew_cap_fall_ppm * root_time
    return max(0, cap // FRACTION_ONE_PPM)


def skew_width(parameters: ParametersRecord, root_time: int) -> int:
    """Return the log-moneyness from which on the shock is at its cap, positive, Q5.58.

    Rounds down.
    """
    volatility = parameters.skew_volatility_ppm * ONE
    volatility -= parameters.skew_volatility_fall_ppm * root_time
    scaled = root_time * parameters.skew_width_ppm // FRACTION_ONE_PPM
    width = scaled * max(0, volatility // FRACTION_ONE_PPM) >> FRACTION_BITS
    return max(1, width, parameters.skew_width_min_ppm * ONE // FRACTION_ONE_PPM)


def basis_ppm_up(parameters: ParametersRecord, remaining_ns: int) -> int:
    """Return how far a forward moves against others: e^(rate · years) − 1, at least the floor.

    Rounds up: against the account.
    """
    years = (remaining_ns << FRACTION_BITS) // NS_PER_YEAR
    growth = exp(parameters.basis_rate_ppm * years // FRACTION_ONE_PPM) - ONE
    return max(parameters.basis_floor_ppm, -(-growth * FRACTION_ONE_PPM >> FRACTION_BITS))
