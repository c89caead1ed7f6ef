//! Commands before they have a place: those that are good for certain, and who signed what.
//!
//! What is not good for certain may be good all the same: whoever asks looks again, and says why.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proofbook_kernel::accounts::check_nonce;
use proofbook_kernel::commands::{Address, Command, Party, Signature};
use proofbook_kernel::eip712;
use proofbook_kernel::entry::{Entry, HEAD_BYTES};
use proofbook_kernel::glance::ask;
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::signer;
use proofbook_kernel::sessions::{check_scope, signer_slot};
use proofbook_kernel::store::Store;
use proofbook_kernel::world::World;
use proofbook_signatures::{recover, recover_batch};

/// Signers kept between admission and execution: more than may wait.
const KEPT_MAX: usize = 1 << 16;

const OWNER_SESSION: u8 = 0;

/// A digest and a signature of it: together they have one signer, for ever.
pub type Request = (Hash, Signature);
/// The addresses behind the signatures of one entry, in the order in which it is asked for them.
pub type Found = Vec<Option<Address>>;

/// Signers recovered at admission, for when the entry is applied: of commands that one key signs,
/// by all of their bytes. Of one venue these say what was signed, and by what signature.
#[derive(Debug, Default)]
pub struct Signers(Mutex<HashMap<Box<[u8]>, Address>>);

impl Signers {
    /// Return whether the only signature of a command is this address's, and keep that.
    pub fn is_signer(&self, command: &[u8], request: &Request, address: &Address) -> bool {
        let is_signer = recover(&request.0, &request.1).as_ref() == Some(address);
        if is_signer {
            let mut kept = self.kept();
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(command.into(), *address);
        }
        is_signer
    }

    /// Return the addresses behind all signatures of each entry; those that are not kept are
    /// recovered.
    pub fn take(&self, entries: &[impl AsRef<[u8]>], separator: &Hash) -> Vec<Found> {
        let mut found: Vec<Found> = {
            let mut kept = self.kept();
            entries.iter().map(|entry| kept.remove(command_of(entry.as_ref()))).map(one).collect()
        };
        let (mut asked, mut owners) = (Vec::new(), Vec::new());
        for (place, entry) in entries.iter().enumerate() {
            if found[place].is_empty() {
                let requests = eip712::signatures(entry.as_ref(), separator);
                owners.extend(requests.iter().map(|_| place));
                asked.extend(requests);
            }
        }
        for (place, address) in owners.into_iter().zip(recover_batch(&asked)) {
            found[place].push(address);
        }
        found
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Address>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one(address: Option<Address>) -> Found {
    address.into_iter().map(Some).collect()
}

/// Return the bytes of an entry's command, from its tag on; nothing of one that is cut off.
fn command_of(entry: &[u8]) -> &[u8] {
    entry.get(HEAD_BYTES..).unwrap_or_default()
}

/// Return the address that must have signed a command, if account, session, expiry, nonce and scope
/// are good now.
pub fn expected_signer(store: &NativeStore, entry: &Entry, now_ns: u64) -> Option<Address> {
    let party = only_party(entry)?;
    ask(store, |world| {
        let slot = allowed_slot(world, &party, &entry.command, now_ns)?;
        check_nonce(world, slot, party.header.nonce).ok()?;
        Some(world.signer(slot, signer::ADDRESS))
    })
}

/// Return whether all commands of a window, in order of receipt, will be good when it closes.
///
/// Each nonce has to be above all before it.
pub fn are_fresh(store: &NativeStore, entries: &[Vec<u8>], window_ns: u64) -> bool {
    let mut highest: HashMap<u32, u64> = HashMap::new();
    ask(store, |world| {
        entries.iter().all(|data| {
            let Ok(entry) = Entry::decode(data) else { return false };
            if entry.signed.is_none() {
                return true;
            }
            let Some(party) = only_party(&entry) else { return false };
            let Some(slot) = allowed_slot(world, &party, &entry.command, window_ns) else {
                return false;
            };
            let nonce = party.header.nonce;
            let last =
                highest.entry(slot).or_insert_with(|| world.signer(slot, signer::NONCE_HIGHEST));
            let is_in_range = party.session == OWNER_SESSION || nonce <= window_ns;
            let is_next = nonce > *last && is_in_range;
            *last = nonce;
            is_next
        })
    })
}

/// Return who signs a command that one signs alone.
fn only_party<'a>(entry: &'a Entry) -> Option<Party<'a>> {
    let mut parties = entry.parties();
    let first = parties.next()?;
    parties.next().is_none().then_some(first)
}

/// Return the slot of a key that may sign this at a time.
fn allowed_slot<S: Store>(
    world: &World<S>,
    party: &Party,
    command: &Command,
    now_ns: u64,
) -> Option<u32> {
    let slot = signer_slot(world, party)?;
    let is_timely = now_ns <= party.header.expires_ns;
    let is_allowed = party.session == OWNER_SESSION
        || (now_ns <= world.signer(slot, signer::EXPIRES_NS)
            && check_scope(world, slot, party.session, command).is_ok());
    (is_timely && is_allowed).then_some(slot)
}
