"""Stories for vectors that are told about the governor."""

from proofbook.protocol.commands import (
    Command,
    ListInstrument,
    Remark,
    SetInstrument,
    SetParameters,
    SetPublisher,
    SetSettlement,
    SetTerms,
    SetToken,
    SetUnderlying,
)
from proofbook.protocol.limits import (
    NS_PER_DAY,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Side,
    TermsKind,
)
from proofbook.protocol.terms import MarginParameters, MarginTerms, Terms
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS, Scene, key_of
from proofbook.simulator.workload import address_of

MARK = 800_000
DEAR = Terms(
    100_000, 100_000, maker_fee_ppm=500, taker_fee_ppm=800, band_ppm=50_000,
    lots_min=5, lots_max=50, block_lots_min=7,
)  # fmt: skip
NO_KEY = bytes(20)

GOVERNOR_SAMPLES: tuple[Command, ...] = (
    SetParameters(2, MarginParameters(150_000, 1, 2, 3, 1_100_000, 4)),
    SetPublisher(2, 1, b"\x44" * 20),
    SetTerms(1, 2, TermsKind.OPTION, DEAR),
    SetUnderlying(1, 3, 2, 500_000_000, ((1_000, 5), (20_000, 50)), MarginTerms(7, 8, 9)),
    SetToken(1, 2, 80_000, 10**11),
    SetInstrument(1 << 16 | 6, InstrumentState.OPEN, InstrumentMode.BATCH_AUCTION, 0, 250),
    SetSettlement(2, EXPIRY_NS, 81_000_000_000),
)
"""One of each, not all of them sound."""


def governance_story(scene: Scene) -> Scene:
    """Parameters, publishers, terms and grids: changed, and refused for each reason."""
    second = address_of(key_of("second"))
    perpetual = scene.open_perpetual()
    scene.submit(ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS))
    scene.resting("bob", perpetual, Side.SELL, MARK, 6, max_fee_ppm=400)
    parameters = MarginParameters(spot_range_ppm=200_000, initial_factor_ppm=1_500_000)
    later = ListInstrument(1, InstrumentKind.PUT, EXPIRY_NS - NS_PER_DAY, STRIKE_ATOMS + 10**8)
    commands = (
        SetParameters(3, parameters),
        SetParameters(2, MarginParameters(initial_factor_ppm=1)),
        SetParameters(2, parameters),
        SetPublisher(3, 1, second),
        SetPublisher(1, 2, NO_KEY),
        SetPublisher(2, 1, address_of(key_of("publisher"))),
        SetPublisher(2, 1, second),
        SetUnderlying(1, 2, 3, 300_000_000),
        SetUnderlying(1, 2, 8, 300_000_000),
        SetUnderlying(1, 2, 1, 300_000_000, (), MarginTerms(beta_ppm=1_000_001)),
        SetUnderlying(1, 2, 1, 300_000_000, ((1_000, 5), (20_000, 50)), MarginTerms(9, 8, 7)),
        SetUnderlying(2, 2, 1, 300_000_000),
        SetTerms(1, 2, TermsKind.PERPETUAL, DEAR),
        SetTerms(1, 3, TermsKind.PERPETUAL, Terms(1, 1)),
        SetTerms(1, 3, TermsKind.PERPETUAL, DEAR),
        later,
        Remark(1),
    )
    for command in commands:
        scene.submit(command)
    scene.place("ann", perpetual, Side.BUY, MARK, 4)
    scene.place("ann", perpetual, Side.BUY, MARK, 5)
    scene.submit(SetPublisher(1, 2, NO_KEY))
    scene.publish_index()
    scene.submit(SetPublisher(1, 3, address_of(key_of("other"))))
    scene.publish_index()
    for number in range(3, 18):
        scene.submit(SetPublisher(number, 1, address_of(key_of(f"publisher {number}"))))
    return scene
