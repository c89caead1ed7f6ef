"""What the governor may change: margin parameters, publishers, terms, grids."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    Command,
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    ListInstrument,
    Remark,
    SetParameters,
    SetPublisher,
    SetTerms,
    SetUnderlying,
    SurfaceSignature,
    SurfaceSlice,
    VolSurface,
)
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Filled, ParametersChanged, PublisherChanged, TermsChanged
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    ENTRY_BYTES_MAX,
    EXPIRIES_PER_UNDERLYING_MAX,
    FEE_PPM_MAX,
    NS_PER_DAY,
    PUBLISHERS_MAX,
    QUORUM_MAX,
    ArenaId,
    InstrumentKind,
    InstrumentState,
    Side,
    TermsKind,
)
from proofbook.protocol.records import (
    ExpiryRecord,
    GlobalRecord,
    InstrumentRecord,
    ParametersRecord,
    PublisherRecord,
    RiskArrayRecord,
    UnderlyingRecord,
)
from proofbook.protocol.terms import MarginParameters, MarginTerms
from proofbook.simulator.inspection import money
from proofbook.simulator.scene import (
    EXPIRY_NS,
    GRID,
    LINEAR_TERMS,
    OPTION_TERMS,
    SPOT_ATOMS,
    STRIKE_ATOMS,
    Scene,
    key_of,
)
from proofbook.simulator.workload import address_of, compact_signature

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
PARAMETERS = MarginParameters(spot_range_ppm=200_000, initial_factor_ppm=1_500_000)
DEAR = replace(
    LINEAR_TERMS,
    maker_fee_ppm=500,
    taker_fee_ppm=800,
    band_ppm=50_000,
    lots_min=5,
    lots_max=50,
    block_lots_min=7,
)
NOBODY = bytes(20)
EARLIER_NS = EXPIRY_NS - NS_PER_DAY


def set_publisher(number: int, version: int, name: str) -> SetPublisher:
    return SetPublisher(number, version, address_of(key_of(name)) if name else NOBODY)


def set_underlying(version: int, quorum: int = 1, step: int = 1_000_000_000) -> SetUnderlying:
    return SetUnderlying(1, version, quorum, step)


def instrument(scene: Scene, identifier: int) -> InstrumentRecord:
    slot = instrument_slot(identifier)
    return InstrumentRecord.unpack(scene.engine.read(ArenaId.INSTRUMENTS, slot))


def underlying(scene: Scene) -> UnderlyingRecord:
    return UnderlyingRecord.unpack(scene.engine.read(ArenaId.UNDERLYINGS, 1))


def publisher(scene: Scene, number: int) -> PublisherRecord:
    return PublisherRecord.unpack(scene.engine.read(ArenaId.PUBLISHERS, number))


def changes(scene: Scene) -> int:
    """How often the governor has changed anything, genesis included."""
    return GlobalRecord.unpack(scene.engine.read(ArenaId.GLOBAL, 0)).parameter_version


def names(scene: Scene, *commands: Command) -> list[str]:
    return [scene.submit(command).name for command in commands]


def observe(scene: Scene, **names_of_publishers: str) -> str:
    """Publish an index signed by `p1="publisher"`, `p2=…`; return the outcome's name."""
    published_ns = scene.window_ns
    digest = eip712.index_price_digest(scene.separator, 1, published_ns, SPOT_ATOMS)
    rows = [
        IndexObservation(int(place[1:]), SPOT_ATOMS, compact_signature(key_of(name), digest))
        for place, name in names_of_publishers.items()
    ]
    return scene.submit(IndexPrice(1, published_ns, tuple(rows))).name


# Margin parameters


