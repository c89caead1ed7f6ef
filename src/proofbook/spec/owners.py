"""Owners: what the accounts of one address hold together, in each underlying.

What cannot be closed at the mark is a matter of size, and an owner's size is that of all his
accounts. His record is found by 24 bits of the hash of his address, or at one of the places that
follow. If others have taken all of these places, or the arenas are full, he has no record, and each
of his accounts stands for itself. Nobody gains by that, for he could have taken two addresses. All
owners together need no more than a sixteenth of the nodes of tries.
"""

from collections.abc import Iterator

from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import PRICE_TICKS_BITS
from proofbook.spec import trie
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.world import World

KEY_BYTES = PRICE_TICKS_BITS // 8
PLACES_PER_OWNER = 8


def join(world: World, account: int) -> None:
    """Tie a new account to the record of its owner, made if it is his first one."""
    address = world.accounts[account].owner
    for key in _places(address):
        slot = trie.find(world.nodes, world.header.owners_root, key, trie.PRICE_DEPTH)
        if slot == NO_SLOT:
            slot = _make(world, address, key)
        if slot == NO_SLOT:
            return
        if world.owners[slot].address == address:
            world.accounts.edit(account).owner_record = slot
            return


def _places(address: bytes) -> Iterator[int]:
    """Yield where an owner's record may be, in the order in which it is looked for."""
    first = int.from_bytes(keccak(address)[:KEY_BYTES], "big")
    for place in range(PLACES_PER_OWNER):
        yield (first + place) % (1 << PRICE_TICKS_BITS)


def _make(world: World, address: bytes, key: int) -> int:
    """Return a new owner's record, found by the key; 0 if the arenas have no room."""
    if not (world.owners.has_room(1) and world.nodes.has_room(trie.PRICE_DEPTH)):
        return NO_SLOT
    slot, record = world.owners.allocate()
    record.address = address
    root = world.header.owners_root
    world.header.owners_root = trie.insert(world.nodes, root, key, trie.PRICE_DEPTH, slot)
    return slot


def count(world: World, account: int, instrument: int, lots_before: int, lots_after: int) -> None:
    """Count what a position has become for its owner, in 1e-9 units of the underlying."""
    slot = world.accounts[account].owner_record
    if slot == NO_SLOT:
        return
    listed = world.instruments[instrument]
    grown_lots = abs(lots_after) - abs(lots_before)
    world.owners.edit(slot).gross_nanos[listed.underlying - 1] += grown_lots * listed.lot_nanos


def gross_nanos(world: World, account: int, underlying: int) -> int:
    """Return what the owner of an account holds in an underlying; 0 if he has no record.

    What has its final mark counts until its positions are closed: no more than before it.
    """
    slot = world.accounts[account].owner_record
    return world.owners[slot].gross_nanos[underlying - 1] if slot else 0
