//! The door to `proofbook-signatures` and to keccak.

use proofbook_kernel::keccak::keccak256 as digest;
use proofbook_signatures as signatures;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// Return the keccak-256 digest of the bytes.
#[pyfunction]
pub fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &digest(data))
}

/// Return the joined digests of joined blocks of 64 bytes: what the nodes of a tree are made of.
#[pyfunction]
pub fn keccak256_blocks<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let (blocks, rest) = data.as_chunks::<64>();
    if !rest.is_empty() {
        let message = format!("{} bytes after the last block of 64", rest.len());
        return Err(PyValueError::new_err(message));
    }
    let digests = py.detach(|| blocks.iter().map(|block| digest(block)).collect::<Vec<_>>());
    Ok(PyBytes::new(py, digests.as_flattened()))
}

/// Return the address behind each signature, or None; digests and signatures are joined bytes.
#[pyfunction]
#[pyo3(name = "recover_batch")]
pub fn recover_batch<'py>(
    py: Python<'py>,
    digests: &[u8],
    signatures: &[u8],
) -> PyResult<Bound<'py, PyList>> {
    let (digests, digests_rest) = digests.as_chunks::<32>();
    let (signatures, signatures_rest) = signatures.as_chunks::<64>();
    if !digests_rest.is_empty() || !signatures_rest.is_empty() || digests.len() != signatures.len()
    {
        let message = format!(
            "{} bytes of digests and {} of signatures, must be 32 and 64 for each",
            digests.len() * 32 + digests_rest.len(),
            signatures.len() * 64 + signatures_rest.len()
        );
        return Err(PyValueError::new_err(message));
    }
    let requests: Vec<_> = digests.iter().copied().zip(signatures.iter().copied()).collect();
    let addresses = py.detach(|| signatures::recover_batch(&requests));
    PyList::new(py, addresses.iter().map(|found| found.map(|address| PyBytes::new(py, &address))))
}

/// Sign a digest with a secret: 64 bytes as in EIP-2098.
#[pyfunction]
pub fn sign<'py>(
    py: Python<'py>,
    digest: [u8; 32],
    secret: [u8; 32],
) -> PyResult<Bound<'py, PyBytes>> {
    let signature = signatures::sign(&digest, &secret).map_err(secret_out_of_range)?;
    Ok(PyBytes::new(py, &signature))
}

/// Return the address of a secret's key, 20 bytes.
#[pyfunction]
pub fn address_of_secret(py: Python<'_>, secret: [u8; 32]) -> PyResult<Bound<'_, PyBytes>> {
    let address = signatures::address_of_secret(&secret).map_err(secret_out_of_range)?;
    Ok(PyBytes::new(py, &address))
}

fn secret_out_of_range(_: signatures::SecretOutOfRange) -> PyErr {
    PyValueError::new_err("the secret was 0 or not below the order of the group")
}