def test_parameters_change_the_factor_at_once_and_scenarios_with_a_remark(
    scene: Scene, perpetual: int
) -> None:
    def array() -> RiskArrayRecord:
        slot = instrument_slot(perpetual)
        return RiskArrayRecord.unpack(scene.engine.read(ArenaId.RISK_ARRAYS, slot))

    before = array()
    assert before.parameter_version == 1
    assert scene.submit(SetParameters(2, PARAMETERS)).is_applied
    assert scene.events() == [ParametersChanged(2)]
    record = ParametersRecord.unpack(scene.engine.read(ArenaId.PARAMETERS, 1))
    assert (record.version, record.spot_range_ppm, record.initial_factor_ppm) == (
        2,
        200_000,
        1_500_000,
    )
    assert (record.vol_up_ppm, record.vol_down_ppm, record.vol_up_floor_ppm) == (
        PARAMETERS.vol_up_ppm,
        PARAMETERS.vol_down_ppm,
        PARAMETERS.vol_up_floor_ppm,
    )
    assert record.maintenance_factor_ppm == PARAMETERS.maintenance_factor_ppm
    assert changes(scene) == 2
    assert array().pack() == before.pack(), "what scenarios cost is told by the next mark"
    assert scene.submit(Remark(instrument(scene, perpetual).expiry)).is_applied
    after = array()
    assert after.parameter_version == 2 and min(after.core) * 160 == min(before.core) * 200


def test_a_higher_factor_asks_for_more_margin(scene: Scene, perpetual: int) -> None:
    lots = 700_000  # 5.6 million USD, of which 16 % are 896,000
    scene.cancel("ann", scene.resting("ann", perpetual, BUY, MARK, lots))
    assert scene.submit(SetParameters(2, replace(PARAMETERS, spot_range_ppm=0))).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, lots).name == "INSUFFICIENT_MARGIN"
    low = replace(PARAMETERS, initial_factor_ppm=800_000)
    assert scene.submit(SetParameters(3, low)).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, lots).is_applied


def test_parameters_reject_versions_that_do_not_follow(scene: Scene) -> None:
    for version in (0, 1, 3, (1 << 32) - 1):
        assert scene.submit(SetParameters(version, PARAMETERS)).name == "VERSION_MISMATCH"
    assert changes(scene) == 1


@pytest.mark.parametrize(
    "unsound",
    [
        MarginParameters(spot_range_ppm=1_000_000),
        MarginParameters(vol_up_ppm=10_000_001),
        MarginParameters(vol_down_ppm=10_000_001),
        MarginParameters(vol_up_floor_ppm=(1 << 32) - 1),
        MarginParameters(initial_factor_ppm=10_000_001),
        MarginParameters(initial_factor_ppm=799_999),
        MarginParameters(naked_initial_ppm=2_999),
        MarginParameters(stale_margin_ppm=999_999),
        MarginParameters(joint_ppm=1_000_001),
    ],
    ids=str,
)
def test_parameters_reject_what_genesis_refuses(scene: Scene, unsound: MarginParameters) -> None:
    assert unsound.flaw() is not None
    assert scene.submit(SetParameters(2, unsound)).name == "PARAMETERS_INVALID"
    assert scene.submit(SetParameters(2, PARAMETERS)).is_applied, "nothing was written"


# Publishers


def test_a_publisher_is_added_and_counts(scene: Scene, perpetual: int) -> None:
    assert observe(scene, p1="publisher", p2="second") == "PUBLISHER_NOT_FOUND"
    assert scene.submit(set_publisher(2, 1, "second")).is_applied
    assert scene.events() == [PublisherChanged(2, 1, address_of(key_of("second")))]
    assert observe(scene, p1="publisher", p2="second") == "APPLIED"
    assert scene.submit(set_underlying(2, quorum=2)).is_applied
    assert observe(scene, p1="publisher") == "QUORUM_NOT_MET"
    assert observe(scene, p1="publisher", p2="second") == "APPLIED"
    assert changes(scene) == 3


