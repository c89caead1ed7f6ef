//! Reading a journal back: every checksum and the whole chain, and where a torn tail begins.
//!
//! A group is one record, one write: a crash can tear only the last record of the last segment, and
//! leaves zeros of it where blocks did not reach the disk. Whatever else does not verify was
//! durable once, and is a fault that nobody may repair in silence.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofbook_kernel::keccak::Hash;

use crate::error::JournalError;
use crate::format::{self, HASH_BYTES, HEADER_BYTES, Header, Record};
use crate::segments::{Places, Start};

/// What a disk writes wholly or not at all.
const BLOCK_BYTES: usize = 512;

/// What was left behind by a crash, and is cut off: a group that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    pub path: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    pub seq: u64,
}

/// Everything known after reading a journal.
#[derive(Debug)]
pub struct Recovered {
    pub segments: Vec<Start>,
    /// Of the last segment.
    pub places: Places,
    pub next_seq: u64,
    pub chain_hash: Hash,
    pub torn: Option<TornTail>,
}

/// Read and verify all segments of a folder, in order.
pub fn recover(folder: &Path) -> Result<Recovered, JournalError> {
    let segments = segment_paths(folder)?;
    let mut recovered = Recovered {
        segments: Vec::new(),
        places: Places::default(),
        next_seq: 1,
        chain_hash: Hash::default(),
        torn: None,
    };
    for (index, path) in segments.iter().enumerate() {
        let refused = |error| JournalError::io("read", path, &error);
        if !fs::metadata(path).map_err(refused)?.is_file() {
            return Err(recovered.broken(path, 0, "this is no regular file"));
        }
        let file = fs::read(path).map_err(refused)?;
        let is_last = index + 1 == segments.len();
        recovered.take_segment(path, &file, is_last)?;
    }
    Ok(recovered)
}

/// Return the name of the segment that begins with an entry.
pub fn segment_name(first_seq: u64) -> String {
    format!("{first_seq:020}.journal")
}

fn segment_paths(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let refused = |error| JournalError::io("list", folder, &error);
    let mut paths = Vec::new();
    for item in fs::read_dir(folder).map_err(refused)? {
        let path = item.map_err(refused)?.path();
        if path.extension().is_some_and(|extension| extension == "journal") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Return whether a record that is damaged was written to its end: then a bit of it has flipped.
/// `data_end`: behind the last byte that is not zero, which may be before the record's last one.
fn was_written(file: &[u8], offset: usize, data_end: usize, chain_before: &Hash) -> bool {
    let ends = data_end..=file.len().min(data_end + HASH_BYTES - 1);
    if ends.clone().any(|end| format::is_whole_but_for_its_length(&file[offset..end])) {
        return true;
    }
    let record = &file[offset..];
    let Some(end) = format::record_end(record).map(|bytes| offset + bytes) else { return false };
    if !ends.contains(&end) {
        return false;
    }
    let is_zero = |from: usize| {
        let to = end.min((from / BLOCK_BYTES + 1) * BLOCK_BYTES);
        file[from.max(offset)..to].iter().all(|&byte| byte == 0)
    };
    let first_block = offset / BLOCK_BYTES * BLOCK_BYTES;
    !(first_block..end).step_by(BLOCK_BYTES).any(is_zero)
        && !lacks_its_end(&file[offset..end], data_end - offset, chain_before)
}

/// Return whether all that a record lacks is the end of the chain hash that closes it.
fn lacks_its_end(record: &[u8], written: usize, chain_before: &Hash) -> bool {
    let mut chain_hash = *chain_before;
    for entry in format::split_entries(format::entries_of(record)) {
        let Ok(entry) = entry else { return false };
        chain_hash = format::chain(&chain_hash, &format::entry_hash(entry));
    }
    let (there, missing) = chain_hash.split_at(HASH_BYTES - (record.len() - written));
    record[..written].ends_with(there) && missing.iter().any(|&byte| byte != 0)
}

impl Recovered {
    fn take_segment(
        &mut self,
        path: &Path,
        file: &[u8],
        is_last: bool,
    ) -> Result<(), JournalError> {
        let header = Header::decode(file).map_err(|reason| self.broken(path, 0, reason))?;
        if path.file_name() != Some(segment_name(header.first_seq).as_ref()) {
            return Err(self.broken(path, 0, "the segment has the name of another"));
        }
        if header.first_seq != self.next_seq {
            return Err(self.broken(path, 0, "the segment begins with another entry"));
        }
        if header.chain_hash != self.chain_hash {
            return Err(self.broken(path, 0, "the segment continues another chain"));
        }
        self.segments.push(Start { first_seq: self.next_seq, path: Arc::from(path) });
        self.places = Places::default();
        let data_end = file.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let mut offset = HEADER_BYTES;
        while offset < data_end {
            match Record::decode(&file[offset..]) {
                Ok(record) => {
                    self.take_record(path, offset, &record)?;
                    offset += record.bytes;
                }
                Err(_)
                    if is_last
                        && !was_written(file, offset, data_end, &self.chain_hash)
                        && !self.has_later_record(&file[offset..]) =>
                {
                    self.torn = Some(TornTail {
                        path: path.to_owned(),
                        offset: offset as u64,
                        bytes: (data_end - offset) as u64,
                        seq: self.next_seq,
                    });
                    break;
                }
                Err(reason) => return Err(self.broken(path, offset, reason)),
            }
        }
        Ok(())
    }

    fn take_record(
        &mut self,
        path: &Path,
        offset: usize,
        record: &Record<'_>,
    ) -> Result<(), JournalError> {
        if record.first_seq != self.next_seq {
            return Err(self.broken(path, offset, "the group begins with another entry"));
        }
        let (mut chain_hash, mut count) = (self.chain_hash, 0);
        for entry in format::split_entries(record.entries) {
            let entry = entry.map_err(|_| self.broken(path, offset, "an entry is cut"))?;
            chain_hash = format::chain(&chain_hash, &format::entry_hash(entry));
            count += 1;
        }
        if count != u64::from(record.count) {
            return Err(self.broken(path, offset, "the group holds another number of entries"));
        }
        if chain_hash != record.chain_hash {
            return Err(self.broken(path, offset, "the chain hash differs"));
        }
        self.places.add(self.next_seq, record.bytes as u64);
        self.next_seq += count;
        self.chain_hash = chain_hash;
        Ok(())
    }

    /// Return whether a whole later group follows somewhere: then what is bad here was durable
    /// once.
    fn has_later_record(&self, bytes: &[u8]) -> bool {
        (1..bytes.len()).any(|offset| {
            Record::decode(&bytes[offset..]).is_ok_and(|record| {
                record.first_seq > self.next_seq && record.count as usize <= record.entries.len()
            })
        })
    }

    fn broken(&self, path: &Path, offset: usize, reason: &'static str) -> JournalError {
        let (path, offset) = (path.to_owned(), offset as u64);
        JournalError::Broken { path, offset, seq: self.next_seq, reason }
    }
}
