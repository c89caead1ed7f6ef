"""The methods of publishers: what each observes, signed by his own key."""

from collections.abc import Iterator

from proofbook.api.convert import from_hex, hex_text
from proofbook.api.display import OffStep, OutOfRange, usdc_atoms, usdc_text
from proofbook.api.errors import Refusal, Refused
from proofbook.api.prices import (
    ForwardsParams,
    IndexParams,
    ObservationParams,
    OracleReply,
    PublishedReply,
    PublisherReply,
    SurfaceParams,
)
from proofbook.api.schema import Nothing
from proofbook.ingress.decimals import u64
from proofbook.ingress.venue import Venue
from proofbook.protocol.commands import (
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    OracleCommand,
    SurfaceSignature,
    SurfaceSlice,
    VolSurface,
)
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import UNSIGNED
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import ExpiryRecord, UnderlyingRecord
from proofbook.sequencer.admission import canonical_body, read_publisher
from proofbook.sequencer.prices import publisher_slots


def publish_index(venue: Venue, params: IndexParams) -> PublishedReply:
    """Say what an underlying costs; the lower median of a quorum becomes its index."""
    row = IndexObservation(params.publisher, _atoms(params.price), from_hex(params.signature))
    return _take(venue, IndexPrice(*_head(params), (row,)))


def publish_forwards(venue: Venue, params: ForwardsParams) -> PublishedReply:
    """Say the forwards of all dated expiries of an underlying."""
    if len(params.forwards) != len(params.expiries_ns):
        counts = len(params.forwards), len(params.expiries_ns)
        message = f"{counts[0]} forwards of {counts[1]} expiries"
        raise Refused(Refusal.INVALID_PARAMS, message, *counts)
    expiries_ns = tuple(u64(each, "expiries_ns") for each in params.expiries_ns)
    forwards = tuple(map(_atoms, params.forwards))
    row = ForwardObservation(params.publisher, forwards, from_hex(params.signature))
    return _take(venue, ForwardCurve(*_head(params), expiries_ns, (row,)))


def publish_surface(venue: Venue, params: SurfaceParams) -> PublishedReply:
    """Sign the volatility surface of an underlying; a quorum signs the very same."""
    slices = tuple(
        SurfaceSlice(
            u64(row.expiry_ns, "expiry_ns"),
            *(int(each) for each in (row.a, row.b, row.rho, row.m, row.sigma)),
        )
        for row in params.slices
    )
    signature = SurfaceSignature(params.publisher, from_hex(params.signature))
    return _take(venue, VolSurface(*_head(params), slices, (signature,)))


def get_oracle(venue: Venue, _: Nothing) -> list[OracleReply]:
    """What publishers need to sign: underlyings, their expiries and quorums, whose keys count."""
    engine = venue.sequencer.engine
    publishers = list(_publishers(engine))
    replies: list[OracleReply] = []
    for number in range(1, 1 << UnderlyingRecord.CAPACITY_LOG2):
        record = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, number))
        if not record.quorum:
            break
        replies.append(_oracle_reply(engine, number, record, publishers))
    return replies


def _oracle_reply(
    engine: Engine, number: int, record: UnderlyingRecord, publishers: list[PublisherReply]
) -> OracleReply:
    is_known = bool(record.index_version)
    slots = record.expiries[: record.expiries_count]
    expiries = (ExpiryRecord.unpack(engine.read(ArenaId.EXPIRIES, slot)) for slot in slots)
    return OracleReply(
        underlying=number,
        symbol=record.symbol.rstrip(b"\0").decode(),
        quorum=record.quorum,
        expiries_ns=[str(expiry.expiry_ns) for expiry in expiries],
        index=usdc_text(record.index_atoms) if is_known else None,
        index_ns=str(record.index_ns) if is_known else None,
        publishers=publishers,
    )


def _publishers(engine: Engine) -> Iterator[PublisherReply]:
    for slot in publisher_slots(engine):
        record = read_publisher(engine, slot)
        assert record is not None, "its slot was just found"
        yield PublisherReply(publisher=slot, address=hex_text(record.address))


def _take(venue: Venue, command: OracleCommand) -> PublishedReply:
    intake = venue.doors.prices
    if intake is None:
        message = "this venue takes prices from its own publishers alone"
        raise Refused(Refusal.PRICES_NOT_TAKEN, message)
    canonical_body(command, 0, UNSIGNED)
    said = intake.take(command)
    return PublishedReply(said=said.spoken, quorum=said.quorum)


def _head(params: ObservationParams) -> tuple[int, int]:
    return params.underlying, u64(params.published_ns, "published_ns")


def _atoms(price: str) -> int:
    try:
        return usdc_atoms(price)
    except (OffStep, OutOfRange) as fault:
        raise Refused(Refusal.INVALID_PARAMS, f"price: {fault}", price) from None