def test_a_key_is_replaced_and_the_old_one_is_nobodys(scene: Scene, perpetual: int) -> None:
    assert scene.submit(set_publisher(1, 2, "other")).is_applied
    assert publisher(scene, 1).address == address_of(key_of("other"))
    assert observe(scene, p1="publisher") == "VOID_SIGNER_MISMATCH"
    assert observe(scene, p1="other") == "APPLIED"


def test_a_publisher_without_a_key_is_refused_whoever_signs(scene: Scene, perpetual: int) -> None:
    assert scene.submit(set_publisher(2, 1, "second")).is_applied
    assert scene.submit(set_publisher(1, 2, "")).is_applied
    assert scene.events() == [PublisherChanged(1, 2, NOBODY)]
    assert observe(scene, p1="publisher", p2="second") == "PUBLISHER_NOT_FOUND"
    assert observe(scene, p1="nobody") == "PUBLISHER_NOT_FOUND"
    assert observe(scene, p2="second") == "APPLIED"
    assert scene.submit(set_publisher(1, 3, "third")).is_applied
    assert observe(scene, p1="third", p2="second") == "APPLIED"


def test_publishers_are_numbered_without_gaps(scene: Scene) -> None:
    for number in (0, 3, 255):
        assert scene.submit(set_publisher(number, 1, "second")).name == "PUBLISHER_NOT_FOUND"
    assert scene.submit(set_publisher(2, 1, "")).name == "PUBLISHER_NOT_FOUND", "has no key yet"
    assert names(scene, set_publisher(2, 1, "second"), set_publisher(2, 2, "")) == ["APPLIED"] * 2
    assert scene.submit(set_publisher(2, 3, "")).name == "PUBLISHER_NOT_FOUND", "has none any more"


def test_publishers_reject_versions_that_do_not_follow(scene: Scene) -> None:
    for number, versions in ((1, (0, 1, 3)), (2, (0, 2, (1 << 32) - 1))):
        for version in versions:
            outcome = scene.submit(set_publisher(number, version, "second"))
            assert outcome.name == "VERSION_MISMATCH"


def test_publishers_are_no_more_than_one_command_names(scene: Scene) -> None:
    for number in range(2, PUBLISHERS_MAX + 1):
        assert scene.submit(set_publisher(number, 1, f"publisher {number}")).is_applied
    one_more = set_publisher(PUBLISHERS_MAX + 1, 1, "one more")
    assert scene.submit(one_more).name == "PUBLISHER_LIMIT"
    assert scene.submit(set_publisher(PUBLISHERS_MAX, 2, "one more")).is_applied


def test_a_key_is_no_two_publishers(scene: Scene) -> None:
    assert scene.submit(set_publisher(2, 1, "publisher")).name == "PUBLISHER_KEY_IN_USE"
    assert scene.submit(set_publisher(1, 2, "publisher")).is_applied, "he may keep his"
    assert scene.submit(set_publisher(2, 1, "second")).is_applied
    assert scene.submit(set_publisher(1, 3, "second")).name == "PUBLISHER_KEY_IN_USE"
    assert scene.submit(set_publisher(1, 3, "")).is_applied
    assert scene.submit(set_publisher(2, 2, "publisher")).is_applied, "it is free again"


def test_publishers_are_never_fewer_than_a_quorum(scene: Scene) -> None:
    assert scene.submit(set_publisher(1, 2, "")).name == "QUORUM_UNREACHABLE"
    assert scene.submit(set_publisher(2, 1, "second")).is_applied
    assert scene.submit(set_underlying(2, quorum=2)).is_applied
    assert scene.submit(set_publisher(1, 2, "")).name == "QUORUM_UNREACHABLE"
    assert scene.submit(set_publisher(3, 1, "third")).is_applied
    assert scene.submit(set_publisher(1, 2, "")).is_applied
    assert scene.submit(set_publisher(2, 2, "")).name == "QUORUM_UNREACHABLE"


# Terms


