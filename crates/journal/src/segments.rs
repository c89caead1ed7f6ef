//! Which file holds an entry, and where in it: as much memory for a long journal as for a short
//! one.
//!
//! Of most files nothing is held but name and first number. The last and those that were read of
//! late are open, each with a place for every few groups.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use proofbook_kernel::keccak::Hash;

use crate::error::JournalError;
use crate::format::{HASH_BYTES, HEAD_BYTES, HEADER_BYTES, Head, Header, Record};

/// Files that are open to be read, the last of the journal included.
pub const OPEN_MAX: usize = 16;
/// Bytes of neighbouring groups that share a place: what is read for one entry, as a rule.
pub const PLACE_BYTES: u64 = 16 << 10;

/// A file of the journal.
#[derive(Clone, Debug)]
pub struct Start {
    pub first_seq: u64,
    pub path: Arc<Path>,
}

/// Where a group begins in a file.
#[derive(Clone, Copy, Debug)]
struct Place {
    first_seq: u64,
    offset: u64,
}

/// Where the groups of a file are: a place for the first of them, and one for every few others.
#[derive(Clone, Debug)]
pub struct Places {
    places: Vec<Place>,
    /// Where the last group ends.
    pub end: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self { places: Vec::new(), end: HEADER_BYTES as u64 }
    }
}

impl Places {
    /// Add the group that follows the last one.
    pub fn add(&mut self, first_seq: u64, bytes: u64) {
        let offset = self.end;
        if self.places.last().is_none_or(|last| offset - last.offset >= PLACE_BYTES) {
            self.places.push(Place { first_seq, offset });
        }
        self.end = offset + bytes;
    }

    /// Return where the last place begins: no group after it is elsewhere.
    pub fn last(&self) -> u64 {
        self.places.last().map_or(0, |place| place.offset)
    }

    /// Return the first number, the offset and the end of some groups, an entry's among them.
    fn around(&self, seq: u64) -> Option<(u64, u64, u64)> {
        let after = self.places.partition_point(|place| place.first_seq <= seq);
        let place = self.places[..after].last()?;
        let end = self.places.get(after).map_or(self.end, |next| next.offset);
        Some((place.first_seq, place.offset, end))
    }
}

/// A file that is open to be read.
#[derive(Debug)]
pub struct Segment {
    start: Start,
    file: Arc<File>,
    places: Places,
}

impl Segment {
    /// Open a file that is written no more.
    pub fn open(start: Start) -> Result<Self, JournalError> {
        let file = open(&start.path)?;
        let mut places = Places::default();
        each_head(&file, &start, u64::MAX, |head| places.add(head.first_seq, head.bytes))?;
        Ok(Self { start, file: Arc::new(file), places })
    }

    pub fn span(&self, seq: u64) -> Option<Span> {
        let (first_seq, offset, end) = self.places.around(seq)?;
        let (path, file) = (Arc::clone(&self.start.path), Arc::clone(&self.file));
        Some(Span { path, file, first_seq, offset, end })
    }
}

/// The files of a journal.
#[derive(Debug, Default)]
pub struct Segments {
    starts: Vec<Start>,
    /// The file that is written.
    last: Option<Segment>,
    /// Others that are open, the one that was read last at the end.
    others: Vec<Segment>,
}

/// Where an entry is to be found.
pub enum Found {
    In(Span),
    /// In a file that must be opened first.
    Closed(Start),
    Nowhere,
}

impl Segments {
    /// Take the files that are there; `places` are those of the last one.
    pub fn of(starts: &[Start], places: &Places) -> Result<Self, JournalError> {
        let last = match starts.last() {
            Some(start) => {
                let (start, file) = (start.clone(), Arc::new(open(&start.path)?));
                Some(Segment { start, file, places: places.clone() })
            }
            None => None,
        };
        Ok(Self { starts: starts.to_vec(), last, others: Vec::new() })
    }

