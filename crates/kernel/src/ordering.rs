//! Time and order of entries: the key that must rise, and the header that every entry moves.

use crate::entry::{Entry, FIRST_SIGNED_TAG, own_class};
use crate::keccak::{hash_pair, keccak256};
use crate::records::{account, global};
use crate::sessions::{check_action, check_authority, signer_slot};
use crate::store::Store;
use crate::world::World;

/// Return the account in whose own order the entry stands: who brings it, if he may.
///
/// Nobody's is an entry that a sequencer could make of what it finds: of an empty session slot, or
/// of a message that has expired or whose nonce is used. A message counts once, as it uses its
/// nonce up. Nor does what a session may never do, so that a key for cancels puts none of them
/// last; nor the maker of a deal, who has not picked its moment.
pub fn acting_account<S: Store>(world: &World<S>, entry: &Entry) -> Option<u32> {
    let bringer = entry.parties().next()?;
    check_authority(world, &bringer, entry.window_ns).ok()?;
    let slot = signer_slot(world, &bringer)?;
    check_action(world, slot, bringer.session, &entry.command, entry.window_ns).ok()?;
    Some(bringer.header.account)
}

/// Return max(own class, class of the account's previous entry in the same window).
pub fn effective_class<S: Store>(world: &World<S>, entry: &Entry, account: Option<u32>) -> u8 {
    account
        .filter(|&slot| world.account(slot, account::LAST_WINDOW_NS) == entry.window_ns)
        .map(|slot| world.account(slot, account::LAST_CLASS))
        .map_or(own_class(&entry.command), |last| last.max(own_class(&entry.command)))
}

/// Return whether the entry's key exceeds the last one and it was received inside its window.
///
/// And after what its account has sent before in the same window: an account's own order holds.
pub fn is_in_order<S: Store>(world: &World<S>, entry: &Entry, account: Option<u32>) -> bool {
    let window_ns = world.header(global::WINDOW_NS);
    let is_new_window = entry.window_ns > window_ns;
    let previous_ns =
        if is_new_window { window_ns } else { world.header(global::PREVIOUS_WINDOW_NS) };
    let key = (entry.window_ns, effective_class(world, entry, account), entry.received_ns);
    let last_class = world.header(global::LAST_CLASS);
    let last_key = (window_ns, last_class, world.header(global::LAST_RECEIVED_NS));
    let is_received_inside =
        previous_ns < entry.received_ns && entry.received_ns <= entry.window_ns;
    is_received_inside && key > last_key && follows_own(world, entry, account)
}

/// Return whether the account had its previous entry received before this one.
fn follows_own<S: Store>(world: &World<S>, entry: &Entry, account: Option<u32>) -> bool {
    account
        .filter(|&slot| world.account(slot, account::LAST_WINDOW_NS) == entry.window_ns)
        .is_none_or(|slot| entry.received_ns > world.account(slot, account::LAST_RECEIVED_NS))
}

/// Count the entry and record its key, in the header and in its account.
pub fn advance_header<S: Store>(world: &mut World<S>, entry: &Entry, account: Option<u32>) {
    let class = effective_class(world, entry, account);
    world.set_header(global::SEQ, world.header(global::SEQ) + 1);
    let window_ns = world.header(global::WINDOW_NS);
    if entry.window_ns > window_ns {
        world.set_header(global::PREVIOUS_WINDOW_NS, window_ns);
        world.set_header(global::WINDOW_NS, entry.window_ns);
    }
    world.set_header(global::LAST_CLASS, class);
    world.set_header(global::LAST_RECEIVED_NS, entry.received_ns);
    if let Some(slot) = account {
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