def test_terms_hold_for_books_listed_afterwards(scene: Scene) -> None:
    terms = replace(DEAR, tick_atoms=200_000, lot_nanos=1_000_000)
    assert scene.submit(SetTerms(1, 2, TermsKind.PERPETUAL, terms)).is_applied
    assert scene.events() == [TermsChanged(1, 2)]
    record = instrument(scene, scene.list_perpetual())
    assert (record.tick_atoms, record.lot_nanos, record.tick_value_atoms) == (200_000, 10**6, 200)
    assert (record.maker_fee_ppm, record.taker_fee_ppm, record.band_ppm) == (500, 800, 50_000)
    assert (record.lots_min, record.lots_max, record.block_lots_min) == (5, 50, 7)
    assert record.terms_version == underlying(scene).version == 2
    assert changes(scene) == 2


@pytest.mark.parametrize("kind", list(TermsKind))
def test_terms_are_those_of_one_kind(scene: Scene, kind: TermsKind) -> None:
    before = underlying(scene)
    assert scene.submit(SetTerms(1, 2, kind, DEAR)).is_applied
    after = underlying(scene)
    for place in TermsKind:
        is_changed = place == kind
        assert after.band_ppm[place] == (50_000 if is_changed else before.band_ppm[place])
        assert after.lots_max[place] == (50 if is_changed else before.lots_max[place])


def test_listed_books_keep_their_units_and_follow_the_rest_when_marked(
    scene: Scene, perpetual: int
) -> None:
    before = instrument(scene, perpetual)
    terms = replace(DEAR, tick_atoms=200_000, lot_nanos=1_000_000)
    assert scene.submit(SetTerms(1, 2, TermsKind.PERPETUAL, terms)).is_applied
    assert instrument(scene, perpetual).pack() == before.pack()
    assert scene.submit(Remark(before.expiry)).is_applied
    after = instrument(scene, perpetual)
    assert (after.tick_atoms, after.lot_nanos) == (before.tick_atoms, before.lot_nanos)
    assert after.tick_value_atoms == before.tick_value_atoms
    assert (after.maker_fee_ppm, after.taker_fee_ppm, after.band_ppm) == (500, 800, 50_000)
    assert (after.lots_min, after.lots_max, after.block_lots_min) == (5, 50, 7)
    assert after.terms_version == 2


def test_new_fees_and_sizes_never_bind_what_rests(scene: Scene, perpetual: int) -> None:
    before = money(scene)
    scene.resting("bob", perpetual, SELL, MARK, 6, max_fee_ppm=400)
    assert scene.submit(SetTerms(1, 2, TermsKind.PERPETUAL, DEAR)).is_applied
    assert scene.submit(Remark(instrument(scene, perpetual).expiry)).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, 4).name == "LOTS_OUT_OF_RANGE"
    assert scene.place("ann", perpetual, BUY, MARK, 5, max_fee_ppm=400).name == "FEE_ABOVE_MAX"
    far = MARK * 106 // 100
    assert scene.place("ann", perpetual, BUY, far, 5).name == "PRICE_OUTSIDE_BAND"
    assert scene.place("ann", perpetual, BUY, MARK, 5).is_applied
    (fill,) = scene.events()
    assert isinstance(fill, Filled) and fill.lots == 5
    value = 5 * MARK * 10
    assert fill.maker_fee_atoms == value * 400 // 10**6, "no more than its owner signed"
    assert fill.taker_fee_atoms == value * 800 // 10**6
    assert money(scene) == before


def test_a_halted_book_keeps_its_terms(scene: Scene, perpetual: int) -> None:
    assert scene.set_instrument(perpetual, InstrumentState.HALTED).is_applied
    before = instrument(scene, perpetual)
    assert scene.submit(SetTerms(1, 2, TermsKind.PERPETUAL, DEAR)).is_applied
    assert scene.submit(Remark(before.expiry)).name == "OBSERVATION_MISSING"
    assert instrument(scene, perpetual).pack() == before.pack()


