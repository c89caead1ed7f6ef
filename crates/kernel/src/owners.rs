//! Owners: what the accounts of one address hold together, in each underlying.
//!
//! What cannot be closed at the mark is a matter of size, and an owner's size is that of all his
//! accounts. His record is found by 24 bits of the hash of his address, or at one of the places
//! that follow. If others have taken all of these places, or the arenas are full, he has no record,
//! and each of his accounts stands for itself. Nobody gains by that, for he could have taken two
//! addresses. All owners together need no more than a sixteenth of the nodes of tries.

use crate::arena::NO_SLOT;
use crate::commands::Address;
use crate::keccak::keccak256;
use crate::limits::PRICE_TICKS_BITS;
use crate::records::{account, global, instrument, node, owner};
use crate::store::Store;
use crate::trie::{self, PRICE_DEPTH};
use crate::world::World;

const KEY_BYTES: usize = PRICE_TICKS_BITS as usize / 8;
const PLACES_PER_OWNER: u32 = 8;

/// Tie a new account to the record of its owner, made if it is his first one.
pub fn join<S: Store>(world: &mut World<S>, account: u32) {
    let address = world.account(account, account::OWNER);
    for key in places(&address) {
        let root = world.header(global::OWNERS_ROOT);
        let slot = match trie::find(world.store, root, key, PRICE_DEPTH) {
            NO_SLOT => make(world, address, key),
            slot => slot,
        };
        if slot == NO_SLOT {
            return;
        }
        if world.owner(slot, owner::ADDRESS) == address {
            return world.set_account(account, account::OWNER_RECORD, slot);
        }
    }
}

/// Return where an owner's record may be, in the order in which it is looked for.
fn places(address: &Address) -> impl Iterator<Item = u32> {
    let digest = keccak256(address);
    let first = digest[..KEY_BYTES].iter().fold(0, |key, &byte| key << 8 | byte as u32);
    (0..PLACES_PER_OWNER).map(move |place| (first + place) % (1 << PRICE_TICKS_BITS))
}

/// Return a new owner's record, found by the key; 0 if the arenas have no room.
fn make<S: Store>(world: &mut World<S>, address: Address, key: u32) -> u32 {
    if !(world.has_room(owner::ARENA, 1) && world.has_room(node::ARENA, PRICE_DEPTH)) {
        return NO_SLOT;
    }
    let slot = world.allocate(owner::ARENA);
    world.set_owner(slot, owner::ADDRESS, address);
    let root = world.header(global::OWNERS_ROOT);
    let root = trie::insert(world.store, root, key, PRICE_DEPTH, slot);
    world.set_header(global::OWNERS_ROOT, root);
    slot
}

/// Count what a position has become for its owner, in 1e-9 units of the underlying.
pub fn count<S: Store>(
    world: &mut World<S>,
    account: u32,
    instrument: u32,
    lots_before: i64,
    lots_after: i64,
) {
    let slot = world.account(account, account::OWNER_RECORD);
    if slot == NO_SLOT {
        return;
    }
    let underlying = world.instrument(instrument, instrument::UNDERLYING);
    let lot_nanos = world.instrument(instrument, instrument::LOT_NANOS);
    let grown_lots = lots_after.abs() - lots_before.abs();
    let field = owner::GROSS_NANOS.item(underlying - 1);
    let gross_nanos = world.owner(slot, field) + grown_lots as i128 * lot_nanos as i128;
    world.set_owner(slot, field, gross_nanos);
}

/// Return what the owner of an account holds in an underlying; 0 if he has no record.
///
/// What has its final mark counts until its positions are closed: no more than before it.
pub fn gross_nanos<S: Store>(world: &World<S>, account: u32, underlying: u32) -> i128 {
    match world.account(account, account::OWNER_RECORD) {
        NO_SLOT => 0,
        slot => world.owner(slot, owner::GROSS_NANOS.item(underlying - 1)),
    }
}
