//! One entry over every store: with caches, without, and from a witness alone, all of one mind.

use alloc::vec::Vec;

use crate::arena::high_water;
use crate::caches::CachedStore;
use crate::commands::{Address, Signature};
use crate::funding;
use crate::glance::ask;
use crate::holdings::{Holding, Holdings};
use crate::host::Host;
use crate::keccak::Hash;
use crate::kernel::Kernel;
use crate::limits::Side;
use crate::margin;
use crate::native::NativeStore;
use crate::positions::due_atoms;
use crate::records::{account, global, instrument};
use crate::store::Store;
use crate::transition::Outcome;
use crate::witness::{RecordingStore, Witness, WitnessStore};

/// What an entry did: its outcome, its events, and the root after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub outcome: Outcome,
    pub events: Vec<u8>,
    pub root: Hash,
}

/// A kernel that runs each entry under a recorder and again from the recorder's witness.
pub struct WitnessKernel {
    recording: Kernel<RecordingStore>,
    root: Hash,
}

impl WitnessKernel {
    /// Go on from a state.
    pub fn new(kernel: Kernel<NativeStore>) -> Self {
        let mut recording = Kernel::over(RecordingStore::new(kernel.into_store()));
        let root = recording.root();
        Self { recording, root }
    }

    /// Apply one entry twice: natively, and from its witness. Two different effects end the
    /// program.
    pub fn apply(&mut self, entry: &[u8], host: &mut impl Host) -> (Effect, Witness) {
        let mut answers = Answers { host, given: Vec::new() };
        let mut events = Vec::new();
        let outcome = self.recording.apply(entry, &mut answers, &mut events);
        let witness = self.recording.store_mut().take_witness();
        let root_before = core::mem::replace(&mut self.root, self.recording.root());
        let effect = Effect { outcome, events, root: self.root };
        let replayed = replay(witness.clone(), &root_before, entry, answers.given);
        assert!(replayed == effect, "the witness of an entry gives the entry's effect");
        (effect, witness)
    }

    /// Return the state root.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Return the state underneath.
    pub fn native(&self) -> &NativeStore {
        self.recording.store().inner()
    }

    /// Return the number of the last entry applied.
    pub fn seq(&self) -> u64 {
        // Past the recorder: the next witness holds what the next entry touches and nothing else.
        self.native().get(global::ARENA, 0, global::SEQ)
    }
}

/// Apply an entry to nothing but a witness.
fn replay(
    witness: Witness,
    root_before: &Hash,
    entry: &[u8],
    answers: Vec<Option<Address>>,
) -> Effect {
    let store = WitnessStore::new(witness, root_before).expect("a recorded witness is sound");
    let mut kernel = Kernel::over(store);
    let mut events = Vec::new();
    let mut host = crate::host::Recovered::new(&answers);
    let outcome = kernel.apply(entry, &mut host, &mut events);
    Effect { outcome, events, root: kernel.root() }
}

/// Passes questions on and keeps the answers.
struct Answers<'a, H: Host> {
    host: &'a mut H,
    given: Vec<Option<Address>>,
}

impl<H: Host> Host for Answers<'_, H> {
    fn recover(&mut self, digest: impl FnOnce() -> Hash, signature: &Signature) -> Option<Address> {
        let signer = self.host.recover(digest, signature);
        self.given.push(signer);
        signer
    }
}

/// The state machine three times, compared after every entry.
pub struct ThreeWays {
    cached: Kernel<CachedStore>,
    witnessed: WitnessKernel,
}

impl ThreeWays {
    /// Go on from a state.
    pub fn new(kernel: Kernel<NativeStore>) -> Self {
        let cached = Kernel::over(CachedStore::new(kernel.store().clone()));
        Self { cached, witnessed: WitnessKernel::new(kernel) }
    }

    /// Apply one entry with caches, without, and from a witness. A difference ends the program.
    pub fn run_three_ways(&mut self, entry: &[u8], host: &mut impl Host) -> Effect {
        let mut answers = Answers { host, given: Vec::new() };
        let (effect, _) = self.witnessed.apply(entry, &mut answers);
        let mut events = Vec::new();
        let mut given = crate::host::Recovered::new(&answers.given);
        let outcome = self.cached.apply(entry, &mut given, &mut events);
        let cached = Effect { outcome, events, root: self.cached.root() };
        assert!(cached == effect, "caches change nothing");
        self.assert_kept();
        self.assert_premiums();
        effect
    }

    /// Check what is kept of books against what their orders come to.
    fn assert_premiums(&self) {
        let store = self.cached.store();
        for slot in 1..high_water(store.inner(), instrument::ARENA) {
            let index_value = ask(store.inner(), |world| funding::index_value(world, slot));
            for side in [Side::Buy, Side::Sell].map(|side| side as u8) {
                let Some(known) = store.known_excess(slot, side, index_value) else { continue };
                let walked =
                    ask(store.inner(), |world| funding::excess_ppm(world, slot, side, index_value));
                assert_eq!(known, walked, "side {side} of instrument {slot} beyond its index");
            }
        }
    }

    /// Check what is kept of accounts against what their positions come to, a third of them at a
    /// time: the others have been written more than once when they are asked about.
    fn assert_kept(&self) {
        let store = self.cached.store();
        let third = self.cached.seq() as u32 % 3;
        let accounts = 1..high_water(store.inner(), account::ARENA);
        for account in accounts.filter(|account| account % 3 == third) {
            let known = store.ask_holdings(account, Holdings::clone);
            let known = known.expect("a store with caches keeps them");
            let added = ask(store.inner(), |world| {
                let positions = world.positions_of(account);
                Holdings::of(world, positions.map(|slot| Holding::whole(world, slot)))
            });
            let worth = ask(store.inner(), |world| (added.value_atoms(world), added.stale_low_ppm));
            assert_eq!(store.known_worth(account), Some(worth), "what account {account} is worth");
            let due = ask(store.inner(), |world| due_atoms(world, account));
            assert_eq!(store.known_due(account), Some(due), "what is due to account {account}");
            assert_eq!(known.sorted(), added.sorted(), "what is kept of account {account}");
            let is_covered = ask(store.inner(), |world| {
                margin::covers(world, &margin::portfolio(world, account, &[]), 0)
            });
            let is_surely_covered = store.is_surely_covered(account, &[]);
            assert!(is_covered || !is_surely_covered, "the cushion of account {account}");
        }
    }

    /// Return the state underneath.
    pub fn native(&self) -> &NativeStore {
        self.witnessed.native()
    }
}
