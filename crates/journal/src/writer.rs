//! The thread that owns the files: it gathers waiting groups, writes them as one record, makes it
//! durable and only then says so.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use proofbook_kernel::keccak::Hash;
use rustix::fs::{FallocateFlags, fallocate};

use crate::error::JournalError;
use crate::format::{self, GROUP_BYTES_MAX, HEADER_BYTES, Header, Mark};
use crate::recovery::{Recovered, segment_name};
use crate::segments::Start;
use crate::{Durable, Shared};

/// How far zeros are written ahead of the groups.
const BLANK_BYTES: u64 = 256 << 10;
static BLANK: [u8; BLANK_BYTES as usize] = [0; BLANK_BYTES as usize];

/// Called once, on the writer's thread, when a group is durable or can no longer become so.
pub type Completion = Box<dyn FnOnce(Result<Durable, JournalError>) + Send>;

/// A group on its way to the disk.
pub struct Pending {
    pub first_seq: u64,
    pub count: u32,
    pub mark: Mark,
    pub entries: Vec<u8>,
    pub complete: Completion,
}

/// The end of the journal, and what is needed to go on from it.
pub struct Writer {
    folder: PathBuf,
    segment_bytes: u64,
    path: PathBuf,
    file: Arc<File>,
    offset: u64,
    /// Up to where blocks were written once, and not only reserved.
    blank_end: u64,
    /// Whether something torn lies behind the last group. It stays until something is written: who
    /// knows that entries are missing there still finds what is left of them.
    is_torn: bool,
    chain_hash: Hash,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Writer {
    /// Open the last segment for writing, or make the first one.
    pub fn open(
        folder: &Path,
        segment_bytes: u64,
        recovered: &Recovered,
        shared: Arc<Shared>,
    ) -> Result<Self, JournalError> {
        let header = Header { first_seq: recovered.next_seq, chain_hash: recovered.chain_hash };
        let (path, file, offset) = match recovered.segments.last() {
            Some(Start { path, .. }) => {
                let (end, file) = (recovered.places.end, reopen(path)?);
                write_again(path, &file, recovered.places.last(), end)?;
                if recovered.torn.is_none() {
                    cut(path, &file, end, segment_bytes)?;
                }
                sync_folder(folder)?;
                (path.to_path_buf(), file, end)
            }
            None => {
                let (path, file) = create(folder, &header, segment_bytes)?;
                shared.add_segment(header.first_seq, &path, &file);
                (path, file, HEADER_BYTES as u64)
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            segment_bytes,
            path,
            file,
            offset,
            blank_end: offset,
            is_torn: recovered.torn.is_some(),
            chain_hash: recovered.chain_hash,
            buffer: Vec::new(),
            shared,
        })
    }

    /// Write what arrives until every sender is gone. After a fault nothing more is written.
    pub fn run(mut self, arriving: &Receiver<Pending>) {
        let mut carried = None;
        while let Some(first) = carried.take().or_else(|| arriving.recv().ok()) {
            let mut group = vec![first];
            carried = gather(arriving, &mut group);
            match self.shared.poison().map_or_else(|| self.commit(&group), Err) {
                Ok(durables) => {
                    for (pending, durable) in group.into_iter().zip(durables) {
                        (pending.complete)(Ok(durable));
                    }
                }
                Err(error) => {
                    self.shared.set_poison(&error);
                    group.into_iter().for_each(|pending| (pending.complete)(Err(error.clone())));
                }
            }
        }
    }

    /// Make one record of the groups durable.
    fn commit(&mut self, group: &[Pending]) -> Result<Vec<Durable>, JournalError> {
        if self.is_torn {
            cut(&self.path, &self.file, self.offset, self.segment_bytes)?;
            self.is_torn = false;
        }
        let mut durables: Vec<Durable> =
            group.iter().map(|pending| self.extend_chain(pending)).collect();
        let first_seq = group[0].first_seq;
        let count = group.iter().map(|pending| pending.count).sum();
        let entries: Vec<&[u8]> = group.iter().map(|pending| pending.entries.as_slice()).collect();
        let mark = &group[0].mark;
        format::encode_record(&mut self.buffer, first_seq, count, mark, &entries, &self.chain_hash);
        if self.offset > HEADER_BYTES as u64
            && self.offset + self.buffer.len() as u64 > self.segment_bytes
        {
            self.rotate(first_seq, &durables[0].chain_hash_before)?;
        }
        self.blank_ahead()?;
        let refused = |operation| {
            let path = self.path.clone();
            move |error: io::Error| JournalError::io(operation, &path, &error)
        };
        self.file.write_all_at(&self.buffer, self.offset).map_err(refused("write"))?;
        let started = Instant::now();
        self.file.sync_data().map_err(refused("make durable"))?;
        let sync_ns = started.elapsed().as_nanos() as u64;
        durables.iter_mut().for_each(|durable| durable.sync_ns = sync_ns);
        let bytes = self.buffer.len() as u64;
        self.shared.add_group(first_seq, bytes, first_seq + u64::from(count), self.chain_hash);
        self.offset += bytes;
        Ok(durables)
    }

    /// Write zeros behind a group that reaches blocks never written. The first write to a reserved
    /// block changes the file's map, so that `fdatasync` writes that too: now once for many groups.
    fn blank_ahead(&mut self) -> Result<(), JournalError> {
        let end = self.offset + self.buffer.len() as u64;
        if end <= self.blank_end {
            return Ok(());
        }
        self.blank_end = (end + BLANK_BYTES).min(self.segment_bytes.max(end));
        let blank = &BLANK[..(self.blank_end - end) as usize];
        let refused = |error| JournalError::io("write", &self.path, &error);
        self.file.write_all_at(blank, end).map_err(refused)
    }

    fn extend_chain(&mut self, pending: &Pending) -> Durable {
        let chain_hash_before = self.chain_hash;
        let mut entry_hashes = Vec::with_capacity(pending.count as usize);
        let mut chain_hashes = Vec::with_capacity(pending.count as usize);
        for entry in format::split_entries(&pending.entries) {
            let hash = format::entry_hash(entry.expect("appended groups were split before"));
            self.chain_hash = format::chain(&self.chain_hash, &hash);
            entry_hashes.push(hash);
            chain_hashes.push(self.chain_hash);
        }
        let last_seq = pending.first_seq + u64::from(pending.count) - 1;
        Durable {
            first_seq: pending.first_seq,
            last_seq,
            chain_hash_before,
            chain_hash: self.chain_hash,
            entry_hashes,
            chain_hashes,
            sync_ns: 0,
        }
    }

    /// Close the segment at its end and begin the next one.
    fn rotate(&mut self, first_seq: u64, chain_hash: &Hash) -> Result<(), JournalError> {
        let refused = |error: io::Error| JournalError::io("close", &self.path, &error);
        self.file.set_len(self.offset).map_err(refused)?;
        self.file.sync_all().map_err(refused)?;
        let header = Header { first_seq, chain_hash: *chain_hash };
        (self.path, self.file) = create(&self.folder, &header, self.segment_bytes)?;
        self.shared.add_segment(first_seq, &self.path, &self.file);
        self.offset = HEADER_BYTES as u64;
        self.blank_end = self.offset;
        Ok(())
    }
}

/// Take what else waits with the same mark, as much as one record holds; return what does not fit.
fn gather(arriving: &Receiver<Pending>, group: &mut Vec<Pending>) -> Option<Pending> {
    let mut bytes = group[0].entries.len();
    while let Ok(pending) = arriving.try_recv() {
        bytes += pending.entries.len();
        if bytes > GROUP_BYTES_MAX || pending.mark != group[0].mark {
            return Some(pending);
        }
        group.push(pending);
    }
    None
}

/// Make a segment under another name first, so that a file with the right name always has its
/// header.
fn create(
    folder: &Path,
    header: &Header,
    bytes: u64,
) -> Result<(PathBuf, Arc<File>), JournalError> {
    let path = folder.join(segment_name(header.first_seq));
    let draft = path.with_extension("draft");
    let refused = |error: io::Error| JournalError::io("create", &path, &error);
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(true).open(&draft).map_err(refused)?;
    lock(&path, &file)?;
    file.write_all_at(&header.encode(), 0).map_err(refused)?;
    preallocate(&file, bytes).map_err(refused)?;
    file.sync_all().map_err(refused)?;
    fs::rename(&draft, &path).map_err(refused)?;
    sync_folder(folder)?;
    Ok((path, Arc::new(file)))
}

/// Open a segment for writing, and lock it: whoever removes the folder's lock lets nobody else in.
fn reopen(path: &Path) -> Result<Arc<File>, JournalError> {
    let refused = |error: io::Error| JournalError::io("reopen", path, &error);
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(refused)?;
    lock(path, &file)?;
    Ok(Arc::new(file))
}

/// Write the last groups as they are, once more. A sync that has failed leaves them readable, and
/// not on the disk; no later sync writes what has not been written since.
fn write_again(path: &Path, file: &File, from: u64, end: u64) -> Result<(), JournalError> {
    let refused = |error: io::Error| JournalError::io("write", path, &error);
    let mut bytes = vec![0; (end - from) as usize];
    file.read_exact_at(&mut bytes, from).map_err(refused)?;
    file.write_all_at(&bytes, from).map_err(refused)?;
    file.sync_all().map_err(|error| JournalError::io("make durable", path, &error))
}

/// Let a segment end with a group. Cutting and growing again leaves zeros behind it.
fn cut(path: &Path, file: &File, end: u64, bytes: u64) -> Result<(), JournalError> {
    let refused = |error: io::Error| JournalError::io("reopen", path, &error);
    file.set_len(end).map_err(refused)?;
    preallocate(file, bytes).map_err(refused)?;
    file.sync_all().map_err(refused)
}

/// Lock a file until it is closed.
pub fn lock(path: &Path, file: &File) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", path, &error)),
    }
}

/// Reserve the room of a whole segment, so that `fdatasync` need not write the file's length.
fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // Some file systems cannot: the log is right without it, only slower.
        Err(rustix::io::Errno::OPNOTSUPP) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Make a folder, and all above it that are missing, so that their names are durable.
pub fn create_folder(folder: &Path) -> Result<(), JournalError> {
    let missing = folder.ancestors().take_while(|path| !path.exists()).count();
    fs::create_dir_all(folder).map_err(|error| JournalError::io("create", folder, &error))?;
    for above in folder.ancestors().skip(1).take(missing) {
        sync_folder(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
    }
    Ok(())
}

/// Make the names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| JournalError::io("make durable", folder, &error))
}
