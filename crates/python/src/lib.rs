//! The extension module `proofbook._native`: doors to the Rust crates, without logic of their own.
//!
//! Everything that takes longer than a few microseconds releases the interpreter's lock.

use pyo3::prelude::*;

mod gate;
mod greeks;
mod ingress;
mod journal;
mod kernel;
mod receipts;
mod recovered;
mod replay;
mod resting;
mod signatures;
mod watch;

/// Doors without logic: signatures, journal, prices and the state machine.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::greeks::evaluate_options;
    #[pymodule_export]
    use crate::ingress::{Ordinary, OrdinaryRequests};
    #[pymodule_export]
    use crate::journal::{Completed, Journal, JournalError};
    #[pymodule_export]
    use crate::kernel::Kernel;
    #[pymodule_export]
    use crate::receipts::{ReceiptGroup, SignedReceipt};
    #[pymodule_export]
    use crate::replay::Tape;
    #[pymodule_export]
    use crate::signatures::{address_of_secret, keccak256, keccak256_blocks, recover_batch, sign};
}
