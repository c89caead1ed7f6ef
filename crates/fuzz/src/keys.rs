//! Who signs: keys known by name, and marks that stand in for signatures until somebody signs.

use std::sync::LazyLock;

use proofbook_kernel::commands::{Address, Signature};
use proofbook_kernel::keccak::{Hash, keccak256};
use proofbook_signatures::{address_of_secret, recover, sign};

/// The names that the stories of `vectors/transition` use; a key is the hash of its name.
const NAMES: [&str; 16] = [
    "publisher",
    "ann",
    "bob",
    "cid",
    "dan",
    "eve",
    "fay",
    "gus",
    "hal",
    "ivy",
    "fund",
    "fees",
    "phone",
    "poor",
    "tablet",
    "other",
];

/// The number of the first publisher's key.
pub const PUBLISHER: u8 = 0;

/// What a mark begins with; the number of the key follows, then zeros.
const MARK: &[u8; 8] = b"signedby";

static KEYS: LazyLock<Vec<([u8; 32], Address)>> = LazyLock::new(|| {
    let secrets = NAMES.map(|name| keccak256(name.as_bytes()));
    let address = |secret| address_of_secret(secret).expect("a hash is a key");
    secrets.iter().map(|secret| (*secret, address(secret))).collect()
});

/// Return the number of the key of an address.
pub fn key_of(address: &Address) -> Option<u8> {
    KEYS.iter().position(|(_, known)| known == address).map(|number| number as u8)
}

/// Return the mark that stands in for a signature of a key.
pub fn mark(key: u8) -> Signature {
    let mut signature = [0; 64];
    signature[..8].copy_from_slice(MARK);
    signature[8] = key;
    signature
}

/// Return the signer of a digest: of a mark the key that it names.
pub fn signer(digest: &Hash, signature: &Signature) -> Option<Address> {
    match marked(signature) {
        Some(key) => Some(KEYS[key].1),
        None => recover(digest, signature),
    }
}

/// Return the real signature for a mark, and any other signature as it is.
pub fn signed(digest: &Hash, signature: &Signature) -> Signature {
    match marked(signature) {
        Some(key) => sign(digest, &KEYS[key].0).expect("a known key"),
        None => *signature,
    }
}

fn marked(signature: &Signature) -> Option<usize> {
    let key = signature[8] as usize % KEYS.len();
    (signature[..8] == *MARK && signature[9..] == [0; 55]).then_some(key)
}

/// Put other signatures into an entry, in order, each in the place of one that it holds.
pub fn replace_signatures(entry: &mut [u8], pairs: &[(Signature, Signature)]) {
    let mut from = 0;
    for (before, after) in pairs {
        let at = entry[from..].windows(before.len()).position(|window| window == before);
        let at = from + at.expect("the signatures of an entry stand in it in order");
        entry[at..at + after.len()].copy_from_slice(after);
        from = at + after.len();
    }
}
