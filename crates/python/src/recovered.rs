//! Entries whose signers are known already: joined bytes in, joined bytes out.
//!
//! Nothing here checks a signature. Each entry has a row of signers: a byte that says how many, and
//! so many addresses, zero for a signature that recovers to nobody.

use proofbook_kernel::commands::{Address, Signature};
use proofbook_kernel::host::Host;
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::limits::OutcomeKind;
use proofbook_kernel::transition::Outcome;
use proofbook_kernel::world::NOBODY;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::kernel::Engine;

const LENGTH_BYTES: usize = 2;
const OUTCOME_KINDS: usize = OutcomeKind::Void as usize;

/// How many entries were applied, rejected and void: the kinds of outcome, counted from 1.
pub type Counts = [u64; OUTCOME_KINDS];

/// Outcomes, where each entry's events end, and the events.
pub type Results<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Whole entries one after the other, each with its row of signers.
pub struct Stream<'a> {
    entries: &'a [u8],
    signers: &'a [u8],
    count: usize,
}

impl<'a> Stream<'a> {
    /// Return the stream; raise ValueError when entries or rows of signers are cut off, or more of
    /// the one than of the other.
    pub fn new(entries: &'a [u8], signers: &'a [u8]) -> PyResult<Self> {
        let mut rest = Self { entries, signers, count: 0 };
        let mut count = 0;
        while !rest.entries.is_empty() {
            if rest.split().is_none() {
                let message = format!("entry {count}, or its row of signers, is cut off");
                return Err(PyValueError::new_err(message));
            }
            count += 1;
        }
        if !rest.signers.is_empty() {
            let message = format!("{} bytes of signers after the last entry", rest.signers.len());
            return Err(PyValueError::new_err(message));
        }
        Ok(Self { entries, signers, count })
    }

    /// Take the next entry off, with its signers.
    fn split(&mut self) -> Option<(&'a [u8], Known<'a>)> {
        let length = self.entries.first_chunk::<LENGTH_BYTES>()?;
        let length = LENGTH_BYTES + u16::from_le_bytes(*length) as usize;
        let (entry, entries) = self.entries.split_at_checked(length)?;
        let (&count, signers) = self.signers.split_first()?;
        let (row, signers) = signers.split_at_checked(count as usize * size_of::<Address>())?;
        (self.entries, self.signers) = (entries, signers);
        Some((entry, Known { rest: row.as_chunks().0 }))
    }

    /// Apply all entries; count what became of them and keep nothing else.
    pub fn replay(mut self, engine: &mut Engine) -> Counts {
        let (mut counts, mut events) = ([0; OUTCOME_KINDS], Vec::new());
        while let Some((entry, mut known)) = self.split() {
            events.clear();
            let outcome = engine.apply_from(entry, &mut known, &mut events);
            counts[outcome.kind as usize - 1] += 1;
        }
        counts
    }

    /// Apply all entries; return two bytes of outcome for each, where its events end as four bytes,
    /// and the events.
    pub fn apply(mut self, engine: &mut Engine) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut outcomes = Vec::with_capacity(2 * self.count);
        let mut ends = Vec::with_capacity(4 * self.count);
        let mut events = Vec::new();
        while let Some((entry, mut known)) = self.split() {
            let Outcome { kind, reason } = engine.apply_from(entry, &mut known, &mut events);
            outcomes.extend([kind, reason]);
            ends.extend((events.len() as u32).to_le_bytes());
        }
        (outcomes, ends, events)
    }
}

/// The signers of one entry, in the order of its signatures.
struct Known<'a> {
    rest: &'a [Address],
}

impl Host for Known<'_> {
    fn recover(
        &mut self,
        _digest: impl FnOnce() -> Hash,
        _signature: &Signature,
    ) -> Option<Address> {
        let (&signer, rest) = self.rest.split_first()?;
        self.rest = rest;
        (signer != NOBODY).then_some(signer)
    }
}

/// Return what was applied as bytes objects.
pub fn as_bytes<'py>(
    py: Python<'py>,
    (outcomes, ends, events): (Vec<u8>, Vec<u8>, Vec<u8>),
) -> Results<'py> {
    (PyBytes::new(py, &outcomes), PyBytes::new(py, &ends), PyBytes::new(py, &events))
}
