//! Receipts of one group: the tree whose root is signed, and the JSON of each.

use std::fmt::Write;

use proofbook_kernel::keccak::{Hash, keccak256};

/// What a receipt says of its own entry, before it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub entry_hash: Hash,
    pub chain_hash: Hash,
    pub received_ns: u64,
    pub outcome: [u8; 2],
}

/// What all receipts of a group say.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    pub epoch: u64,
    pub first_seq: u64,
    pub window_ns: u64,
    pub include_by_ns: u64,
}

/// The receipts of a group, and the levels of the tree over them, leaves first.
#[derive(Debug)]
pub struct Group {
    pub shared: Shared,
    pub said: Vec<Said>,
    levels: Vec<Vec<Hash>>,
}

impl Group {
    /// Return the group of some receipts, of at least one.
    pub fn new(shared: Shared, said: Vec<Said>) -> Option<Self> {
        if said.is_empty() {
            return None;
        }
        let leaves = (shared.first_seq..).zip(&said).map(|(seq, said)| leaf(&shared, seq, said));
        let levels = levels_over(leaves.collect());
        Some(Self { shared, said, levels })
    }

    /// Return what is signed.
    pub fn root(&self) -> Hash {
        self.levels[self.levels.len() - 1][0]
    }

    /// Return the siblings of a receipt from the bottom up.
    pub fn path(&self, place: usize) -> impl Iterator<Item = &Hash> {
        let below = &self.levels[..self.levels.len() - 1];
        below.iter().enumerate().map(move |(height, level)| &level[(place >> height) ^ 1])
    }

    /// Return a receipt as the interface writes it; `name` is its outcome's, in plain letters.
    pub fn json(&self, place: usize, name: &str, signature: &[u8]) -> String {
        let Shared { epoch, first_seq, window_ns, include_by_ns } = self.shared;
        let said = &self.said[place];
        let (seq, received_ns, [kind, reason]) =
            (first_seq + place as u64, said.received_ns, said.outcome);
        let mut text = String::with_capacity(1_024 + 70 * self.levels.len());
        put(&mut text, format_args!("{{\"epoch\":{epoch},\"seq\":{seq},\"entry_hash\":"));
        put_hex(&mut text, &said.entry_hash);
        text.push_str(",\"chain_hash\":");
        put_hex(&mut text, &said.chain_hash);
        put(&mut text, format_args!(",\"window_ns\":\"{window_ns}\""));
        put(&mut text, format_args!(",\"received_ns\":\"{received_ns}\""));
        put(&mut text, format_args!(",\"include_by_ns\":\"{include_by_ns}\""));
        put(&mut text, format_args!(",\"outcome\":[{kind},{reason}]"));
        put(&mut text, format_args!(",\"outcome_name\":\"{name}\",\"path\":["));
        for (height, sibling) in self.path(place).enumerate() {
            text.push_str(if height == 0 { "" } else { "," });
            put_hex(&mut text, sibling);
        }
        text.push_str("],\"group\":{\"root\":");
        put_hex(&mut text, &self.root());
        put(&mut text, format_args!(",\"epoch\":{epoch},\"first_seq\":{first_seq}"));
        put(&mut text, format_args!(",\"count\":{},\"signature\":", self.said.len()));
        put_hex(&mut text, signature);
        text.push_str("}}");
        text
    }
}

/// Return the hash of 98 bytes, so never an inner node's 64.
fn leaf(shared: &Shared, seq: u64, said: &Said) -> Hash {
    let mut bytes = Vec::with_capacity(98);
    bytes.extend(shared.epoch.to_be_bytes());
    bytes.extend(seq.to_be_bytes());
    bytes.extend(said.entry_hash);
    bytes.extend(said.chain_hash);
    bytes.extend(said.received_ns.to_be_bytes());
    bytes.extend(shared.include_by_ns.to_be_bytes());
    bytes.extend(said.outcome);
    keccak256(&bytes)
}

/// Return all levels of the tree over some leaves, padded with zero words to a power of two.
fn levels_over(mut level: Vec<Hash>) -> Vec<Vec<Hash>> {
    level.resize(level.len().next_power_of_two(), Hash::default());
    let mut levels = vec![level];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let (pairs, _) = below.as_chunks::<2>();
        let above = pairs.iter().map(|pair| keccak256(pair.as_flattened())).collect();
        levels.push(above);
    }
    levels
}

/// Write to text, which cannot fail.
pub(crate) fn put(text: &mut String, what: std::fmt::Arguments) {
    text.write_fmt(what).expect("text takes everything");
}

fn put_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push_str("\"0x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('"');
}
