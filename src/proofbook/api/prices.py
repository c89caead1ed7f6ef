"""The JSON of what publishers say, and of what the venue knows of prices."""

from typing import Annotated

from msgspec import Meta

from proofbook.api.schema import U8, U32, Decimal, Digits, Params, Reply

Signature = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{128}\Z")]
Parameter = Annotated[str, Meta(pattern=r"^(0|-?[1-9][0-9]{0,18})\Z")]


class ObservationParams(Params, frozen=True, kw_only=True):
    """`publisher` and `underlying` as `get_oracle` numbers them.

    What is said of one `published_ns` is put together, so publishers agree on times: whole seconds.
    """

    publisher: U8
    underlying: U32
    published_ns: Digits
    signature: Signature


class IndexParams(ObservationParams, frozen=True, kw_only=True):
    """Units  price in USDC per unit of the underlying."""

    price: Decimal


class ForwardsParams(ObservationParams, frozen=True, kw_only=True):
    """A forward for each dated expiry of the underlying, ascending. Units  as the index."""

    expiries_ns: Annotated[list[Digits], Meta(min_length=1, max_length=24)]
    forwards: Annotated[list[Decimal], Meta(min_length=1, max_length=24)]


class SliceRow(Params, frozen=True, kw_only=True):
    """Raw SVI total variance of one expiry. Units  parameters in 2^-48."""

    expiry_ns: Digits
    a: Parameter
    b: Parameter
    rho: Parameter
    m: Parameter
    sigma: Parameter


class SurfaceParams(ObservationParams, frozen=True, kw_only=True):
    """A slice for each dated expiry: a quorum signs the very same."""

    slices: Annotated[list[SliceRow], Meta(min_length=1, max_length=24)]


class PublishedReply(Reply, frozen=True, kw_only=True):
    """How many publishers have said something of the same time, and how many are needed."""

    said: int
    quorum: int


class PublisherReply(Reply, frozen=True, kw_only=True):
    publisher: int
    address: str


class OracleReply(Reply, frozen=True, kw_only=True):
    """An underlying: what publishers sign of it, and the last index. Null: there is none yet."""

    underlying: int
    symbol: str
    quorum: int
    expiries_ns: list[Digits]
    index: Decimal | None
    index_ns: Digits | None
    publishers: list[PublisherReply]
