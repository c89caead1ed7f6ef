//! Keccak-256 as in Ethereum, usable in constants.

/// A keccak-256 digest, and as well a 32-byte word of the state.
pub type Hash = [u8; 32];

const RATE_BYTES: usize = 136;

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Return one row after rho, pi and chi, of the five lanes that pi moves there.
macro_rules! chi {
    ($b0:expr, $b1:expr, $b2:expr, $b3:expr, $b4:expr) => {{
        let (b0, b1, b2, b3, b4) = ($b0, $b1, $b2, $b3, $b4);
        (b0 ^ (!b1 & b2), b1 ^ (!b2 & b3), b2 ^ (!b3 & b4), b3 ^ (!b4 & b0), b4 ^ (!b0 & b1))
    }};
}

const fn round(a: &mut [u64; 25], constant: u64) {
    let c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
    let c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
    let c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
    let c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
    let c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
    let d0 = c4 ^ c1.rotate_left(1);
    let d1 = c0 ^ c2.rotate_left(1);
    let d2 = c1 ^ c3.rotate_left(1);
    let d3 = c2 ^ c4.rotate_left(1);
    let d4 = c3 ^ c0.rotate_left(1);
    let row0 = chi!(
        a[0] ^ d0,
        (a[6] ^ d1).rotate_left(44),
        (a[12] ^ d2).rotate_left(43),
        (a[18] ^ d3).rotate_left(21),
        (a[24] ^ d4).rotate_left(14)
    );
    let row1 = chi!(
        (a[3] ^ d3).rotate_left(28),
        (a[9] ^ d4).rotate_left(20),
        (a[10] ^ d0).rotate_left(3),
        (a[16] ^ d1).rotate_left(45),
        (a[22] ^ d2).rotate_left(61)
    );
    let row2 = chi!(
        (a[1] ^ d1).rotate_left(1),
        (a[7] ^ d2).rotate_left(6),
        (a[13] ^ d3).rotate_left(25),
        (a[19] ^ d4).rotate_left(8),
        (a[20] ^ d0).rotate_left(18)
    );
    let row3 = chi!(
        (a[4] ^ d4).rotate_left(27),
        (a[5] ^ d0).rotate_left(36),
        (a[11] ^ d1).rotate_left(10),
        (a[17] ^ d2).rotate_left(15),
        (a[23] ^ d3).rotate_left(56)
    );
    let row4 = chi!(
        (a[2] ^ d2).rotate_left(62),
        (a[8] ^ d3).rotate_left(55),
        (a[14] ^ d4).rotate_left(39),
        (a[15] ^ d0).rotate_left(41),
        (a[21] ^ d1).rotate_left(2)
    );
    *a = [
        row0.0 ^ constant,
        row0.1,
        row0.2,
        row0.3,
        row0.4,
        row1.0,
        row1.1,
        row1.2,
        row1.3,
        row1.4,
        row2.0,
        row2.1,
        row2.2,
        row2.3,
        row2.4,
        row3.0,
        row3.1,
        row3.2,
        row3.3,
        row3.4,
        row4.0,
        row4.1,
        row4.2,
        row4.3,
        row4.4,
    ];
}

const fn permute(lanes: &mut [u64; 25]) {
    let mut index = 0;
    while index < 24 {
        round(lanes, ROUND_CONSTANTS[index]);
        index += 1;
    }
}

const fn squeeze(lanes: &[u64; 25]) -> Hash {
    let mut digest = [0; 32];
    let mut index = 0;
    while index < 32 {
        digest[index] = lanes[index / 8].to_le_bytes()[index % 8];
        index += 1;
    }
    digest
}

/// A keccak-256 computation that takes its message in pieces.
pub struct Keccak {
    lanes: [u64; 25],
    filled: usize,
}

impl Keccak {
    /// Return the state before the first byte.
    pub const fn new() -> Self {
        Self { lanes: [0; 25], filled: 0 }
    }

    /// Absorb more bytes of the message.
    pub const fn update(&mut self, bytes: &[u8]) {
        let mut index = 0;
        while index < bytes.len() {
            if self.filled.is_multiple_of(8) && index + 8 <= bytes.len() {
                self.lanes[self.filled / 8] ^= lane(bytes, index);
                self.filled += 8;
                index += 8;
            } else {
                self.lanes[self.filled / 8] ^= (bytes[index] as u64) << (8 * (self.filled % 8));
                self.filled += 1;
                index += 1;
            }
            if self.filled == RATE_BYTES {
                permute(&mut self.lanes);
                self.filled = 0;
            }
        }
    }

    /// Return the digest of everything absorbed.
    pub const fn finish(mut self) -> Hash {
        self.lanes[self.filled / 8] ^= 1 << (8 * (self.filled % 8));
        self.lanes[16] ^= 1 << 63;
        permute(&mut self.lanes);
        squeeze(&self.lanes)
    }
}

impl Default for Keccak {
    fn default() -> Self {
        Self::new()
    }
}

const fn lane(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes([
        bytes[at],
        bytes[at + 1],
        bytes[at + 2],
        bytes[at + 3],
        bytes[at + 4],
        bytes[at + 5],
        bytes[at + 6],
        bytes[at + 7],
    ])
}

/// Return the keccak-256 digest of some bytes.
pub const fn keccak256(bytes: &[u8]) -> Hash {
    let mut state = Keccak::new();
    state.update(bytes);
    state.finish()
}

/// Return the inner node over two children: keccak(left ‖ right).
pub const fn hash_pair(left: &Hash, right: &Hash) -> Hash {
    let mut lanes = [0; 25];
    let mut index = 0;
    while index < 4 {
        lanes[index] = lane(left, 8 * index);
        lanes[4 + index] = lane(right, 8 * index);
        index += 1;
    }
    lanes[8] = 1;
    lanes[16] = 1 << 63;
    permute(&mut lanes);
    squeeze(&lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: Hash) -> alloc::string::String {
        digest.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    #[test]
    fn keccak_of_known_messages() {
        let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        let abc = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45";
        let transfer = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
        assert_eq!(hex(keccak256(b"")), empty, "the empty message");
        assert_eq!(hex(keccak256(b"abc")), abc, "a short message");
        let signature = b"Transfer(address,address,uint256)";
        assert_eq!(hex(keccak256(signature)), transfer, "an event topic");
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let message: alloc::vec::Vec<u8> = (0..500u32).map(|index| (index * 7) as u8).collect();
        for length in [0, 1, 7, 8, 135, 136, 137, 271, 272, 273, 500] {
            for cut in [0, 1, length / 3, length / 2, length] {
                let cut = cut.min(length);
                let mut state = Keccak::new();
                state.update(&message[..cut]);
                state.update(&message[cut..length]);
                assert_eq!(state.finish(), keccak256(&message[..length]), "{cut} of {length}");
            }
        }
    }

    #[test]
    fn a_pair_hashes_like_its_bytes() {
        let (left, right) = (keccak256(b"left"), keccak256(b"right"));
        let joined: alloc::vec::Vec<u8> = [left, right].concat();
        assert_eq!(hash_pair(&left, &right), keccak256(&joined), "keccak(left ‖ right)");
    }
}
