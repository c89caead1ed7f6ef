"""What the accounts of one owner hold together, and what its size costs each of them."""

from proofbook.protocol.commands import Deposit, SetUnderlying, Transfer
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import FIRST_USER_ACCOUNT, ArenaId, Reject, Side
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import (
    AccountRecord,
    GlobalRecord,
    NodeRecord,
    OwnerRecord,
    RiskArrayRecord,
)
from proofbook.protocol.terms import MarginTerms
from proofbook.simulator.scene import GRID, USDC, Scene
from proofbook.spec.trie import PRICE_DEPTH

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
BITCOIN = 10_000
"""Lots of the perpetual in one unit."""

UNIT_NANOS = 10**9
VALUE_ATOMS = 80_000 * USDC
RATE_PPM = 100_000
THRESHOLD = 10
"""Units beyond which an owner's size costs 10 %."""
AT_ONE_PLACE = (
    834730, 5211711, 5842002, 7290103, 8314899, 8561982, 9557578, 9810038, 10221138,
)  # fmt: skip
"""Owners, as addresses of 20 bytes, whose hashes begin with the same 24 bits, by a search."""
AT_THE_LAST_PLACE = (11453791, 32816848)
"""The same, with 24 bits set."""


def charge(scene: Scene, rate_ppm: int = RATE_PPM, threshold: int = THRESHOLD) -> None:
    """Let the governor charge what an owner holds beyond so many units."""
    terms = MarginTerms(1_000_000, rate_ppm, threshold * UNIT_NANOS)
    outcome = scene.submit(SetUnderlying(1, 2, 1, GRID.strike_step_atoms, (), terms))
    assert outcome.is_applied, outcome.name


def trade(scene: Scene, buyer: str, seller: str, perpetual: int, units: int) -> None:
    """Trade at the mark without a fee that matters here."""
    scene.resting(seller, perpetual, SELL, MARK, units * BITCOIN)
    outcome = scene.place(buyer, perpetual, BUY, MARK, units * BITCOIN)
    assert outcome.is_applied, outcome.name


def owner_of(scene: Scene, name: str) -> OwnerRecord:
    account = AccountRecord.unpack(scene.engine.read(ArenaId.ACCOUNTS, scene.accounts[name]))
    return OwnerRecord.unpack(scene.engine.read(ArenaId.OWNERS, account.owner_record))


def send(scene: Scene, name: str, amount_atoms: int) -> Outcome:
    header = scene.header(name)
    return scene.submit(Transfer(*header, scene.accounts["cid"], 0, amount_atoms), name)


def has_free(scene: Scene, name: str, free_atoms: int) -> None:
    """Assert that exactly so much money may leave the account."""
    assert send(scene, name, free_atoms + 1).reason == Reject.INSUFFICIENT_MARGIN
    assert send(scene, name, free_atoms).is_applied


def scenarios(scene: Scene, perpetual: int, units: int) -> int:
    """Return what units of the perpetual need without what their size costs."""
    array = RiskArrayRecord.unpack(scene.engine.read(ArenaId.RISK_ARRAYS, perpetual & 0xFFFF))
    per_lot = -min(array.core + array.tails) + abs(array.basis_atoms)
    return units * BITCOIN * per_lot


def fee_atoms(units: int, fee_ppm: int) -> int:
    return units * VALUE_ATOMS * fee_ppm // 10**6


def test_accounts_of_an_owner_share_a_record(scene: Scene) -> None:
    scene.deposit("ann2", USDC, owner="ann")
    records = [
        AccountRecord.unpack(scene.engine.read(ArenaId.ACCOUNTS, scene.accounts[name]))
        for name in ("ann", "ann2", "bob")
    ]
    assert [record.owner_record for record in records] == [1, 1, 2]
    assert owner_of(scene, "ann2").address == records[0].owner
    assert GlobalRecord.unpack(scene.engine.read(ArenaId.GLOBAL, 0)).owners_root != 0
    venue = AccountRecord.unpack(scene.engine.read(ArenaId.ACCOUNTS, 1))
    assert venue.owner_record == 0, "the fund holds no positions that a size could make dear"


def join(scene: Scene, owners: tuple[int, ...]) -> list[int]:
    """Open an account for each address; return the numbers of the owners' records."""
    found: list[int] = []
    for number in owners:
        account = FIRST_USER_ACCOUNT + len(scene.accounts)
        outcome = scene.submit(Deposit(account, number.to_bytes(20, "big"), 0, 0, USDC))
        assert outcome.is_applied, outcome.name
        scene.accounts[f"{number} {account}"] = account
        record = AccountRecord.unpack(scene.engine.read(ArenaId.ACCOUNTS, account))
        found.append(record.owner_record)
    return found