@pytest.mark.parametrize("kind", list(TermsKind))
@pytest.mark.parametrize(
    "change",
    [
        {"tick_atoms": 0}, {"tick_atoms": (1 << 40) + 1}, {"lot_nanos": 0},
        {"lot_nanos": (1 << 64) - 1}, {"tick_atoms": 1, "lot_nanos": 10**9 - 1},
        {"maker_fee_ppm": FEE_PPM_MAX + 1}, {"taker_fee_ppm": FEE_PPM_MAX + 1},
        {"band_ppm": 10_000_001}, {"lots_min": 0}, {"lots_min": 51}, {"lots_max": 1 << 40},
        {"block_lots_min": 0}, {"block_lots_min": 1 << 40},
    ],
    ids=str,
)  # fmt: skip
def test_terms_reject_what_genesis_refuses(
    scene: Scene, kind: TermsKind, change: dict[str, int]
) -> None:
    unsound = replace(DEAR, **change)
    assert unsound.flaw() is not None
    before = underlying(scene).pack()
    assert scene.submit(SetTerms(1, 2, kind, unsound)).name == "PARAMETERS_INVALID"
    assert underlying(scene).pack() == before


def test_terms_reject_what_is_not_there_or_does_not_follow(scene: Scene) -> None:
    for slot in (0, 2, 1 << 31):
        outcome = scene.submit(SetTerms(slot, 2, TermsKind.FUTURE, DEAR))
        assert outcome.name == "UNDERLYING_NOT_FOUND"
        assert scene.submit(SetUnderlying(slot, 2, 1, 10**9)).name == "UNDERLYING_NOT_FOUND"
    for version in (0, 1, 3, (1 << 32) - 1):
        outcome = scene.submit(SetTerms(1, version, TermsKind.FUTURE, DEAR))
        assert outcome.name == "VERSION_MISMATCH"
        assert scene.submit(set_underlying(version)).name == "VERSION_MISMATCH"
    assert scene.submit(SetTerms(1, 2, TermsKind.FUTURE, DEAR)).is_applied
    assert scene.submit(set_underlying(2)).name == "VERSION_MISMATCH", "both count one record"
    assert scene.submit(set_underlying(3)).is_applied


# Grids


def test_an_expiry_keeps_its_strikes_and_a_new_one_has_the_new_step(scene: Scene) -> None:
    strike = STRIKE_ATOMS
    assert scene.submit(ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, strike)).is_applied
    assert scene.submit(set_underlying(2, step=300_000_000)).is_applied
    assert scene.events() == [TermsChanged(1, 2)]
    near, off = strike + 1_000_000_000, strike + 100_000_000
    for expiry_ns, listed, name in (
        (EXPIRY_NS, strike, "INSTRUMENT_EXISTS"),
        (EXPIRY_NS, near, "APPLIED"),
        (EXPIRY_NS, off, "OFF_GRID"),
        (EARLIER_NS, strike, "OFF_GRID"),
        (EARLIER_NS, off, "APPLIED"),
        (EARLIER_NS, off, "INSTRUMENT_EXISTS"),
    ):
        outcome = scene.submit(ListInstrument(1, InstrumentKind.CALL, expiry_ns, listed))
        assert outcome.name == name, (expiry_ns, listed)
    steps = [
        ExpiryRecord.unpack(scene.engine.read(ArenaId.EXPIRIES, slot)).strike_step_atoms
        for slot in (1, 2)
    ]
    assert steps == [GRID.strike_step_atoms, 300_000_000]


