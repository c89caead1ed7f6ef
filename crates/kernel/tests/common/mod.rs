//! Reading of the vectors that the reference program wrote, and their signatures.

#![allow(dead_code)] // each test file uses a part

use std::path::PathBuf;

use proofbook_kernel::commands::{Address, Signature};
use proofbook_kernel::host::Host;
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::kernel::Kernel;
use proofbook_kernel::native::NativeStore;
use serde_json::Value;

/// Recovers each signature when it is asked for.
pub struct Recovering;

impl Host for Recovering {
    fn recover(&mut self, digest: impl FnOnce() -> Hash, signature: &Signature) -> Option<Address> {
        proofbook_signatures::recover(&digest(), signature)
    }
}

/// Return the vectors of one file below `vectors/`.
pub fn vectors(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Return the names of all files of vectors in a folder below `vectors/`.
pub fn files(name: &str) -> Vec<String> {
    let rows = std::fs::read_dir(folder().join(name)).expect("the folder of vectors");
    let mut names: Vec<String> = rows
        .map(|row| format!("{name}/{}", row.expect("a file").file_name().display()))
        .filter(|file| file.ends_with(".json"))
        .collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

/// Return the bytes of a hexadecimal string.
pub fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("0x and digits");
    let pairs = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
}

/// Return the bytes of a hexadecimal string of known length.
pub fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap_or_else(|_| panic!("{value} has {N} bytes"))
}

/// Return an integer.
pub fn integer(value: &Value) -> i128 {
    value.to_string().parse().unwrap_or_else(|_| panic!("{value} is an integer"))
}

/// Return an integer of 64 bits.
pub fn number(value: &Value) -> i64 {
    i64::try_from(integer(value)).expect("an integer of 64 bits")
}

/// Return the items of a list.
pub fn rows(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// Return state 0 of a transition's vectors.
pub fn founded(file: &Value) -> Kernel<NativeStore> {
    let chain_id = number(&file["chain_id"]) as u64;
    Kernel::from_genesis(&bytes(&file["genesis"]), chain_id, &array(&file["contract"]))
        .expect("a canonical genesis")
}
