"""The JSON of what only a development venue does: let time pass, and let prices fall."""

from typing import Annotated

from msgspec import Meta

from proofbook.api.schema import Decimal, Digits, InstrumentName, Params, Reply

DEVELOPMENT_CHAIN_ID = 31337
WARP_DAYS_MAX = 730
MOVE_PPM_MIN, MOVE_PPM_MAX = -900_000, 9_000_000
"""What a shock may do to an index: from a tenth of it to ten times as much."""


class WarpParams(Params, frozen=True, kw_only=True):
    """Until when, ns since the Unix epoch."""

    until_ns: Digits


class WarpReply(Reply, frozen=True, kw_only=True):
    """The venue's time before and after, and how many expiries were settled on the way."""

    before_ns: Digits
    now_ns: Digits
    settled: int
    seq: int


class ShockParams(Params, frozen=True, kw_only=True):
    """By how much the index of an underlying is to move, in ppm of itself."""

    underlying: InstrumentName
    move_ppm: Annotated[int, Meta(ge=MOVE_PPM_MIN, le=MOVE_PPM_MAX)]


class ShockReply(Reply, frozen=True, kw_only=True):
    """The index before and after, USDC, and in how many steps the band let it."""

    underlying: str
    before: Decimal
    index: Decimal
    steps: int
    seq: int
