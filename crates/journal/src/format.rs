//! The bytes of a segment file.
//!
//! ```text
//! segment = header | record…            preallocated bytes after the last record are zero
//! header  = magic 8 | version u32 | 0 u32 | first_seq u64 | chain_hash 32 | 0 u32 | crc32c u32
//! record  = length u32 | crc32c u32 | payload              one group, one write, one fdatasync
//! payload = first_seq u64 | count u32 | mark 16 | entries | chain_hash 32
//! entry   = length u16 | bytes
//! ```
//!
//! Little-endian. A header's chain hash is the one before the segment's first entry, a record's the
//! one after its last: chain_n = keccak(chain_{n-1} ‖ keccak(entry_n)), chain_0 = 0. The mark is
//! the writer's own: the checksum covers it, the chain does not.

use proofbook_kernel::keccak::{Hash, hash_pair, keccak256};

pub const HEADER_BYTES: usize = 64;
const RECORD_HEADER_BYTES: usize = 8;
/// Bytes of a record before its mark.
pub const HEAD_BYTES: usize = RECORD_HEADER_BYTES + MARK_AT;
/// Bytes of a payload that are not entries.
const PAYLOAD_FRAME_BYTES: usize = ENTRIES_AT + HASH_BYTES;
/// What the writer says of a group, in bytes that mean nothing here.
pub type Mark = [u8; MARK_BYTES];
pub const MARK_BYTES: usize = 16;
pub const HASH_BYTES: usize = 32;
/// Bytes of entries in one group: bounds what a torn write can leave and what a reader must hold.
pub const GROUP_BYTES_MAX: usize = 4 << 20;

const MAGIC: [u8; 8] = *b"PROOFJNL";
const VERSION: u32 = 2;
const LENGTH_PREFIX_BYTES: usize = 2;
const MARK_AT: usize = 8 + 4;
const ENTRIES_AT: usize = MARK_AT + MARK_BYTES;

/// What opens a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub first_seq: u64,
    pub chain_hash: Hash,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.chain_hash);
        let sum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Return the header of a file, or what is wrong with it.
    pub fn decode(file: &[u8]) -> Result<Self, &'static str> {
        let bytes = file.get(..HEADER_BYTES).ok_or("the file is shorter than its header")?;
        if bytes[..8] != MAGIC {
            return Err("the file is no journal segment");
        }
        if read_u32(bytes, 60) != crc32c::crc32c(&bytes[..60]) {
            return Err("the checksum of the header differs");
        }
        if read_u32(bytes, 8) != VERSION {
            return Err("the segment was written in another version");
        }
        Ok(Self { first_seq: read_u64(bytes, 16), chain_hash: read_hash(bytes, 24) })
    }
}

/// What a record says of itself before its entries; its checksum is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub first_seq: u64,
    pub count: u32,
    /// Bytes of the record in the file.
    pub bytes: u64,
}

impl Head {
    /// Return the head of a record, or what is wrong with it.
    pub fn decode(bytes: &[u8; HEAD_BYTES]) -> Result<Self, &'static str> {
        let length = payload_length(bytes)?;
        Ok(Self {
            first_seq: read_u64(bytes, RECORD_HEADER_BYTES),
            count: read_u32(bytes, RECORD_HEADER_BYTES + 8),
            bytes: (RECORD_HEADER_BYTES + length) as u64,
        })
    }

    pub fn entries_bytes(&self) -> u64 {
        self.bytes - (RECORD_HEADER_BYTES + PAYLOAD_FRAME_BYTES) as u64
    }
}

/// One whole record as found in a file.
#[derive(Clone, Copy, Debug)]
pub struct Record<'file> {
    pub first_seq: u64,
    pub count: u32,
    pub mark: Mark,
    pub entries: &'file [u8],
    pub chain_hash: Hash,
    /// Bytes in the file, header included.
    pub bytes: usize,
}

