//! Journalled entries executed again in one go, for a venue that starts.
//!
//! Nobody listens yet: of what entries told, the last is kept, up to what a venue that runs keeps,
//! and what is handed on is what its models have to see in order. The caller says which event is
//! what.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proofbook_kernel::commands::{Address, Command};
use proofbook_kernel::entry::Entry;
use proofbook_kernel::glance::{Glance, ask};
use proofbook_kernel::host::Recovered;
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::limits::Tag;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{publisher, signer};
use proofbook_kernel::sessions::signer_slot;
use proofbook_kernel::transition::Outcome;
use proofbook_kernel::world::World;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::gate::Signers;
use crate::kernel::Engine;

const TAGS: usize = 256;
const LENGTH_BYTES: usize = 2;
const WINDOW_PLACE: usize = 2;
const TAG_PLACE: usize = 18;
const INSTRUMENT_PLACE: usize = 1;

/// What an event is: it is handed on; only the last of its instrument is; it is a trade of its
/// instrument; accounts are told of it. Whoever asks for instruments knows that they come first.
const HANDED: u8 = 1;
const LAST: u8 = 2;
const TRADE: u8 = 4;
const TOLD: u8 = 8;

/// Number and window of an entry, place of an event among its events, the event.
pub type EventRow<'py> = (u64, u64, u32, Bound<'py, PyBytes>);

/// Kind and reason of an outcome, and the events.
type ResultRow<'py> = (u8, u8, Bound<'py, PyBytes>);

struct EventAt {
    seq: u64,
    window_ns: u64,
    place: u32,
    event: Box<[u8]>,
}

impl EventAt {
    fn row<'py>(&self, py: Python<'py>) -> EventRow<'py> {
        (self.seq, self.window_ns, self.place, PyBytes::new(py, &self.event))
    }
}

/// How many of each are kept at most.
struct Most {
    told: usize,
    trades: usize,
    results: usize,
    result_bytes: usize,
}

/// What is kept while entries are executed, and what will be handed on.
struct Kept {
    sizes: [u8; TAGS],
    uses: [u8; TAGS],
    most: Most,
    told: VecDeque<EventAt>,
    trades: HashMap<u32, VecDeque<EventAt>>,
    results: VecDeque<(Outcome, Box<[u8]>)>,
    result_bytes: usize,
    handed: Vec<Option<EventAt>>,
    last: HashMap<(u8, u32), usize>,
    window_ns: u64,
}

impl Kept {
    /// Take up what an entry did.
    fn take(&mut self, seq: u64, entry: &[u8], outcome: Outcome, events: &[u8]) {
        if let Some(window_ns) = entry.get(WINDOW_PLACE..).and_then(<[u8]>::first_chunk) {
            self.window_ns = u64::from_le_bytes(*window_ns);
        }
        let (mut rest, mut place) = (events, 0);
        while let Some(&tag) = rest.first() {
            let (event, later) = rest.split_at(1 + self.sizes[tag as usize] as usize);
            let window_ns = self.window_ns;
            self.take_event(|| EventAt { seq, window_ns, place, event: event.into() }, event);
            (rest, place) = (later, place + 1);
        }
        self.take_result(outcome, events);
    }

    /// Put an event wherever its kind belongs.
    fn take_event(&mut self, at: impl Fn() -> EventAt, event: &[u8]) {
        let tag = event[0];
        let uses = self.uses[tag as usize];
        if uses & TOLD != 0 {
            keep_last(&mut self.told, self.most.told, at());
        }
        if uses & TRADE != 0 {
            let trades = self.trades.entry(instrument_of(event)).or_default();
            keep_last(trades, self.most.trades, at());
        }
        if uses & LAST != 0 {
            let place = self.handed.len();
            if let Some(before) = self.last.insert((tag, instrument_of(event)), place) {
                self.handed[before] = None;
            }
        }
        if uses & (HANDED | LAST) != 0 {
            self.handed.push(Some(at()));
        }
    }

    fn take_result(&mut self, outcome: Outcome, events: &[u8]) {
        self.result_bytes += events.len();
        self.results.push_back((outcome, events.into()));
        let most = &self.most;
        while self.results.len() > most.results || self.result_bytes > most.result_bytes {
            let Some((_, events)) = self.results.pop_front() else { break };
            self.result_bytes -= events.len();
        }
    }

    fn take_handed(&mut self) -> Vec<EventAt> {
        self.last.clear();
        self.handed.drain(..).flatten().collect()
    }
}

fn keep_last<T>(kept: &mut VecDeque<T>, most: usize, item: T) {
    if kept.len() == most {
        kept.pop_front();
    }
    kept.push_back(item);
}

fn instrument_of(event: &[u8]) -> u32 {
    let number = event[INSTRUMENT_PLACE..].first_chunk().expect("an event with an instrument");
    u32::from_le_bytes(*number)
}

/// Keeps the last of what entries told, from one call of `Kernel.replay` to the next.
#[pyclass(frozen, module = "proofbook._native")]
pub struct Tape(Mutex<Kept>);

