//! The door to `proofbook-ingress`: ordinary requests in, the bytes of their commands and answers
//! out.

use std::sync::{Arc, PoisonError, RwLock};

use proofbook_ingress::answer::{Tables, Times, answer};
use proofbook_ingress::request::{self, Instrument, Instruments, read};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

const TAGS: usize = 256;

/// A signed method that was read off its JSON.
#[pyclass(frozen, module = "proofbook._native")]
pub struct Ordinary {
    read: request::Ordinary,
    tables: Arc<Tables>,
    #[pyo3(get)]
    tag: u8,
    #[pyo3(get)]
    body: Py<PyBytes>,
}

#[pymethods]
impl Ordinary {
    #[getter]
    fn id(&self) -> u64 {
        self.read.id
    }

    /// The number of an order's instrument; 0 of what is no order.
    #[getter]
    fn instrument(&self) -> u32 {
        self.read.instrument.as_ref().map_or(0, |instrument| instrument.number)
    }

    /// Instrument and side of quotes, in the order in which they came.
    #[getter]
    fn rows(&self) -> Vec<(u32, u8)> {
        self.read.rows.iter().map(|(instrument, side)| (instrument.number, *side)).collect()
    }

    /// Return the whole answer once the command is applied: its events, and a receipt's JSON.
    fn answer<'py>(
        &self,
        py: Python<'py>,
        events: &[u8],
        receipt: &str,
        us_in: i64,
        us_out: i64,
    ) -> Option<Bound<'py, PyBytes>> {
        let times = Times { us_in, us_out };
        let text = answer(&self.read, events, receipt, times, &self.tables)?;
        Some(PyBytes::new(py, text.as_bytes()))
    }
}

/// Reads ordinary requests of the instruments that it was told of.
#[pyclass(frozen, module = "proofbook._native")]
pub struct OrdinaryRequests {
    instruments: RwLock<Instruments>,
    tables: Arc<Tables>,
}

#[pymethods]
impl OrdinaryRequests {
    /// Know no instrument yet, but the sizes of events after their tags, and the names of removals
    /// and of rejections; raise ValueError when that is not so many sizes as a byte has values.
    #[new]
    fn new(sizes: Vec<u8>, removals: Vec<String>, rejects: Vec<String>) -> PyResult<Self> {
        if sizes.len() != TAGS {
            let message = format!("{} sizes of events, must be {TAGS}", sizes.len());
            return Err(PyValueError::new_err(message));
        }
        let tables = Arc::new(Tables { sizes, removals, rejects });
        Ok(Self { instruments: RwLock::default(), tables })
    }

    /// Take up an instrument, or what has changed of it.
    fn put(&self, name: &str, number: u32, tick_atoms: u64, lot_nanos: u64) {
        let instrument = Instrument { number, name: name.into(), tick_atoms, lot_nanos };
        let mut instruments = self.instruments.write().unwrap_or_else(PoisonError::into_inner);
        instruments.insert(name.as_bytes().into(), Arc::new(instrument));
    }

    /// Forget an instrument.
    fn drop(&self, name: &str) {
        let mut instruments = self.instruments.write().unwrap_or_else(PoisonError::into_inner);
        instruments.remove(name.as_bytes());
    }

    /// Return what an ordinary request asks; of any other nothing is said.
    fn read(&self, py: Python<'_>, frame: &[u8]) -> Option<Ordinary> {
        let instruments = self.instruments.read().unwrap_or_else(PoisonError::into_inner);
        let read = read(frame, &instruments)?;
        Some(Ordinary {
            tables: Arc::clone(&self.tables),
            tag: read.tag,
            body: PyBytes::new(py, &read.body).unbind(),
            read,
        })
    }
}
