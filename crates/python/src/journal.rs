//! The door to `proofbook-journal`. Completions arrive through an event file descriptor and
//! `drain`.

use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use proofbook_journal::{Durable, Journal as Log, JournalError as Fault, Mark, Options};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rustix::event::{EventfdFlags, eventfd};

create_exception!(
    proofbook._native,
    JournalError,
    PyException,
    "A fault of the journal: message, kind and a dictionary of its operands."
);

/// A group that became durable, or can no longer become so: then `error` is set and the hashes are
/// empty.
#[pyclass(frozen, get_all, module = "proofbook._native")]
pub struct Completed {
    first_seq: u64,
    last_seq: u64,
    sync_ns: u64,
    chain_hash_before: Py<PyBytes>,
    entry_hashes: Py<PyBytes>,
    chain_hashes: Py<PyBytes>,
    error: Option<Py<PyAny>>,
}

/// First number, mark, chain hash before, entries.
type GroupRow<'py> = (u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// What the writer's thread leaves for the event loop.
struct Mailbox {
    answers: Mutex<Vec<(u64, Result<Durable, Fault>)>>,
    event: OwnedFd,
}

/// An open journal; one writer for a folder.
#[pyclass(frozen, module = "proofbook._native")]
pub struct Journal {
    log: Mutex<Option<Arc<Log>>>,
    mailbox: Arc<Mailbox>,
}

#[pymethods]
impl Journal {
    /// Open the journal of a folder, verifying all of it.
    #[new]
    #[pyo3(signature = (folder, *, segment_bytes, groups_waiting_max))]
    fn new(
        py: Python<'_>,
        folder: PathBuf,
        segment_bytes: u64,
        groups_waiting_max: usize,
    ) -> PyResult<Self> {
        let options = Options { segment_bytes, groups_waiting_max };
        let log = py.detach(|| Log::open(&folder, options)).map_err(|fault| raise(py, &fault))?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let event = eventfd(0, flags).map_err(std::io::Error::from)?;
        let mailbox = Arc::new(Mailbox { answers: Mutex::default(), event });
        Ok(Self { log: Mutex::new(Some(Arc::new(log))), mailbox })
    }

    /// Append whole entries that begin with number `expected_seq`, and a mark of 16 bytes; return
    /// the first and last number.
    fn append(
        &self,
        py: Python<'_>,
        entries: &[u8],
        expected_seq: u64,
        mark: Mark,
    ) -> PyResult<(u64, u64)> {
        let mailbox = Arc::clone(&self.mailbox);
        let entries = entries.to_vec();
        let complete = Box::new(move |answer| mailbox.put(expected_seq, answer));
        self.log()?.append(entries, expected_seq, mark, complete).map_err(|fault| raise(py, &fault))
    }

    /// Return the file descriptor that is readable while completed groups wait.
    fn fileno(&self) -> RawFd {
        self.mailbox.event.as_raw_fd()
    }

    /// Take the groups completed since the last call, in order.
    fn drain(&self, py: Python<'_>) -> Vec<Completed> {
        let answers = self.mailbox.take();
        answers.into_iter().map(|(first, answer)| completed(py, first, answer)).collect()
    }

    /// Return durable entries from a number on, one after the other.
    #[pyo3(name = "read")]
    fn read<'py>(
        &self,
        py: Python<'py>,
        from_seq: u64,
        entries_max: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let log = self.log()?;
        let entries = py.detach(|| log.read(from_seq, entries_max));
        Ok(PyBytes::new(py, &entries.map_err(|fault| raise(py, &fault))?))
    }

    /// Return first number, mark, chain hash before and entries of the group that holds an entry.
    fn group<'py>(&self, py: Python<'py>, seq: u64) -> PyResult<Option<GroupRow<'py>>> {
        let log = self.log()?;
        let group = py.detach(|| log.group(seq)).map_err(|fault| raise(py, &fault))?;
        let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
        Ok(group.map(|group| {
            let chain_hash = bytes(&group.chain_hash_before);
            (group.first_seq, bytes(&group.mark), chain_hash, bytes(&group.entries))
        }))
    }

    /// Return the last number of some neighbouring groups each, and how many bytes their entries
    /// are.
    fn sizes(&self, py: Python<'_>) -> PyResult<Vec<(u64, u64)>> {
        let log = self.log()?;
        py.detach(|| log.sizes()).map_err(|fault| raise(py, &fault))
    }

    /// The number of the next entry to append.
    #[getter]
    fn next_seq(&self) -> PyResult<u64> {
        Ok(self.log()?.next_seq())
    }

    /// Return the number of the last durable entry and the chain hash after it.
    fn tail<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let (seq, chain_hash) = self.log()?.tail();
        Ok((seq, PyBytes::new(py, &chain_hash)))
    }

    /// Return file, offset, bytes and first number of what opening has found torn, if anything.
    fn torn(&self) -> PyResult<Option<(PathBuf, u64, u64, u64)>> {
        let log = self.log()?;
        Ok(log.torn().map(|torn| (torn.path.clone(), torn.offset, torn.bytes, torn.seq)))
    }

    /// Write what waits, stop the thread and let another writer in.
    fn close(&self, py: Python<'_>) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(log));
    }
}

