//! The door to `proofbook-ingress`: ordinary requests in, the bytes of their commands out.

use std::sync::{PoisonError, RwLock};

use proofbook_ingress::request::{Grid, Grids, Row, read};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A signed method that was read off its JSON.
#[pyclass(frozen, get_all, module = "proofbook._native")]
pub struct Ordinary {
    id: u64,
    tag: u8,
    account: u32,
    session: u8,
    nonce: u64,
    instrument: u32,
    rows: Vec<Row>,
    body: Py<PyBytes>,
}

/// Reads ordinary requests of the instruments that it was told of.
#[pyclass(frozen, module = "proofbook._native")]
#[derive(Default)]
pub struct OrdinaryRequests {
    grids: RwLock<Grids>,
}

#[pymethods]
impl OrdinaryRequests {
    /// Know no instrument yet.
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Take up an instrument, or what has changed of it.
    fn put(&self, name: &str, number: u32, tick_atoms: u64, lot_nanos: u64) {
        let grid = Grid { number, tick_atoms, lot_nanos };
        let mut grids = self.grids.write().unwrap_or_else(PoisonError::into_inner);
        grids.insert(name.as_bytes().into(), grid);
    }

    /// Forget an instrument.
    fn drop(&self, name: &str) {
        let mut grids = self.grids.write().unwrap_or_else(PoisonError::into_inner);
        grids.remove(name.as_bytes());
    }

    /// Return what an ordinary request asks; of any other nothing is said.
    fn read(&self, py: Python<'_>, frame: &[u8]) -> Option<Ordinary> {
        let grids = self.grids.read().unwrap_or_else(PoisonError::into_inner);
        let read = read(frame, &grids)?;
        Some(Ordinary {
            id: read.id,
            tag: read.tag,
            account: read.account,
            session: read.session,
            nonce: read.nonce,
            instrument: read.instrument,
            rows: read.rows,
            body: PyBytes::new(py, &read.body).unbind(),
        })
    }
}
