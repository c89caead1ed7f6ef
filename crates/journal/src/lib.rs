//! The write-ahead log of the sequencer.
//!
//! Groups of entries are appended in order; one thread writes those that wait as one record and
//! calls `fdatasync` before any of them is acknowledged. Every entry extends a keccak chain.
//! Opening verifies everything and refuses a journal that is damaged. What is torn behind the last
//! whole group is cut off before the next is written.

mod error;
mod format;
mod recovery;
mod segments;
mod writer;

use std::fs::{self, File};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use proofbook_kernel::keccak::Hash;

pub use crate::error::JournalError;
pub use crate::format::{GROUP_BYTES_MAX, MARK_BYTES, Mark};
use crate::recovery::Recovered;
pub use crate::recovery::TornTail;
use crate::segments::{Found, Segment, Segments, Span};
use crate::writer::{Completion, Pending, Writer};

/// How a journal is laid out and how much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of a segment file, reserved when it is made.
    pub segment_bytes: u64,
    /// Groups that may wait for the disk; more are refused as `Busy`.
    pub groups_waiting_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, groups_waiting_max: 1024 }
    }
}

/// What is known of a group once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    pub first_seq: u64,
    pub last_seq: u64,
    /// The chain before the group's first entry.
    pub chain_hash_before: Hash,
    /// The chain after its last.
    pub chain_hash: Hash,
    /// keccak of each entry, and the chain after it.
    pub entry_hashes: Vec<Hash>,
    pub chain_hashes: Vec<Hash>,
    /// How long `fdatasync` took.
    pub sync_ns: u64,
}

/// A record of the journal, read back: what became durable at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub first_seq: u64,
    pub mark: Mark,
    /// The chain before the first entry.
    pub chain_hash_before: Hash,
    /// Whole entries, one after the other.
    pub entries: Vec<u8>,
}

/// A group on its way to the disk.
#[derive(Debug)]
pub struct Ticket {
    pub first_seq: u64,
    pub last_seq: u64,
    answer: Receiver<Result<Durable, JournalError>>,
}

impl Ticket {
    /// Block until the group is durable.
    pub fn wait(self) -> Result<Durable, JournalError> {
        self.answer.recv().expect("the writer completes every group that it was given")
    }
}

/// An open journal: one writer, any number of readers.
#[derive(Debug)]
pub struct Journal {
    front: Mutex<Front>,
    shared: Arc<Shared>,
    groups_waiting_max: usize,
    torn: Option<TornTail>,
    thread: Option<JoinHandle<()>>,
    /// Held open, and so locked, until the journal is dropped.
    _lock: File,
}

/// Where numbers are given to entries; its lock makes their order the order of the channel.
#[derive(Debug)]
struct Front {
    next_seq: u64,
    sender: Option<SyncSender<Pending>>,
}

impl Journal {
    /// Open the journal in a folder, which is made if there is none.
    pub fn open(folder: &Path, options: Options) -> Result<Self, JournalError> {
        writer::create_folder(folder)?;
        let lock = lock(&folder.join("lock"))?;
        remove_drafts(folder)?;
        let recovered = recovery::recover(folder)?;
        let shared = Arc::new(Shared::of(&recovered)?);
        let writer = Writer::open(folder, options.segment_bytes, &recovered, Arc::clone(&shared))?;
        let (sender, receiver) = mpsc::sync_channel(options.groups_waiting_max);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| JournalError::io("start a thread for", folder, &error))?;
        Ok(Self {
            front: Mutex::new(Front { next_seq: recovered.next_seq, sender: Some(sender) }),
            shared,
            groups_waiting_max: options.groups_waiting_max,
            torn: recovered.torn,
            thread: Some(thread),
            _lock: lock,
        })
    }

    /// Return the number of the next entry to append.
    pub fn next_seq(&self) -> u64 {
        self.front.lock().unwrap_or_else(PoisonError::into_inner).next_seq
    }

    /// Return the number of the last durable entry and the chain hash after it.
    pub fn tail(&self) -> (u64, Hash) {
        let index = self.shared.index();
        (index.next_seq - 1, index.chain_hash)
    }

    /// Return what a crash had left, which is cut off before more is written.
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Append whole entries that begin with number `expected_seq`, and remember a mark with them.
    ///
    /// Rejects `Malformed`, `GroupTooLarge`, `SequenceMismatch`, `Busy` and `Poisoned`, and changes
    /// nothing.
    pub fn append_group(
        &self,
        entries: Vec<u8>,
        expected_seq: u64,
        mark: Mark,
    ) -> Result<Ticket, JournalError> {
        let (sender, answer) = mpsc::sync_channel(1);
        let complete: Completion = Box::new(move |durable| {
            // Nobody listens any more: the ticket was dropped, which is its holder's right.
            let _ = sender.send(durable);
        });
        let (first_seq, last_seq) = self.append(entries, expected_seq, mark, complete)?;
        Ok(Ticket { first_seq, last_seq, answer })
    }

    /// Like `append_group`, but calls `complete` on the writer's thread. Returns first and last
    /// number.
    pub fn append(
        &self,
        entries: Vec<u8>,
        expected_seq: u64,
        mark: Mark,
        complete: Completion,
    ) -> Result<(u64, u64), JournalError> {
        let count = count_entries(&entries)?;
        if let Some(error) = self.shared.poison() {
            return Err(error);
        }
        let mut front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        let first_seq = front.next_seq;
        if expected_seq != first_seq {
            return Err(JournalError::SequenceMismatch { expected: expected_seq, next: first_seq });
        }
        let sender = front.sender.as_ref().expect("the sender lives as long as the journal");
        sender.try_send(Pending { first_seq, count, mark, entries, complete }).map_err(
            |error| match error {
                TrySendError::Full(_) => JournalError::Busy { groups_max: self.groups_waiting_max },
                TrySendError::Disconnected(_) => panic!("the journal's thread ended on its own"),
            },
        )?;
        front.next_seq += u64::from(count);
        Ok((first_seq, front.next_seq - 1))
    }

    /// Return durable entries, one after the other, from number `from`: at most `entries_max`.
    pub fn read(&self, from: u64, entries_max: u64) -> Result<Vec<u8>, JournalError> {
        let mut found = Vec::new();
        let end = from.saturating_add(entries_max).min(self.tail().0 + 1);
        let mut next = from.max(1);
        while next < end {
            let Some(span) = self.shared.span(next)? else { break };
            let bytes = span.read()?;
            next = span.each_record(&bytes, next, |offset, record| {
                for (seq, entry) in (record.first_seq..).zip(format::split_entries(record.entries))
                {
                    if (from..end).contains(&seq) {
                        let cut = |_| span.broken(offset, seq, "an entry is cut");
                        found.extend_from_slice(entry.map_err(cut)?);
                    }
                }
                Ok(record.first_seq + u64::from(record.count) < end)
            })?;
        }
        Ok(found)
    }

    /// Return the group that holds a durable entry; none for a number that is not there.
    pub fn group(&self, seq: u64) -> Result<Option<Group>, JournalError> {
        if seq == 0 || seq > self.tail().0 {
            return Ok(None);
        }
        let Some(span) = self.shared.span(seq)? else { return Ok(None) };
        let bytes = span.read()?;
        let mut found = None;
        span.each_record(&bytes, seq, |offset, record| {
            found = Some(Group {
                first_seq: record.first_seq,
                mark: record.mark,
                chain_hash_before: span.chain_hash_before(offset)?,
                entries: record.entries.to_vec(),
            });
            Ok(false)
        })?;
        Ok(found)
    }

    /// Return the last number of some neighbouring groups each, and how many bytes their entries
    /// are. Reads the heads of all groups.
    pub fn sizes(&self) -> Result<Vec<(u64, u64)>, JournalError> {
        let (starts, end) = self.shared.index().segments.starts();
        segments::sizes(&starts, end)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Without a sender the thread writes what waits and ends.
        self.front.lock().unwrap_or_else(PoisonError::into_inner).sender = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the journal's thread does not panic");
        }
    }
}