impl Journal {
    fn log(&self) -> PyResult<Arc<Log>> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone().ok_or_else(|| PyValueError::new_err("the journal is closed"))
    }
}

impl Mailbox {
    fn put(&self, first_seq: u64, answer: Result<Durable, Fault>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = answers.is_empty();
        answers.push((first_seq, answer));
        drop(answers);
        if was_empty {
            let written = rustix::io::write(&self.event, &1u64.to_ne_bytes());
            assert_eq!(written, Ok(8), "an event counter takes one more");
        }
    }

    fn take(&self) -> Vec<(u64, Result<Durable, Fault>)> {
        // Cleared first: what arrives in between wakes the reader once more, for nothing at worst.
        match rustix::io::read(&self.event, &mut [0; 8]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => panic!("reading an event counter: {error}"),
        }
        mem::take(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn completed(py: Python<'_>, first_seq: u64, answer: Result<Durable, Fault>) -> Completed {
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes).unbind();
    match answer {
        Ok(durable) => Completed {
            first_seq,
            last_seq: durable.last_seq,
            sync_ns: durable.sync_ns,
            chain_hash_before: bytes(&durable.chain_hash_before),
            entry_hashes: bytes(durable.entry_hashes.as_flattened()),
            chain_hashes: bytes(durable.chain_hashes.as_flattened()),
            error: None,
        },
        Err(fault) => Completed {
            first_seq,
            last_seq: 0,
            sync_ns: 0,
            chain_hash_before: bytes(&[]),
            entry_hashes: bytes(&[]),
            chain_hashes: bytes(&[]),
            error: Some(raise(py, &fault).into_value(py).into_any()),
        },
    }
}

/// Return the exception for a fault: its message, its kind, and its operands by name.
fn raise(py: Python<'_>, fault: &Fault) -> PyErr {
    let operands = PyDict::new(py);
    match name_operands(fault, &operands) {
        Ok(kind) => JournalError::new_err((fault.to_string(), kind, operands.unbind())),
        Err(error) => error,
    }
}

fn name_operands(fault: &Fault, operands: &Bound<'_, PyDict>) -> PyResult<&'static str> {
    Ok(match fault {
        Fault::Locked { path } => {
            operands.set_item("path", path)?;
            "locked"
        }
        Fault::Io { operation, path, code, .. } => {
            operands.set_item("operation", operation)?;
            operands.set_item("path", path)?;
            operands.set_item("code", code)?;
            "io"
        }
        Fault::Broken { path, offset, seq, reason } => {
            operands.set_item("path", path)?;
            operands.set_item("offset", offset)?;
            operands.set_item("seq", seq)?;
            operands.set_item("reason", reason)?;
            "broken"
        }
        Fault::Malformed { offset, bytes } => {
            operands.set_item("offset", offset)?;
            operands.set_item("bytes", bytes)?;
            "malformed"
        }
        Fault::GroupTooLarge { bytes, bytes_max } => {
            operands.set_item("bytes", bytes)?;
            operands.set_item("bytes_max", bytes_max)?;
            "group_too_large"
        }
        Fault::SequenceMismatch { expected, next } => {
            operands.set_item("expected", expected)?;
            operands.set_item("next", next)?;
            "sequence_mismatch"
        }
        Fault::Busy { groups_max } => {
            operands.set_item("groups_max", groups_max)?;
            "busy"
        }
        Fault::Poisoned { cause } => {
            operands.set_item("cause", cause)?;
            "poisoned"
        }
    })
}