#[pymethods]
impl Tape {
    /// Keep at most so many of each; `sizes` and `uses` are those of events by tag.
    #[new]
    fn new(
        sizes: [u8; TAGS],
        uses: [u8; TAGS],
        told: usize,
        trades: usize,
        results: usize,
        result_bytes: usize,
    ) -> Self {
        Self(Mutex::new(Kept {
            sizes,
            uses,
            most: Most { told, trades, results, result_bytes },
            told: VecDeque::new(),
            trades: HashMap::new(),
            results: VecDeque::new(),
            result_bytes: 0,
            handed: Vec::new(),
            last: HashMap::new(),
            window_ns: 0,
        }))
    }

    /// Take out the last events that accounts are told of, oldest first.
    fn take_told<'py>(&self, py: Python<'py>) -> Vec<EventRow<'py>> {
        self.kept().told.drain(..).map(|at| at.row(py)).collect()
    }

    /// Take out the last trades of each instrument, oldest first.
    fn take_trades<'py>(&self, py: Python<'py>) -> Vec<EventRow<'py>> {
        let mut kept = self.kept();
        kept.trades.drain().flat_map(|(_, trades)| trades).map(|at| at.row(py)).collect()
    }

    /// Take out the last results, oldest first.
    fn take_results<'py>(&self, py: Python<'py>) -> Vec<ResultRow<'py>> {
        let mut kept = self.kept();
        kept.result_bytes = 0;
        let row = |(outcome, events): (Outcome, Box<[u8]>)| {
            (outcome.kind, outcome.reason, PyBytes::new(py, &events))
        };
        kept.results.drain(..).map(row).collect()
    }

    /// The window of the last entry.
    #[getter]
    fn window_ns(&self) -> u64 {
        self.kept().window_ns
    }
}

impl Tape {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take out what is to be handed on.
    pub fn take_handed<'py>(&self, py: Python<'py>) -> Vec<EventRow<'py>> {
        self.kept().take_handed().iter().map(|at| at.row(py)).collect()
    }
}

/// Whole entries to be executed, as far as the first release after the first of them: what events
/// name must still have its records when they are looked at.
pub struct Piece<'a>(Vec<&'a [u8]>);

impl<'a> Piece<'a> {
    /// Return the piece that begins at a place, and where it ends; raise ValueError when an entry
    /// is cut off.
    pub fn at(entries: &'a [u8], first: usize) -> PyResult<(Self, usize)> {
        let (mut found, mut place) = (Vec::new(), first);
        while place < entries.len() {
            let range = entry_at(entries, place).ok_or_else(|| {
                PyValueError::new_err(format!("the entry at byte {place} is cut off"))
            })?;
            let entry = &entries[range];
            if !found.is_empty() && entry.get(TAG_PLACE) == Some(&(Tag::ReleaseInstrument as u8)) {
                break;
            }
            place += entry.len();
            found.push(entry);
        }
        Ok((Self(found), place))
    }

    /// Execute the entries, whoever signed them: their signatures are recovered.
    pub fn replay(&self, engine: &mut Engine, signers: &Signers, separator: &Hash, tape: &Tape) {
        let found = signers.take(&self.0, separator);
        let (mut kept, mut events) = (tape.kept(), Vec::new());
        for (seq, (entry, signers)) in (engine.seq() + 1..).zip(self.0.iter().zip(&found)) {
            events.clear();
            let outcome = engine.apply_from(entry, &mut Recovered::new(signers), &mut events);
            kept.take(seq, entry, outcome, &events);
        }
    }

    /// Execute entries of which it is known that those signed them who had to.
    pub fn replay_sealed(&self, engine: &mut Engine, tape: &Tape) {
        let mut kept = tape.kept();
        let (mut signers, mut events) = (Vec::new(), Vec::new());
        for (seq, entry) in (engine.seq() + 1..).zip(&self.0) {
            events.clear();
            expected_signers(engine.native(), entry, &mut signers);
            let outcome = engine.apply_from(entry, &mut Recovered::new(&signers), &mut events);
            kept.take(seq, entry, outcome, &events);
        }
    }
}

fn entry_at(entries: &[u8], place: usize) -> Option<Range<usize>> {
    let length = entries.get(place..)?.first_chunk::<LENGTH_BYTES>()?;
    let end = place + LENGTH_BYTES + u16::from_le_bytes(*length) as usize;
    (end <= entries.len()).then_some(place..end)
}

/// Write down who has to have signed an entry, in the order of its signatures; nobody where there
/// is no such key.
fn expected_signers(store: &NativeStore, data: &[u8], signers: &mut Vec<Option<Address>>) {
    signers.clear();
    let Ok(entry) = Entry::decode(data) else { return };
    ask(store, |world| match &entry.command {
        Command::IndexPrice(command) => {
            signers.extend(command.observations().map(|row| publisher_key(world, row.publisher)));
        }
        Command::ForwardCurve(command) => {
            signers.extend(command.observations().map(|row| publisher_key(world, row.publisher)));
        }
        Command::VolSurface(command) => {
            signers.extend(command.signatures().map(|row| publisher_key(world, row.publisher)));
        }
        _ => signers.extend(entry.parties().map(|party| {
            signer_slot(world, &party).map(|slot| world.signer(slot, signer::ADDRESS))
        })),
    });
}

fn publisher_key(world: &World<Glance<NativeStore>>, number: u8) -> Option<Address> {
    let slot = u32::from(number);
    world.publisher_exists(slot).then(|| world.publisher(slot, publisher::ADDRESS))
}
