//! The tree over the receipts of a group: the root that is signed, and the path of each.

use proofbook_kernel::keccak::{Hash, keccak256};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// Bytes of what one receipt says, before they are hashed.
const RECEIPT_BYTES: usize = 98;

/// Return the root of the tree over joined receipts, padded with zero words to a power of two, and
/// of each receipt its siblings from the bottom up. Raise ValueError for none, or a part of one.
#[pyfunction]
pub fn receipt_tree<'py>(
    py: Python<'py>,
    receipts: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
    let (receipts, rest) = receipts.as_chunks::<RECEIPT_BYTES>();
    if receipts.is_empty() || !rest.is_empty() {
        let message = format!("{} receipts and {} bytes after them", receipts.len(), rest.len());
        return Err(PyValueError::new_err(message));
    }
    let levels = py.detach(|| levels_of(receipts));
    let levels: Vec<Vec<Bound<PyBytes>>> = levels
        .iter()
        .map(|level| level.iter().map(|node| PyBytes::new(py, node)).collect())
        .collect();
    let (root, below) = levels.split_last().expect("a tree has a root");
    let paths = (0..receipts.len()).map(|place| {
        let siblings = below.iter().enumerate();
        PyTuple::new(py, siblings.map(|(height, level)| &level[(place >> height) ^ 1]))
    });
    let paths = paths.collect::<PyResult<Vec<_>>>()?;
    Ok((root[0].clone(), PyList::new(py, paths)?))
}

/// Return all levels of the tree, leaves first.
fn levels_of(receipts: &[[u8; RECEIPT_BYTES]]) -> Vec<Vec<Hash>> {
    let mut level: Vec<Hash> = receipts.iter().map(|receipt| keccak256(receipt)).collect();
    level.resize(receipts.len().next_power_of_two(), Hash::default());
    let mut levels = vec![level];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let (pairs, _) = below.as_chunks::<2>();
        let above = pairs.iter().map(|pair| keccak256(pair.as_flattened())).collect();
        levels.push(above);
    }
    levels
}