def test_a_tick_table_holds_for_books_listed_afterwards(scene: Scene, call: int) -> None:
    table = ((1_000, 5), (20_000, 50))
    assert scene.submit(SetUnderlying(1, 2, 1, 1_000_000_000, table)).is_applied
    assert scene.submit(Remark(instrument(scene, call).expiry)).is_applied
    assert instrument(scene, call).tick_from == [0, 0, 0]
    later = ListInstrument(1, InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    assert scene.submit(later).is_applied
    record = instrument(scene, 2)
    assert (record.tick_from, record.tick_step) == ([1_000, 20_000, 0], [5, 50, 0])
    assert scene.submit(set_underlying(3)).is_applied
    assert underlying(scene).tick_from == [0, 0, 0], "a shorter table leaves no row behind"


@pytest.mark.parametrize(
    "unsound",
    [
        SetUnderlying(1, 2, 0, 10**9), SetUnderlying(1, 2, QUORUM_MAX + 1, 10**9),
        SetUnderlying(1, 2, 1, 0), SetUnderlying(1, 2, 1, 1 << 40),
        SetUnderlying(1, 2, 1, 10**9, ((5, 1), (5, 2))), SetUnderlying(1, 2, 1, 10**9, ((5, 0),)),
        SetUnderlying(1, 2, 1, 10**9, ((0, 5),)), SetUnderlying(1, 2, 1, 10**9, ((1 << 24, 5),)),
        SetUnderlying(1, 2, 1, 10**9, ((5, 1 << 24),)),
        SetUnderlying(1, 2, 1, 10**9, ((0, 0), (7, 5))),
        SetUnderlying(1, 2, 1, 10**9, ((9, 1), (7, 5))),
        SetUnderlying(1, 2, 1, 10**9, (), MarginTerms(beta_ppm=1_000_001)),
        SetUnderlying(1, 2, 1, 10**9, (), MarginTerms(concentration_ppm=10_000_001)),
    ],
    ids=str,
)  # fmt: skip
def test_a_grid_rejects_what_genesis_refuses(scene: Scene, unsound: SetUnderlying) -> None:
    assert scene.submit(unsound).name == "PARAMETERS_INVALID"
    assert underlying(scene).version == 1


def test_a_quorum_is_no_more_than_there_are_publishers(scene: Scene) -> None:
    assert scene.submit(set_underlying(2, quorum=2)).name == "QUORUM_UNREACHABLE"
    assert names(scene, set_publisher(2, 1, "second"), set_publisher(1, 2, "")) == ["APPLIED"] * 2
    assert scene.submit(set_underlying(2, quorum=2)).name == "QUORUM_UNREACHABLE", "one has no key"


def test_the_highest_quorum_fits_one_entry_and_one_more_does_not() -> None:
    expiries = tuple(range(EXPIRIES_PER_UNDERLYING_MAX))

    def size(command: Command) -> int:
        return len(Entry(1, 1, command).encode())

    def forwards(count: int) -> ForwardCurve:
        rows = [ForwardObservation(place, expiries, bytes(64)) for place in range(count)]
        return ForwardCurve(1, 1, expiries, tuple(rows))

    slices = tuple(SurfaceSlice(expiry, 1, 1, 1, 1, 1) for expiry in expiries)
    signatures = tuple(SurfaceSignature(place, bytes(64)) for place in range(QUORUM_MAX))
    assert size(forwards(QUORUM_MAX)) <= ENTRY_BYTES_MAX < size(forwards(QUORUM_MAX + 1))
    assert size(VolSurface(1, 1, slices, signatures)) <= ENTRY_BYTES_MAX


def test_requests_of_the_governor_are_consumed_even_if_they_are_rejected() -> None:
    scene = Scene(ENGINES["spec"])
    before = GlobalRecord.unpack(scene.engine.read(ArenaId.GLOBAL, 0)).inbox_position
    rejected = (
        SetParameters(9, PARAMETERS),
        set_publisher(9, 1, "x"),
        SetTerms(9, 2, TermsKind.OPTION, OPTION_TERMS),
        SetUnderlying(9, 2, 1, 1),
    )
    assert all(scene.submit(command).name != "APPLIED" for command in rejected)
    after = GlobalRecord.unpack(scene.engine.read(ArenaId.GLOBAL, 0)).inbox_position
    assert after == before + 4
