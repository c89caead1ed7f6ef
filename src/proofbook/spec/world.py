"""The world: all that the state machine knows, as records by number.

The records are the state, and the state root commits to every word of them. The events of the entry
at hand are told to whoever listens, and are no part of it.
"""

from collections.abc import Iterator
from typing import Any

from proofbook.protocol.events import Event
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import STATE_ARENAS, ArenaId
from proofbook.protocol.records import (
    AccountRecord,
    AuctionRecord,
    DeleveragingRecord,
    ExpiryRecord,
    FeeScheduleRecord,
    GlobalRecord,
    InstrumentRecord,
    LevelRecord,
    NodeRecord,
    OrderRecord,
    OwnerRecord,
    ParametersRecord,
    PositionRecord,
    ProtectionRecord,
    PublisherRecord,
    RiskArrayRecord,
    SignerRecord,
    TokenRecord,
    TriggerRecord,
    UnderlyingRecord,
)
from proofbook.spec.arena import WORD_BYTES, Arena, Tree

PARAMETERS_SLOT = 1
NOBODY = bytes(20)
"""The address that no key has: the one of a publisher whose key was taken away."""
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
        self.owners = Arena(OwnerRecord)
        self.tokens = Arena(TokenRecord)
        self.auctions = Arena(AuctionRecord)
        self.deleveragings = Arena(DeleveragingRecord)
        self.events: list[Event] = []

    @property
    def arenas(self) -> dict[ArenaId, Arena[Any]]:
        """Every arena but the global one, by its place under the state root."""
        arenas = (
            self.accounts, self.signers, self.positions, self.orders, self.nodes, self.levels,
            self.instruments, self.risk_arrays, self.expiries, self.underlyings, self.publishers,
            self.parameters, self.triggers, self.protections, self.fee_schedules, self.owners,
            self.tokens, self.auctions, self.deleveragings,
        )  # fmt: skip
        return {arena.record_type.ARENA: arena for arena in arenas}

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def arena_roots(self) -> list[bytes]:
        """Return the leaves of the top tree; absent arenas are zero."""
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

    def publisher_exists(self, number: int) -> bool:
        """Whether a publisher has this number, and a key."""
        return number in self.publishers and self.publishers[number].address != NOBODY

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
