//! A folder for one test, and what its journal is filled with.

#![allow(dead_code)] // each test file uses some of it

use std::fs;
use std::path::{Path, PathBuf};

use proofbook_journal::{Durable, Journal, JournalError, MARK_BYTES, Mark, Options};
use proofbook_kernel::keccak::{Hash, hash_pair, keccak256};

pub const SMALL: Options = Options { segment_bytes: 4096, groups_waiting_max: 64 };
pub const HEADER_BYTES: usize = 64;
pub const MARK: Mark = [0; MARK_BYTES];

/// A folder of this test alone, empty at the start and removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("journal-{name}"));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn open(&self) -> Journal {
        Journal::open(&self.0, SMALL).expect("the journal opens")
    }

    pub fn refusal(&self) -> JournalError {
        Journal::open(&self.0, SMALL).expect_err("the journal is refused")
    }

    pub fn segments(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(&self.0).unwrap().map(|item| item.unwrap().path());
        let mut paths: Vec<PathBuf> =
            items.filter(|path| path.extension().is_some_and(|name| name == "journal")).collect();
        paths.sort();
        paths
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn entry(seq: u64) -> Vec<u8> {
    let body = [keccak256(&seq.to_le_bytes()).as_slice(), &seq.to_le_bytes()].concat();
    [(body.len() as u16).to_le_bytes().as_slice(), &body].concat()
}

pub fn entries(first: u64, count: u64) -> Vec<u8> {
    (first..first + count).flat_map(entry).collect()
}

/// Append groups of three entries, each durable before the next, so that each is one record.
pub fn fill(journal: &Journal, groups: u64) -> Vec<Durable> {
    (0..groups)
        .map(|_| {
            let first = journal.next_seq();
            journal.append_group(entries(first, 3), first, MARK).unwrap().wait().unwrap()
        })
        .collect()
}

pub fn chain_after(last: u64) -> Hash {
    (1..=last).fold([0; 32], |chain, seq| hash_pair(&chain, &keccak256(&entry(seq))))
}

/// The bytes of the last segment without the zeros that are reserved after its records.
pub fn data_of(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}
