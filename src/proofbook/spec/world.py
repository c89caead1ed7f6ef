"""The state: sixteen arenas, the global record, and the events of the entry at hand."""

from collections.abc import Iterator
from typing import Any

from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.events import Event
from proofbook.protocol.genesis import Genesis, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, STATE_ARENAS, ArenaId
from proofbook.protocol.records import (
    AccountRecord,
    ExpiryRecord,
    FeeScheduleRecord,
    GlobalRecord,
    InstrumentRecord,
    LevelRecord,
    NodeRecord,
    OrderRecord,
    ParametersRecord,
    PositionRecord,
    ProtectionRecord,
    PublisherRecord,
    RiskArrayRecord,
    SignerRecord,
    TriggerRecord,
    UnderlyingRecord,
)
from proofbook.spec import accumulator
from proofbook.spec.arena import WORD_BYTES, Arena, Tree

PARAMETERS_SLOT = 1
EPOCH_MASK = 0xFFFF_FFFF


class World:
    """Records by class, reachable by slot, and the root over all of them."""

    def __init__(self) -> None:
        self.header = GlobalRecord()
        self.header_tree = Tree(GlobalRecord.WORDS.bit_length() - 1)
        self.accounts = Arena(AccountRecord)
        self.signers = Arena(SignerRecord)
        self.positions = Arena(PositionRecord)
        self.orders = Arena(OrderRecord)
        self.nodes = Arena(NodeRecord)
        self.levels = Arena(LevelRecord)
        self.instruments = Arena(InstrumentRecord)
        self.risk_arrays = Arena(RiskArrayRecord)
        self.expiries = Arena(ExpiryRecord)
        self.underlyings = Arena(UnderlyingRecord)
        self.publishers = Arena(PublisherRecord)
        self.parameters = Arena(ParametersRecord)
        self.triggers = Arena(TriggerRecord)
        self.protections = Arena(ProtectionRecord)
        self.fee_schedules = Arena(FeeScheduleRecord)
        self.events: list[Event] = []

    @property
    def arenas(self) -> dict[ArenaId, Arena[Any]]:
        """Every arena but the global one, by its place under the state root."""
        arenas = (
            self.accounts, self.signers, self.positions, self.orders, self.nodes, self.levels,
            self.instruments, self.risk_arrays, self.expiries, self.underlyings, self.publishers,
            self.parameters, self.triggers, self.protections, self.fee_schedules,
        )  # fmt: skip
        return {arena.record_type.ARENA: arena for arena in arenas}

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def arena_roots(self) -> list[bytes]:
        """Return the 16 leaves of the top tree; absent arenas are zero."""
        data = self.header.pack()
        for index in range(GlobalRecord.WORDS):
            self.header_tree.set(index, data[index * WORD_BYTES : (index + 1) * WORD_BYTES])
        roots = {int(place): arena.root() for place, arena in self.arenas.items()}
        roots[ArenaId.GLOBAL] = self.header_tree.root()
        return [roots.get(place, bytes(32)) for place in range(STATE_ARENAS)]

    def root(self) -> bytes:
        """Return the state root."""
        level = self.arena_roots()
        while len(level) > 1:
            level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
        return level[0]

    def account_exists(self, slot: int) -> bool:
        """Whether an account has been made in this slot; accounts are never freed."""
        return slot in self.accounts

    def is_deadline_passed(self, account: int) -> bool:
        """Whether the account's dead-man deadline is over and its orders are dead with it."""
        deadline_ns = self.accounts[account].dead_man_ns
        return deadline_ns != 0 and self.header.window_ns > deadline_ns

    def live_epoch(self, account: int) -> int:
        """Return the epoch that an order must have to be alive: none has it after a deadline."""
        raised = self.is_deadline_passed(account)
        return (self.accounts[account].order_epoch + raised) & EPOCH_MASK

    def positions_of(self, account: int) -> Iterator[PositionRecord]:
        """Yield the account's positions in the order in which they were opened."""
        slot = self.accounts[account].positions_head
        while slot:
            yield self.positions[slot]
            slot = self.positions[slot].next_in_account


def world_from_genesis(data: bytes, chain_id: int, contract: bytes) -> World:
    """Return state 0. Raises Malformed for bytes that are no canonical genesis."""
    genesis = Genesis.decode(data)
    world = World()
    header = world.header
    header.protocol_version = genesis.protocol_version
    header.parameter_version = 1
    header.genesis_ns = genesis.genesis_ns
    header.window_ns = header.previous_window_ns = header.last_received_ns = genesis.genesis_ns
    header.image_hash = genesis.image_hash
    header.domain_separator = domain_separator(chain_id, contract)
    header.withdrawal_root = accumulator.EMPTY_ROOT
    _add_parameters(world, genesis)
    for address in genesis.publishers:
        world.publishers.allocate()[1].address = address
    for grid in genesis.underlyings:
        _add_underlying(world, grid)
    assert add_account(world, genesis.fund_owner, 0) == FUND_ACCOUNT
    assert add_account(world, genesis.fee_owner, 0) == FEE_ACCOUNT
    return world


def add_account(world: World, owner: bytes, subaccount: int) -> int:
    """Make an account with its owner's key as session 0; return its slot.

    The caller has asked for room.
    """
    slot, account = world.accounts.allocate()
    signer_slot, signer = world.signers.allocate()
    account.owner = owner
    account.subaccount = subaccount
    account.signers[0] = signer_slot
    signer.address = owner
    signer.account = slot
    signer.nonce_bitmap = (1).to_bytes(32, "little")
    return slot


def _add_parameters(world: World, genesis: Genesis) -> None:
    slot, record = world.parameters.allocate()
    assert slot == PARAMETERS_SLOT
    record.version = world.header.parameter_version
    record.spot_range_ppm = genesis.parameters.spot_range_ppm
    record.vol_up_ppm = genesis.parameters.vol_up_ppm
    record.vol_down_ppm = genesis.parameters.vol_down_ppm
    record.vol_up_floor_ppm = genesis.parameters.vol_up_floor_ppm
    record.initial_factor_ppm = genesis.parameters.initial_factor_ppm
    record.maintenance_factor_ppm = genesis.parameters.maintenance_factor_ppm


def _add_underlying(world: World, grid: UnderlyingGrid) -> None:
    _, record = world.underlyings.allocate()
    record.symbol = grid.symbol.encode().ljust(8, b"\0")
    record.quorum = grid.quorum
    record.strike_step_atoms = grid.strike_step_atoms
    for place, terms in enumerate(grid.terms):
        record.tick_atoms[place] = terms.tick_atoms
        record.lot_nanos[place] = terms.lot_nanos
        record.lots_min[place] = terms.lots_min
        record.lots_max[place] = terms.lots_max
        record.block_lots_min[place] = terms.block_lots_min
        record.maker_fee_ppm[place] = terms.maker_fee_ppm
        record.taker_fee_ppm[place] = terms.taker_fee_ppm
        record.band_ppm[place] = terms.band_ppm
    for place, (start, step) in enumerate(grid.tick_table):
        record.tick_from[place], record.tick_step[place] = start, step
