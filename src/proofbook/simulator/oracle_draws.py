"""Draws of what publishers sign: mostly sound, at times late, few, far off or full of arbitrage."""

from coincurve import PrivateKey

from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    SurfaceSignature,
    SurfaceSlice,
    VolSurface,
)
from proofbook.protocol.limits import NS_PER_YEAR
from proofbook.protocol.surface import SURFACE_ONE
from proofbook.simulator.crowd import Crowd, compact_signature

JUMP_SHARE = 0.08
"""Of index prices that lie far from the last one, signed by all publishers."""

UNTIDY_SHARE = 0.15
"""Of surfaces whose slices are drawn each by itself, so that they may cross."""


class OracleDraws(Crowd):
    """A crowd with publishers, who follow a spot price that wanders."""

    def _index_price(self) -> IndexPrice:
        return self._index(self.random.randrange(len(self.grids)), self._published())

    def _index(
        self, place: int, published_ns: int, is_joint: bool = False, may_jump: bool = True
    ) -> IndexPrice:
        """An index by some of the publishers, by all of them where it jumps or is joint."""
        is_jump = may_jump and self.random.random() < JUMP_SHARE
        deviation = 0.15 if is_jump else self.random.choice((0.003, 0.01))
        moved = int(self.spot[place] * self.random.lognormvariate(0, deviation))
        self.spot[place] = max(10**6, moved)
        rows: list[IndexObservation] = []
        is_joint = is_joint or is_jump
        for publisher, key in sorted(self.publishers.items()) if is_joint else self._quorum():
            price = self.spot[place] + self.random.randrange(-(10**5), 10**5)
            digest = eip712.index_price_digest(self.separator, place + 1, published_ns, price)
            rows.append(IndexObservation(publisher, price, compact_signature(key, digest)))
        return IndexPrice(place + 1, published_ns, tuple(rows))

    def _forward_curve(self) -> ForwardCurve:
        return self._forwards(self.random.randrange(len(self.grids)), self._published())

    def _forwards(self, place: int, published_ns: int) -> ForwardCurve:
        expiries_ns = self._dated(place)
        rows: list[ForwardObservation] = []
        for publisher, key in self._quorum():
            forwards = tuple(
                int(self.spot[place] * self.random.uniform(1, 1.03)) for _ in expiries_ns
            )
            digest = eip712.forward_curve_digest(
                self.separator, place + 1, published_ns, expiries_ns, forwards
            )
            rows.append(ForwardObservation(publisher, forwards, compact_signature(key, digest)))
        return ForwardCurve(place + 1, published_ns, expiries_ns, tuple(rows))

    def _vol_surface(self) -> VolSurface:
        return self._surface(self.random.randrange(len(self.grids)), self._published())

    def _surface(self, place: int, published_ns: int) -> VolSurface:
        slices = self._slices(self._dated(place))
        digest = eip712.vol_surface_digest(self.separator, place + 1, published_ns, slices)
        rows = tuple(
            SurfaceSignature(p, compact_signature(key, digest)) for p, key in self._quorum()
        )
        return VolSurface(place + 1, published_ns, slices, rows)

    def _slices(self, expiries_ns: tuple[int, ...]) -> tuple[SurfaceSlice, ...]:
        """Return slices of one shape whose variance grows with time; untidy ones have many."""
        is_untidy = self.random.random() < UNTIDY_SHARE
        shape, slices = self._shape(), list[SurfaceSlice]()
        for expiry_ns in expiries_ns:
            if is_untidy:
                shape = self._shape()
            years = max(1e-4, (expiry_ns - self.window_ns) / NS_PER_YEAR)
            level, slope, rho, centre, width = shape
            numbers = level * years, slope * years, rho, centre, width
            slices.append(SurfaceSlice(expiry_ns, *(int(n * SURFACE_ONE) for n in numbers)))
        return tuple(slices)

    def _shape(self) -> tuple[float, float, float, float, float]:
        """Return SVI parameters of a slice of one year."""
        at_the_money = self.random.uniform(0.2, 1.2) ** 2
        return (
            at_the_money * self.random.uniform(0.1, 0.9),
            at_the_money * self.random.uniform(0.05, 0.5),
            self.random.uniform(-0.9, 0.5),
            self.random.uniform(-0.2, 0.2),
            self.random.uniform(0.05, 0.5),
        )

    def _dated(self, place: int) -> tuple[int, ...]:
        return tuple(sorted(expiry_ns for expiry_ns in self.expiries[place + 1] if expiry_ns))

    def _published(self) -> int:
        """Return a time that rises and is mostly fresh."""
        late = self.random.choice((0, 0, 0, 10**9, 90 * 10**9))
        self.published_ns = (
            max(self.published_ns + 1, self.window_ns - late)
            if late < 10**10
            else self.window_ns - late
        )
        return self.published_ns

    def _quorum(self) -> list[tuple[int, PrivateKey]]:
        size = self.random.choice((2, 2, 2, 3, 3, 1))
        known = sorted(self.publishers)
        numbers = sorted(self.random.sample(known, min(size, len(known))))
        return [(number, self.publishers[number]) for number in numbers]