/// What the writer's thread tells everybody else.
#[derive(Debug)]
pub(crate) struct Shared {
    index: Mutex<Index>,
    poison: OnceLock<String>,
}

#[derive(Debug)]
struct Index {
    segments: Segments,
    next_seq: u64,
    chain_hash: Hash,
}

impl Shared {
    fn of(recovered: &Recovered) -> Result<Self, JournalError> {
        let segments = Segments::of(&recovered.segments, &recovered.places)?;
        let (next_seq, chain_hash) = (recovered.next_seq, recovered.chain_hash);
        let index = Index { segments, next_seq, chain_hash };
        Ok(Self { index: Mutex::new(index), poison: OnceLock::new() })
    }

    pub(crate) fn add_segment(&self, first_seq: u64, path: &Path, file: &Arc<File>) {
        self.index().segments.add(first_seq, path, Arc::clone(file));
    }

    pub(crate) fn add_group(&self, first_seq: u64, bytes: u64, next_seq: u64, chain_hash: Hash) {
        let mut index = self.index();
        index.segments.add_group(first_seq, bytes);
        index.next_seq = next_seq;
        index.chain_hash = chain_hash;
    }

    pub(crate) fn poison(&self) -> Option<JournalError> {
        self.poison.get().map(|cause| JournalError::Poisoned { cause: cause.clone() })
    }

    pub(crate) fn set_poison(&self, error: &JournalError) {
        self.poison.get_or_init(|| error.to_string());
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Return some groups, a durable entry's among them.
    fn span(&self, seq: u64) -> Result<Option<Span>, JournalError> {
        let start = match self.index().segments.find(seq) {
            Found::In(span) => return Ok(Some(span)),
            Found::Nowhere => return Ok(None),
            Found::Closed(start) => start,
        };
        // Nobody waits while a file is opened: the writer least of all.
        let segment = Segment::open(start)?;
        let span = segment.span(seq);
        self.index().segments.keep(segment);
        Ok(span)
    }
}

fn count_entries(entries: &[u8]) -> Result<u32, JournalError> {
    let bytes = entries.len();
    if bytes > GROUP_BYTES_MAX {
        return Err(JournalError::GroupTooLarge { bytes, bytes_max: GROUP_BYTES_MAX });
    }
    let mut count = 0;
    for entry in format::split_entries(entries) {
        entry.map_err(|offset| JournalError::Malformed { offset, bytes })?;
        count += 1;
    }
    if count == 0 { Err(JournalError::Malformed { offset: 0, bytes }) } else { Ok(count) }
}

fn lock(path: &Path) -> Result<File, JournalError> {
    let refused = |error| JournalError::io("lock", path, &error);
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(path).map_err(refused)?;
    writer::lock(path, &file)?;
    Ok(file)
}

/// Remove segments whose making was interrupted: none of them ever held an entry.
fn remove_drafts(folder: &Path) -> Result<(), JournalError> {
    let refused = |error| JournalError::io("clear", folder, &error);
    for item in fs::read_dir(folder).map_err(refused)? {
        let path = item.map_err(refused)?.path();
        if path.extension().is_some_and(|extension| extension == "draft") {
            fs::remove_file(&path).map_err(refused)?;
        }
    }
    Ok(())
}