def test_eight_owners_find_room_where_their_hashes_meet(scene: Scene) -> None:
    assert len({keccak(number.to_bytes(20, "big"))[:3] for number in AT_ONE_PLACE}) == 1
    records = join(scene, AT_ONE_PLACE)
    first = records[0]
    assert records == [*range(first, first + 8), 0], "the ninth stands for himself"
    again = join(scene, AT_ONE_PLACE)
    assert again == records, "each is found again"


def test_the_place_after_the_last_is_the_first(scene: Scene) -> None:
    assert {keccak(number.to_bytes(20, "big"))[:3] for number in AT_THE_LAST_PLACE} == {b"\xff" * 3}
    first, second = join(scene, AT_THE_LAST_PLACE)
    assert 0 < first < second


def test_owners_leave_the_nodes_of_tries_to_books(scene: Scene) -> None:
    """A new owner has no trie of his own: a million of them need a sixteenth of the nodes."""
    owners = 200
    join(scene, tuple(range(1, 1 + owners)))
    root = GlobalRecord.unpack(scene.engine.read(ArenaId.GLOBAL, 0)).owners_root
    assert owners < nodes_below(scene, root, PRICE_DEPTH) < 1 + 64 + 2 * (owners + 3)


def nodes_below(scene: Scene, slot: int, depth: int) -> int:
    """Return how many nodes a trie has."""
    if slot == 0 or depth == 0:
        return 0
    node = NodeRecord.unpack(scene.engine.read(ArenaId.NODES, slot))
    return 1 + sum(nodes_below(scene, child, depth - 1) for child in node.children)


def test_size_is_counted_in_both_directions_over_all_accounts(
    scene: Scene, perpetual: int, call: int
) -> None:
    scene.deposit("ann2", 1_000_000 * USDC, owner="ann")
    trade(scene, "ann", "bob", perpetual, 3)
    trade(scene, "bob", "ann2", perpetual, 5)
    assert owner_of(scene, "ann").gross_nanos[0] == 8 * UNIT_NANOS
    assert owner_of(scene, "bob").gross_nanos[0] == 2 * UNIT_NANOS
    scene.resting("bob", call, SELL, 40_000, 50)
    assert scene.place("ann", call, BUY, 40_000, 50).is_applied
    assert owner_of(scene, "ann").gross_nanos[0] == 8 * UNIT_NANOS + 50 * 10_000_000
    trade(scene, "bob", "ann", perpetual, 3)
    assert owner_of(scene, "ann").gross_nanos[0] == 5 * UNIT_NANOS + 50 * 10_000_000


def test_size_beyond_the_threshold_is_charged_by_share(scene: Scene, perpetual: int) -> None:
    """Alone with 10 units nothing; beside 10 of another account half of 10 % of their value."""
    scene.deposit("ann2", 1_000_000 * USDC, owner="ann")
    charge(scene)
    trade(scene, "ann", "bob", perpetual, 10)
    free = 1_000_000 * USDC - fee_atoms(10, 400) - scenarios(scene, perpetual, 10)
    held = 10 * VALUE_ATOMS * RATE_PPM // 10**6 // 2
    assert send(scene, "ann", free + 1).reason == Reject.INSUFFICIENT_MARGIN
    assert send(scene, "ann", free - held - 1).is_applied
    trade(scene, "ann2", "cid", perpetual, 10)
    has_free(scene, "ann", 1)
    has_free(scene, "ann2", free - held)


def test_an_order_counts_with_its_lots(scene: Scene, perpetual: int) -> None:
    """20 units bid, beside a position of 10: (30 − 15) ÷ 30 of 10 % on 30."""
    charge(scene, threshold=15)
    trade(scene, "ann", "bob", perpetual, 10)
    scene.resting("ann", perpetual, BUY, MARK, 20 * BITCOIN, max_fee_ppm=400)
    margin = scenarios(scene, perpetual, 30) + fee_atoms(20, 400)
    free = 1_000_000 * USDC - fee_atoms(10, 400) - margin - 3 * VALUE_ATOMS // 2
    has_free(scene, "ann", free)


def test_a_rate_of_nothing_charges_nothing(scene: Scene, perpetual: int) -> None:
    charge(scene, 0, 0)
    trade(scene, "ann", "bob", perpetual, 10)
    free = 1_000_000 * USDC - fee_atoms(10, 400) - scenarios(scene, perpetual, 10)
    has_free(scene, "ann", free)