    /// Add the file that is written from now on.
    pub fn add(&mut self, first_seq: u64, path: &Path, file: Arc<File>) {
        let start = Start { first_seq, path: Arc::from(path) };
        self.starts.push(start.clone());
        if let Some(written) = self.last.replace(Segment { start, file, places: Places::default() })
        {
            self.keep(written);
        }
    }

    /// Add a group to the last file.
    pub fn add_group(&mut self, first_seq: u64, bytes: u64) {
        let last = self.last.as_mut().expect("a group is written to a file");
        last.places.add(first_seq, bytes);
    }

    /// Return where an entry is.
    pub fn find(&mut self, seq: u64) -> Found {
        let after = self.starts.partition_point(|start| start.first_seq <= seq);
        let Some(start) = self.starts[..after].last() else {
            return Found::Nowhere;
        };
        if after == self.starts.len() {
            let span = self.last.as_ref().and_then(|last| last.span(seq));
            return span.map_or(Found::Nowhere, Found::In);
        }
        let is_it = |other: &Segment| other.start.first_seq == start.first_seq;
        let Some(at) = self.others.iter().position(is_it) else {
            return Found::Closed(start.clone());
        };
        self.others[at..].rotate_left(1);
        let span = self.others.last().and_then(|other| other.span(seq));
        span.map_or(Found::Nowhere, Found::In)
    }

    /// Hold a file open, and close the one that nobody has read for the longest time.
    pub fn keep(&mut self, segment: Segment) {
        self.others.retain(|other| other.start.first_seq != segment.start.first_seq);
        self.others.push(segment);
        if self.others.len() >= OPEN_MAX {
            self.others.remove(0);
        }
    }

    /// Return all files, and where the last of them ends.
    pub fn starts(&self) -> (Vec<Start>, u64) {
        (self.starts.clone(), self.last.as_ref().map_or(0, |last| last.places.end))
    }
}

/// Some whole groups of a file, one after the other.
pub struct Span {
    path: Arc<Path>,
    file: Arc<File>,
    first_seq: u64,
    offset: u64,
    end: u64,
}

impl Span {
    /// Hand each group from the one of entry `from` on to `take`, with its offset, until that
    /// returns false; return the number after the last one.
    pub fn each_record<'bytes>(
        &self,
        bytes: &'bytes [u8],
        from: u64,
        mut take: impl FnMut(u64, Record<'bytes>) -> Result<bool, JournalError>,
    ) -> Result<u64, JournalError> {
        let (mut offset, mut seq) = (self.offset, self.first_seq);
        while offset < self.end {
            let record = Record::decode(&bytes[(offset - self.offset) as usize..])
                .map_err(|reason| self.broken(offset, seq, reason))?;
            if record.first_seq != seq {
                return Err(self.broken(offset, seq, "the group begins with another entry"));
            }
            seq += u64::from(record.count);
            if seq > from && !take(offset, record)? {
                break;
            }
            offset += record.bytes as u64;
        }
        if seq > from { Ok(seq) } else { Err(self.broken(offset, seq, "the entry is not there")) }
    }

    pub fn read(&self) -> Result<Vec<u8>, JournalError> {
        self.read_at(self.offset, (self.end - self.offset) as usize)
    }

    /// Return the chain before a group: it ends the group before, or stands in the file's header.
    pub fn chain_hash_before(&self, offset: u64) -> Result<Hash, JournalError> {
        if offset == HEADER_BYTES as u64 {
            let header = Header::decode(&self.read_at(0, HEADER_BYTES)?);
            return header
                .map(|header| header.chain_hash)
                .map_err(|reason| self.broken(0, self.first_seq, reason));
        }
        let bytes = self.read_at(offset - HASH_BYTES as u64, HASH_BYTES)?;
        Ok(bytes.try_into().expect("32 bytes"))
    }

    pub fn broken(&self, offset: u64, seq: u64, reason: &'static str) -> JournalError {
        JournalError::Broken { path: self.path.to_path_buf(), offset, seq, reason }
    }

