//! The door to receipts: the tree over a group, the path of each, and their JSON.

use std::sync::Arc;

use proofbook_ingress::receipt::{Group, Said, Shared};
use proofbook_kernel::keccak::Hash;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The receipts of a group that is on disk, not signed yet.
#[pyclass(frozen, module = "proofbook._native")]
pub struct ReceiptGroup {
    group: Arc<Group>,
}

#[pymethods]
impl ReceiptGroup {
    /// Build the tree over receipts: joined hashes of the entries and of the chain after each,
    /// times of receipt, outcomes of two bytes. Raise ValueError for none, or rows that do not fit.
    #[new]
    fn new(
        py: Python<'_>,
        shared: (u64, u64, u64, u64),
        entry_hashes: &[u8],
        chain_hashes: &[u8],
        received_ns: Vec<u64>,
        outcomes: &[u8],
    ) -> PyResult<Self> {
        let (epoch, first_seq, window_ns, include_by_ns) = shared;
        let shared = Shared { epoch, first_seq, window_ns, include_by_ns };
        let count = received_ns.len();
        let hash_bytes = count * size_of::<Hash>();
        let fits = [entry_hashes.len(), chain_hashes.len(), outcomes.len()]
            == [hash_bytes, hash_bytes, 2 * count];
        let (entry_hashes, _) = entry_hashes.as_chunks();
        let (chain_hashes, _) = chain_hashes.as_chunks();
        let (outcomes, _) = outcomes.as_chunks();
        let said = entry_hashes.iter().zip(chain_hashes).zip(received_ns).zip(outcomes);
        let said = said.map(|(((entry_hash, chain_hash), received_ns), outcome)| Said {
            entry_hash: *entry_hash,
            chain_hash: *chain_hash,
            received_ns,
            outcome: *outcome,
        });
        let said = said.collect();
        let group = py.detach(|| Group::new(shared, said));
        match group.filter(|_| fits) {
            Some(group) => Ok(Self { group: Arc::new(group) }),
            None => Err(PyValueError::new_err(format!("no rows, or not {count} of each kind"))),
        }
    }

    /// The root that is signed.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.group.root())
    }

    /// Return all receipts, under a signature; raise ValueError for one that has not 64 bytes.
    fn signed(&self, signature: &[u8]) -> PyResult<Vec<SignedReceipt>> {
        let Ok(signature) = signature.try_into().map(Arc::new) else {
            let message = format!("a signature of {} bytes, must be 64", signature.len());
            return Err(PyValueError::new_err(message));
        };
        let one = |place| SignedReceipt {
            group: Arc::clone(&self.group),
            signature: Arc::clone(&signature),
            place,
        };
        Ok((0..self.group.said.len()).map(one).collect())
    }
}

/// One receipt of a signed group.
#[pyclass(frozen, module = "proofbook._native")]
pub struct SignedReceipt {
    group: Arc<Group>,
    signature: Arc<[u8; 64]>,
    place: usize,
}

/// Hash of the entry, chain after it, time of receipt, kind and reason of the outcome, and path.
type Members<'py> =
    (Bound<'py, PyBytes>, Bound<'py, PyBytes>, u64, u8, u8, Vec<Bound<'py, PyBytes>>);

#[pymethods]
impl SignedReceipt {
    #[getter]
    fn seq(&self) -> u64 {
        self.group.shared.first_seq + self.place as u64
    }

    /// Return the receipt as the interface writes it; `name` is its outcome's.
    fn json(&self, name: &str) -> String {
        self.group.json(self.place, name, self.signature.as_slice())
    }

    /// Return what the receipt says of its own entry.
    fn members<'py>(&self, py: Python<'py>) -> Members<'py> {
        let said = &self.group.said[self.place];
        let [kind, reason] = said.outcome;
        let path = self.group.path(self.place).map(|sibling| PyBytes::new(py, sibling));
        let (entry_hash, chain_hash) =
            (PyBytes::new(py, &said.entry_hash), PyBytes::new(py, &said.chain_hash));
        (entry_hash, chain_hash, said.received_ns, kind, reason, path.collect())
    }

    /// Return epoch, first seq, window, promise, count, root and signature of its group.
    #[allow(clippy::type_complexity)]
    fn shared<'py>(
        &self,
        py: Python<'py>,
    ) -> (u64, u64, u64, u64, usize, Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let Shared { epoch, first_seq, window_ns, include_by_ns } = self.group.shared;
        let (root, signature) =
            (PyBytes::new(py, &self.group.root()), PyBytes::new(py, self.signature.as_slice()));
        (epoch, first_seq, window_ns, include_by_ns, self.group.said.len(), root, signature)
    }
}
