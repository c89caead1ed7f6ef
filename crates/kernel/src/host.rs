//! What the state machine asks of the world around it: who signed.

use crate::commands::{Address, Signature};
use crate::keccak::Hash;

/// Recovers signers. Natively the results are there before the entry is applied.
pub trait Host {
    /// Return the address whose key signed the digest, or nothing if the signature recovers to
    /// nobody.
    ///
    /// The signatures of one entry are asked for in the order of `eip712::signatures`, perhaps not
    /// all of them; the digest is computed only if the host wants it.
    fn recover(&mut self, digest: impl FnOnce() -> Hash, signature: &Signature) -> Option<Address>;
}

/// Gives results that were recovered ahead, in the order in which they are asked for.
#[derive(Clone, Debug)]
pub struct Recovered<'a> {
    rest: &'a [Option<Address>],
}

impl<'a> Recovered<'a> {
    /// Return the host for one entry, with the signer of each signature that it holds.
    pub fn new(signers: &'a [Option<Address>]) -> Self {
        Self { rest: signers }
    }
}

impl Host for Recovered<'_> {
    fn recover(
        &mut self,
        _digest: impl FnOnce() -> Hash,
        _signature: &Signature,
    ) -> Option<Address> {
        let (signer, rest) = self.rest.split_first().expect("one result for each signature");
        self.rest = rest;
        *signer
    }
}
