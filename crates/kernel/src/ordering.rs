//! Time and order: where an entry may stand after those before it, and what every entry moves.
//!
//! A sequencer orders commands, and may not order them as it likes. Time goes on in windows. Within
//! a window commands stand by class, cancels before orders that only rest and these before all
//! others, and within a class by time of receipt; whatever one key has signed stays in the order in
//! which it was received. An entry that does not follow so is void.

use crate::entry::{Entry, FIRST_SIGNED_TAG, own_class};
use crate::keccak::{hash_pair, keccak256};
use crate::limits::WINDOW_NS_MAX;
use crate::records::{global, signer};
use crate::sessions::{Signer, check_authority};
use crate::store::Store;
use crate::views::{Editor, Record};
use crate::world::World;

/// Return the slot of the key in whose own order the entry stands: who brings it, if he may.
///
/// Nobody's is an entry that a sequencer could make of what it finds: of an empty session slot, or
/// of a message that has expired or whose nonce is used. A message counts once, as it uses its
/// nonce up. Nor does it count for other keys of the account, so that no session puts its owner's
/// cancels last; nor for the maker of a deal, who has not picked its moment.
pub fn acting_signer<S: Store>(
    world: &World<S>,
    entry: &Entry,
    bringer: Option<&Signer>,
) -> Option<u32> {
    check_authority(world, bringer?, entry.window_ns).ok()
}

/// Return max(own class, class of the key's previous entry in the same window).
#[inline]
pub fn effective_class<S: Store>(world: &World<S>, entry: &Entry, signer: Option<u32>) -> u8 {
    let own = own_class(&entry.command);
    signer
        .filter(|&slot| world.signer(slot, signer::LAST_WINDOW_NS) == entry.window_ns)
        .map_or(own, |slot| own.max(world.signer(slot, signer::LAST_CLASS)))
}

/// Return whether the entry's key exceeds the last one and it was received inside its window.
///
/// And after what its signer has sent before in the same window: a signer's own order holds. No
/// window is so late that times which are added to it would not fit 64 bits.
#[inline]
pub fn is_in_order<S: Store>(
    world: &World<S>,
    entry: &Entry,
    signer: Option<u32>,
    class: u8,
) -> bool {
    let header = world.header_record();
    let window_ns = header.get(global::WINDOW_NS);
    let is_new_window = entry.window_ns > window_ns;
    let previous_ns =
        if is_new_window { window_ns } else { header.get(global::PREVIOUS_WINDOW_NS) };
    let key = (entry.window_ns, class, entry.received_ns);
    let last_class = header.get(global::LAST_CLASS);
    let last_key = (window_ns, last_class, header.get(global::LAST_RECEIVED_NS));
    let is_received_inside = previous_ns < entry.received_ns
        && entry.received_ns <= entry.window_ns
        && entry.window_ns <= WINDOW_NS_MAX;
    is_received_inside && key > last_key && follows_own(world, entry, signer)
}

/// Return whether the signer had its previous entry received before this one.
fn follows_own<S: Store>(world: &World<S>, entry: &Entry, signer: Option<u32>) -> bool {
    signer
        .filter(|&slot| world.signer(slot, signer::LAST_WINDOW_NS) == entry.window_ns)
        .is_none_or(|slot| entry.received_ns > world.signer(slot, signer::LAST_RECEIVED_NS))
}

/// Count the entry and record its key, in the header and with its signer.
#[inline]
pub fn advance_header<S: Store>(
    world: &mut World<S>,
    entry: &Entry,
    signer: Option<u32>,
    class: u8,
) {
    world.edit_header(|header| {
        header.set(global::SEQ, header.get(global::SEQ) + 1);
        let window_ns = header.get(global::WINDOW_NS);
        if entry.window_ns > window_ns {
            header.set(global::PREVIOUS_WINDOW_NS, window_ns);
            header.set(global::WINDOW_NS, entry.window_ns);
        }
        header.set(global::LAST_CLASS, class);
        header.set(global::LAST_RECEIVED_NS, entry.received_ns);
    });
    if let Some(slot) = signer {
        world.edit_signer(slot, |signer| {
            signer.set(signer::LAST_WINDOW_NS, entry.window_ns);
            signer.set(signer::LAST_RECEIVED_NS, entry.received_ns);
            signer.set(signer::LAST_CLASS, class);
        });
    }
}

/// Return whether the entry carries a request of the inbox.
pub fn is_request(entry: &Entry) -> bool {
    entry.command_bytes[0] < FIRST_SIGNED_TAG
}

/// Move inbox position and prefix hash over a command that came from the inbox; ignore all others.
#[inline]
pub fn consume_request<S: Store>(world: &mut World<S>, entry: &Entry) {
    if is_request(entry) {
        let request_hash = keccak256(entry.command_bytes);
        let inbox_hash = hash_pair(&world.header(global::INBOX_HASH), &request_hash);
        world.set_header(global::INBOX_POSITION, world.header(global::INBOX_POSITION) + 1);
        world.set_header(global::INBOX_HASH, inbox_hash);
    }
}