impl<'file> Record<'file> {
    /// Return the record at the start of the bytes, or what is wrong with it.
    pub fn decode(bytes: &'file [u8]) -> Result<Self, &'static str> {
        let header = bytes.get(..RECORD_HEADER_BYTES).ok_or("the record's header is cut")?;
        let length = payload_length(header)?;
        let end = RECORD_HEADER_BYTES + length;
        let payload = bytes.get(RECORD_HEADER_BYTES..end).ok_or("the record is cut")?;
        if read_u32(header, 4) != crc32c::crc32c(payload) {
            return Err("the record's checksum differs");
        }
        Ok(Self {
            first_seq: read_u64(payload, 0),
            count: read_u32(payload, 8),
            mark: payload[MARK_AT..ENTRIES_AT].try_into().expect("16 bytes"),
            entries: &payload[ENTRIES_AT..length - HASH_BYTES],
            chain_hash: read_hash(payload, length - HASH_BYTES),
            bytes: end,
        })
    }
}

/// Return how many bytes a record has by its own word; none if that cannot be.
pub fn record_end(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(..RECORD_HEADER_BYTES).map(payload_length)?.ok()?;
    Some(RECORD_HEADER_BYTES + length)
}

/// Return whether the bytes are a record whose length alone is wrong: no checksum covers it.
pub fn is_whole_but_for_its_length(bytes: &[u8]) -> bool {
    let length = bytes.len().saturating_sub(RECORD_HEADER_BYTES);
    is_payload_length(length) && read_u32(bytes, 4) == crc32c::crc32c(&bytes[RECORD_HEADER_BYTES..])
}

/// Return the entries of a record that may be damaged.
pub fn entries_of(record: &[u8]) -> &[u8] {
    &record[RECORD_HEADER_BYTES + ENTRIES_AT..record.len() - HASH_BYTES]
}

fn payload_length(header: &[u8]) -> Result<usize, &'static str> {
    let length = read_u32(header, 0) as usize;
    if is_payload_length(length) { Ok(length) } else { Err("the record's length is out of range") }
}

fn is_payload_length(length: usize) -> bool {
    (PAYLOAD_FRAME_BYTES..=PAYLOAD_FRAME_BYTES + GROUP_BYTES_MAX).contains(&length)
}

/// Write one record over the entries into a buffer.
pub fn encode_record(
    buffer: &mut Vec<u8>,
    first_seq: u64,
    count: u32,
    mark: &Mark,
    groups: &[&[u8]],
    chain_hash: &Hash,
) {
    let entries: usize = groups.iter().map(|group| group.len()).sum();
    buffer.clear();
    buffer.extend_from_slice(&((entries + PAYLOAD_FRAME_BYTES) as u32).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&first_seq.to_le_bytes());
    buffer.extend_from_slice(&count.to_le_bytes());
    buffer.extend_from_slice(mark);
    for group in groups {
        buffer.extend_from_slice(group);
    }
    buffer.extend_from_slice(chain_hash);
    let sum = crc32c::crc32c(&buffer[RECORD_HEADER_BYTES..]);
    buffer[4..RECORD_HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
}

/// Iterate over length-prefixed entries: each whole one, or the offset at which there is none.
pub fn split_entries(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], usize>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty())?;
        let Some(entry) = first_entry(rest) else {
            let at = offset;
            offset = bytes.len();
            return Some(Err(at));
        };
        offset += entry.len();
        Some(Ok(entry))
    })
}

fn first_entry(bytes: &[u8]) -> Option<&[u8]> {
    let prefix = bytes.get(..LENGTH_PREFIX_BYTES)?;
    let length = usize::from(u16::from_le_bytes([prefix[0], prefix[1]]));
    bytes.get(..LENGTH_PREFIX_BYTES + length).filter(|_| length > 0)
}

/// Return the chain hash after an entry.
pub fn chain(before: &Hash, entry_hash: &Hash) -> Hash {
    hash_pair(before, entry_hash)
}

/// Return the hash of an entry, length prefix included.
pub fn entry_hash(entry: &[u8]) -> Hash {
    keccak256(entry)
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn read_hash(bytes: &[u8], at: usize) -> Hash {
    bytes[at..at + 32].try_into().expect("32 bytes")
}