    fn read_at(&self, offset: u64, count: usize) -> Result<Vec<u8>, JournalError> {
        let mut bytes = vec![0; count];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| JournalError::io("read", &self.path, &error))?;
        Ok(bytes)
    }
}

/// Return the last number of some groups each, about `PLACE_BYTES` of them, and how many bytes
/// their entries are. `end`: where the last file ends.
pub fn sizes(starts: &[Start], end: u64) -> Result<Vec<(u64, u64)>, JournalError> {
    let (mut found, mut bytes, mut last_seq) = (Vec::new(), 0, 0);
    for (number, start) in starts.iter().enumerate() {
        let end = if number + 1 == starts.len() { end } else { u64::MAX };
        each_head(&open(&start.path)?, start, end, |head| {
            bytes += head.entries_bytes();
            last_seq = head.first_seq + u64::from(head.count) - 1;
            if bytes >= PLACE_BYTES {
                found.push((last_seq, std::mem::take(&mut bytes)));
            }
        })?;
    }
    if bytes > 0 {
        found.push((last_seq, bytes));
    }
    Ok(found)
}

/// Hand the head of each group to `take`, up to `end` or to the end of the file.
fn each_head(
    file: &File,
    start: &Start,
    end: u64,
    mut take: impl FnMut(&Head),
) -> Result<(), JournalError> {
    let refused = |error: io::Error| JournalError::io("read", &start.path, &error);
    let end = end.min(file.metadata().map_err(refused)?.len());
    let mut reader = BufReader::with_capacity(PLACE_BYTES as usize, file);
    let (mut offset, mut seq) = (HEADER_BYTES as u64, start.first_seq);
    reader.seek_relative(HEADER_BYTES as i64).map_err(refused)?;
    while offset < end {
        let broken =
            |reason| JournalError::Broken { path: start.path.to_path_buf(), offset, seq, reason };
        let mut bytes = [0; HEAD_BYTES];
        reader.read_exact(&mut bytes).map_err(refused)?;
        if bytes == [0; HEAD_BYTES] {
            break;
        }
        let head = Head::decode(&bytes).map_err(broken)?;
        if head.first_seq != seq || head.count == 0 {
            return Err(broken("the group begins with another entry"));
        }
        take(&head);
        seq += u64::from(head.count);
        offset += head.bytes;
        reader.seek_relative(head.bytes as i64 - HEAD_BYTES as i64).map_err(refused)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, JournalError> {
    File::open(path).map_err(|error| JournalError::io("open", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_few_places_however_many_groups_it_holds() {
        let (bytes, groups) = (100, 100_000);
        let mut places = Places::default();
        (1..=groups).for_each(|seq| places.add(seq, bytes));
        let most = groups * bytes / PLACE_BYTES + 1;
        assert!(places.places.len() as u64 <= most, "{} places", places.places.len());
        for seq in [1, 2, 163, 164, 165, 50_000, groups] {
            let (first_seq, offset, end) = places.around(seq).unwrap();
            assert_eq!(offset, HEADER_BYTES as u64 + (first_seq - 1) * bytes, "of {first_seq}");
            assert!(first_seq <= seq, "entry {seq} is not before {first_seq}");
            assert!(HEADER_BYTES as u64 + seq * bytes <= end, "entry {seq} is before {end}");
            assert!(end - offset < PLACE_BYTES + bytes, "no more is read than there must be");
        }
        assert_eq!(places.around(0), None, "numbers begin with one");
    }

    #[test]
    fn a_group_larger_than_a_place_has_its_own() {
        let mut places = Places::default();
        let sizes = [10, 3 * PLACE_BYTES, 10, PLACE_BYTES];
        (1..).zip(sizes).for_each(|(seq, bytes)| places.add(seq, bytes));
        let first = |seq| places.around(seq).unwrap().0;
        assert_eq!((1..=4).map(first).collect::<Vec<_>>(), [1, 1, 3, 3]);
        assert_eq!(places.end, HEADER_BYTES as u64 + sizes.iter().sum::<u64>());
    }
}
