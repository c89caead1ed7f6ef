//! What can go wrong with a journal. All of these are faults of the outside world or of the
//! caller's data.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A fault, with its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// Another writer has the journal open.
    Locked { path: PathBuf },
    /// The operating system refused an operation.
    Io { operation: &'static str, path: PathBuf, code: Option<i32>, message: String },
    /// A file does not hold what was written there; `seq` is the first entry that cannot be
    /// trusted.
    Broken { path: PathBuf, offset: u64, seq: u64, reason: &'static str },
    /// The bytes to append are not whole length-prefixed entries.
    Malformed { offset: usize, bytes: usize },
    /// The bytes to append are more than one group may hold.
    GroupTooLarge { bytes: usize, bytes_max: usize },
    /// The caller counts differently: the journal's next entry has another number.
    SequenceMismatch { expected: u64, next: u64 },
    /// Too many groups wait for the disk.
    Busy { groups_max: usize },
    /// An earlier write failed: what is on the disk is unknown until the journal is opened again.
    Poisoned { cause: String },
}

impl JournalError {
    /// Wrap a refusal of the operating system.
    pub(crate) fn io(operation: &'static str, path: &Path, error: &io::Error) -> Self {
        let (code, message) = (error.raw_os_error(), error.to_string());
        Self::Io { operation, path: path.to_owned(), code, message }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => {
                write!(f, "another process writes this journal: {} is locked", path.display())
            }
            Self::Io { operation, path, message, .. } => {
                write!(f, "cannot {operation} {}: {message}", path.display())
            }
            Self::Broken { path, offset, seq, reason } => write!(
                f,
                "the journal is damaged in {} at byte {offset}, before entry {seq}: {reason}",
                path.display()
            ),
            Self::Malformed { offset, bytes } => {
                write!(f, "byte {offset} of {bytes} does not begin a whole entry")
            }
            Self::GroupTooLarge { bytes, bytes_max } => {
                write!(f, "a group was {bytes} bytes, must be ≤ {bytes_max}")
            }
            Self::SequenceMismatch { expected, next } => {
                write!(f, "the group was to begin with entry {expected}, but {next} is next")
            }
            Self::Busy { groups_max } => {
                write!(f, "{groups_max} groups wait for the disk already")
            }
            Self::Poisoned { cause } => write!(f, "the journal stopped after a fault: {cause}"),
        }
    }
}

impl std::error::Error for JournalError {}
