//! Streams of entries out of arbitrary bytes: stamps, nonces and signatures are made to fit, unless
//! the bytes say that they shall not.

use proofbook_kernel::arena::contains;
use proofbook_kernel::eip712::signatures;
use proofbook_kernel::entry::Entry;
use proofbook_kernel::host::Recovered;
use proofbook_kernel::kernel::Kernel;
use proofbook_kernel::limits::SESSIONS_PER_ACCOUNT;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{account, global, signer};
use proofbook_kernel::store::Store;
use proofbook_kernel::three_ways::{Effect, ThreeWays};

use crate::keys;
use crate::money::assert_conserved;
use crate::stories::STARTS;

/// Steps of one stream; bytes after them are not looked at.
pub const STEPS_MAX: usize = 64;

/// The step's bytes are a whole entry.
const RAW: u8 = 1;
/// Which of the four moments follows the last entry.
const MOMENT: u8 = 2 | 4;
/// The nonce stays as it is.
const OWN_NONCE: u8 = 8;
/// The end of the message's life stays as it is.
const OWN_EXPIRY: u8 = 16;
/// The moment of publication stays as it is.
const OWN_PUBLICATION: u8 = 32;
/// The signature stays as it is.
const OWN_SIGNATURE: u8 = 64;

const MILLISECOND_NS: u64 = 1_000_000;
const DAY_NS: u64 = 86_400_000_000_000;

/// How far the window moves on: 0 stays in the last entry's window.
const MOMENTS: [u64; 4] = [MILLISECOND_NS, 0, 1_000 * MILLISECOND_NS, 8 * DAY_NS];

const HEAD_BYTES: usize = 18;
const BODY: usize = HEAD_BYTES + 1 + 1 + 64;

/// What becomes one entry: a byte of choices, and bytes that begin with a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    choices: u8,
    bytes: Vec<u8>,
}

impl Step {
    /// Return the step that applies the command of an entry; of the whole entry if it is malformed.
    pub fn of_entry(entry: &[u8]) -> Self {
        match Entry::decode(entry) {
            Ok(_) => Self { choices: 0, bytes: entry[HEAD_BYTES..].to_vec() },
            Err(_) => Self { choices: RAW, bytes: entry.to_vec() },
        }
    }

    /// Return the bytes that `read` takes.
    pub fn encode(&self) -> Vec<u8> {
        let length = (self.bytes.len() as u16).to_le_bytes();
        [&[self.choices], &length[..], &self.bytes].concat()
    }

    /// Take a step off the front; nothing at the end. The last one may be cut off.
    fn read(data: &mut &[u8]) -> Option<Self> {
        let ([choices, low, high], rest) = data.split_first_chunk()?;
        let length = rest.len().min(u16::from_le_bytes([*low, *high]) as usize);
        let (bytes, rest) = rest.split_at(length);
        *data = rest;
        Some(Self { choices: *choices, bytes: bytes.to_vec() })
    }

    /// Return the entry that follows the last one of a state. Marks stand for its signatures.
    fn entry(&self, state: &NativeStore) -> Vec<u8> {
        if self.choices & RAW != 0 {
            return self.bytes.clone();
        }
        let moment = MOMENTS[(self.choices & MOMENT) as usize / 2];
        let header = |field| state.get(global::ARENA, 0, field);
        let window_ns = header(global::WINDOW_NS).saturating_add(moment);
        let received_ns = match moment {
            0 => header(global::LAST_RECEIVED_NS).saturating_add(1),
            _ => window_ns - MILLISECOND_NS / 2,
        };
        let length = (HEAD_BYTES - 2 + self.bytes.len()) as u16;
        let head =
            [&length.to_le_bytes()[..], &window_ns.to_le_bytes(), &received_ns.to_le_bytes()];
        let mut entry = [&head.concat()[..], &self.bytes].concat();
        match self.bytes.first() {
            Some(0x10..=0x3f) if entry.len() >= BODY + 20 => self.fit_trader(&mut entry, state),
            Some(0x40..=0x5f) if entry.len() >= HEAD_BYTES + 13 => {
                self.fit_oracle(&mut entry, window_ns);
            }
            _ => {}
        }
        entry
    }

    /// Let an oracle command be published as its window closes.
    fn fit_oracle(&self, entry: &mut [u8], window_ns: u64) {
        if self.choices & OWN_PUBLICATION == 0 {
            entry[HEAD_BYTES + 5..][..8].copy_from_slice(&window_ns.to_le_bytes());
        }
    }

    /// Give a trader's command the next nonce, a long life, and the mark of its account's key.
    fn fit_trader(&self, entry: &mut [u8], state: &NativeStore) {
        if self.choices & OWN_EXPIRY == 0 {
            entry[BODY + 12..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
        }
        let number = entry[BODY..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let session = entry[HEAD_BYTES + 1] as u32;
        if session as u64 >= SESSIONS_PER_ACCOUNT || !contains(state, account::ARENA, number) {
            return;
        }
        let slot = state.get(account::ARENA, number, account::SIGNERS.item(session));
        if self.choices & OWN_NONCE == 0 {
            let highest = state.get(signer::ARENA, slot, signer::NONCE_HIGHEST);
            let next = highest.saturating_add(1).to_le_bytes();
            entry[BODY + 4..][..8].copy_from_slice(&next);
        }
        let key = keys::key_of(&state.get(signer::ARENA, slot, signer::ADDRESS));
        if let (Some(key), 0) = (key, self.choices & OWN_SIGNATURE) {
            entry[BODY - 64..BODY].copy_from_slice(&keys::mark(key));
        }
    }
}

/// What one step did.
pub struct Told {
    /// The entry, really signed.
    pub entry: Vec<u8>,
    pub effect: Effect,
}

/// Return the state that a stream starts from, by its first byte.
pub fn start(data: &[u8]) -> usize {
    data.first().map_or(0, |number| *number as usize % STARTS.len())
}

/// Run a stream on every store; money is counted after each entry. Any disagreement stops it.
pub fn run(data: &[u8]) {
    walk(data, |_, _, _| {});
}

/// Return what each step of a stream did, its entry as everybody else would take it.
pub fn tell(data: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    walk(data, |mut entry, effect, separator| {
        let pairs: Vec<_> = signatures(&entry, separator)
            .iter()
            .map(|(digest, mark)| (*mark, keys::signed(digest, mark)))
            .collect();
        keys::replace_signatures(&mut entry, &pairs);
        told.push(Told { entry, effect });
    });
    told
}

fn walk(data: &[u8], mut tell: impl FnMut(Vec<u8>, Effect, &[u8; 32])) {
    let kernel: Kernel<NativeStore> = STARTS[start(data)].clone();
    let separator = kernel.domain_separator();
    let mut three = ThreeWays::new(kernel);
    let mut rest = data.get(1..).unwrap_or_default();
    for _ in 0..STEPS_MAX {
        let Some(step) = Step::read(&mut rest) else { break };
        let entry = step.entry(three.native());
        let requests = signatures(&entry, &separator);
        let signers: Vec<_> =
            requests.iter().map(|(digest, mark)| keys::signer(digest, mark)).collect();
        let effect = three.run_three_ways(&entry, &mut Recovered::new(&signers));
        assert_conserved(three.native());
        tell(entry, effect, &separator);
    }
}
