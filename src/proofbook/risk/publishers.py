"""Publishers sign what they observe; a quorum of them makes one oracle command.

For an index and for forwards each publisher signs its own values. A surface is fitted once and
signed by all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proofbook.api.signing import Key
from proofbook.protocol.commands import (
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    SurfaceSignature,
    SurfaceSlice,
    VolSurface,
)
from proofbook.protocol.eip712 import (
    forward_curve_digest,
    index_price_digest,
    vol_surface_digest,
)


@dataclass(frozen=True, slots=True)
class Publisher:
    """A key and the slot of its record, from 1 in the order of genesis."""

    slot: int
    key: Key


@dataclass(frozen=True, slots=True)
class Publishers:
    """All publishers of a venue, signing under its domain."""

    separator: bytes
    members: tuple[Publisher, ...]

    @classmethod
    def of_keys(cls, separator: bytes, keys: Sequence[Key]) -> "Publishers":
        """Return publishers numbered as genesis numbers them."""
        return cls(separator, tuple(Publisher(slot, key) for slot, key in enumerate(keys, start=1)))

    def index_price(
        self, underlying: int, published_ns: int, prices_atoms: Sequence[int]
    ) -> IndexPrice:
        """Return one index command. Shape  prices [publishers]."""
        observations: list[IndexObservation] = []
        for publisher, price_atoms in zip(self.members, prices_atoms, strict=True):
            digest = index_price_digest(self.separator, underlying, published_ns, price_atoms)
            signature = publisher.key.sign(digest)
            observations.append(IndexObservation(publisher.slot, price_atoms, signature))
        return IndexPrice(underlying, published_ns, tuple(observations))

    def forward_curve(
        self,
        underlying: int,
        published_ns: int,
        expiries_ns: Sequence[int],
        curves_atoms: Sequence[Sequence[int]],
    ) -> ForwardCurve:
        """Return one forward command. Shape  curves [publishers][expiries]."""
        observations: list[ForwardObservation] = []
        for publisher, forwards_atoms in zip(self.members, curves_atoms, strict=True):
            digest = forward_curve_digest(
                self.separator, underlying, published_ns, expiries_ns, forwards_atoms
            )
            signature = publisher.key.sign(digest)
            observations.append(
                ForwardObservation(publisher.slot, tuple(forwards_atoms), signature)
            )
        return ForwardCurve(underlying, published_ns, tuple(expiries_ns), tuple(observations))

    def vol_surface(
        self, underlying: int, published_ns: int, slices: Sequence[SurfaceSlice]
    ) -> VolSurface:
        """Return one surface command with the signatures of all publishers."""
        digest = vol_surface_digest(self.separator, underlying, published_ns, slices)
        signatures = tuple(
            SurfaceSignature(publisher.slot, publisher.key.sign(digest))
            for publisher in self.members
        )
        return VolSurface(underlying, published_ns, tuple(slices), signatures)
