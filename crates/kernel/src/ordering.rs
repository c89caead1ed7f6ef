//! Time and order of entries: the key that must rise, and the header that every entry moves.

use alloc::vec::Vec;

use crate::commands::Party;
use crate::entry::{Entry, FIRST_SIGNED_TAG, own_class};
use crate::keccak::{hash_pair, keccak256};
use crate::records::{account, global};
use crate::sessions::signer_slot;
use crate::store::Store;
use crate::world::World;

/// Return max(own class, classes of its accounts' previous entries in the same window).
pub fn effective_class<S: Store>(world: &World<S>, entry: &Entry) -> u8 {
    ordered_accounts(world, entry)
        .filter(|&slot| world.account(slot, account::LAST_WINDOW_NS) == entry.window_ns)
        .map(|slot| world.account(slot, account::LAST_CLASS))
        .fold(own_class(&entry.command), u8::max)
}

/// Return the accounts in whose own order the entry stands.
///
/// Those alone whose key there is: nobody has signed in an empty slot of an account's sessions.
fn ordered_accounts<S: Store>(world: &World<S>, entry: &Entry) -> impl Iterator<Item = u32> {
    let has_key = |party: &Party| signer_slot(world, party).is_some();
    entry.ordered_parties().filter(has_key).map(|party| party.header.account)
}

/// Return whether the entry's key exceeds the last one and it was received inside its window.
///
/// And after what its accounts have signed in the same window: an account's own order holds.
pub fn is_in_order<S: Store>(world: &World<S>, entry: &Entry) -> bool {
    let window_ns = world.header(global::WINDOW_NS);
    let is_new_window = entry.window_ns > window_ns;
    let previous_ns =
        if is_new_window { window_ns } else { world.header(global::PREVIOUS_WINDOW_NS) };
    let key = (entry.window_ns, effective_class(world, entry), entry.received_ns);
    let last_class = world.header(global::LAST_CLASS);
    let last_key = (window_ns, last_class, world.header(global::LAST_RECEIVED_NS));
    let is_received_inside =
        previous_ns < entry.received_ns && entry.received_ns <= entry.window_ns;
    is_received_inside && key > last_key && follows_own(world, entry)
}

/// Return whether each of its accounts had its previous entry received before it.
fn follows_own<S: Store>(world: &World<S>, entry: &Entry) -> bool {
    ordered_accounts(world, entry)
        .filter(|&slot| world.account(slot, account::LAST_WINDOW_NS) == entry.window_ns)
        .all(|slot| entry.received_ns > world.account(slot, account::LAST_RECEIVED_NS))
}

/// Count the entry and record its key, in the header and in its accounts.
pub fn advance_header<S: Store>(world: &mut World<S>, entry: &Entry) {
    let class = effective_class(world, entry);
    world.set_header(global::SEQ, world.header(global::SEQ) + 1);
    let window_ns = world.header(global::WINDOW_NS);
    if entry.window_ns > window_ns {
        world.set_header(global::PREVIOUS_WINDOW_NS, window_ns);
        world.set_header(global::WINDOW_NS, entry.window_ns);
    }
    world.set_header(global::LAST_CLASS, class);
    world.set_header(global::LAST_RECEIVED_NS, entry.received_ns);
    let accounts: Vec<u32> = ordered_accounts(world, entry).collect();
    for slot in accounts {
        world.set_account(slot, account::LAST_WINDOW_NS, entry.window_ns);
        world.set_account(slot, account::LAST_RECEIVED_NS, entry.received_ns);
        world.set_account(slot, account::LAST_CLASS, class);
    }
}

/// Return whether the entry carries a request of the inbox.
pub fn is_request(entry: &Entry) -> bool {
    entry.command_bytes[0] < FIRST_SIGNED_TAG
}

/// Move inbox position and prefix hash over a command that came from the inbox; ignore all others.
pub fn consume_request<S: Store>(world: &mut World<S>, entry: &Entry) {
    if is_request(entry) {
        let request_hash = keccak256(entry.command_bytes);
        let inbox_hash = hash_pair(&world.header(global::INBOX_HASH), &request_hash);
        world.set_header(global::INBOX_POSITION, world.header(global::INBOX_POSITION) + 1);
        world.set_header(global::INBOX_HASH, inbox_hash);
    }
}
