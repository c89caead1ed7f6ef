"""Owners: what the accounts of one address hold together, in each underlying.

An owner's record is found by 48 bits of the hash of his address, in two tries, one in the other.
Who shares them with an owner before him, or comes when the arenas are full, has no record: each of
his accounts then stands for itself. Nobody gains by that, for he could have taken two addresses.
"""

from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import PRICE_TICKS_BITS
from proofbook.spec import trie
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.world import World

KEY_BYTES = PRICE_TICKS_BITS // 8
NODES_PER_OWNER = 2 * trie.PRICE_DEPTH


def join(world: World, account: int) -> None:
    """Tie a new account to the record of its owner, made if it is his first one."""
    address = world.accounts[account].owner
    outer_key, inner_key = _keys(address)
    root = world.header.owners_root
    inner = trie.find(world.nodes, root, outer_key, trie.PRICE_DEPTH)
    slot = trie.find(world.nodes, inner, inner_key, trie.PRICE_DEPTH)
    if slot == NO_SLOT:
        if not (world.owners.has_room(1) and world.nodes.has_room(NODES_PER_OWNER)):
            return
        slot, record = world.owners.allocate()
        record.address = address
        grown = trie.insert(world.nodes, inner, inner_key, trie.PRICE_DEPTH, slot)
        if inner == NO_SLOT:
            root = trie.insert(world.nodes, root, outer_key, trie.PRICE_DEPTH, grown)
            world.header.owners_root = root
    if world.owners[slot].address == address:
        world.accounts.edit(account).owner_record = slot


def _keys(address: bytes) -> tuple[int, int]:
    """Return where the two tries have an owner."""
    digest = keccak(address)
    outer, inner = digest[:KEY_BYTES], digest[KEY_BYTES : 2 * KEY_BYTES]
    return int.from_bytes(outer, "big"), int.from_bytes(inner, "big")


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
