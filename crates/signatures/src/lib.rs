//! Recovery of the addresses behind secp256k1 signatures, many at once, and signing.
//!
//! A signature is 64 bytes as in EIP-2098: r ‖ s, big-endian, the recovery bit in the top bit of s,
//! and s in the low half of the group order. Anything else recovers to nobody.

use proofbook_kernel::keccak::keccak256;
use rayon::prelude::*;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};

/// An Ethereum address.
pub type Address = [u8; 20];
/// What is signed.
pub type Digest = [u8; 32];
/// A signature as in EIP-2098.
pub type Signature = [u8; 64];

/// The largest s of a signature: half of the group order, rounded down, big-endian.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

const RECOVERY_BIT: u8 = 0x80;

/// Signatures below which threads cost more than they save: one takes about 40 µs.
const PARALLEL_SIGNATURES_MIN: usize = 8;

/// The secret is zero or not below the group order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretOutOfRange;

/// Return the address whose key signed the digest, or `None` if the signature is no signature.
pub fn recover(digest: &Digest, signature: &Signature) -> Option<Address> {
    let mut compact = *signature;
    let parity = i32::from(compact[32] & RECOVERY_BIT != 0);
    compact[32] &= !RECOVERY_BIT;
    if compact[32..] > HALF_ORDER[..] {
        return None;
    }
    let recovery = RecoveryId::try_from(parity).ok()?;
    let signature = RecoverableSignature::from_compact(&compact, recovery).ok()?;
    let key = signature.recover_ecdsa(Message::from_digest(*digest)).ok()?;
    Some(address_of(&key))
}

/// Return the address behind each signature, in order, on all threads when there are many.
pub fn recover_batch(requests: &[(Digest, Signature)]) -> Vec<Option<Address>> {
    if requests.len() <= PARALLEL_SIGNATURES_MIN {
        return requests.iter().map(|(digest, signature)| recover(digest, signature)).collect();
    }
    requests.par_iter().map(|(digest, signature)| recover(digest, signature)).collect()
}

/// Sign a digest with a nonce as in RFC 6979.
pub fn sign(digest: &Digest, secret: &[u8; 32]) -> Result<Signature, SecretOutOfRange> {
    let secret = SecretKey::from_secret_bytes(*secret).map_err(|_| SecretOutOfRange)?;
    let message = Message::from_digest(*digest);
    let signature = RecoverableSignature::sign_ecdsa_recoverable(message, &secret);
    let (recovery, mut compact) = signature.serialize_compact();
    let recovery = u8::from(recovery);
    assert!(recovery < 2, "r above the group order has a chance of 2^-127, not of a test");
    compact[32] |= recovery << 7;
    Ok(compact)
}

/// Return the address of a secret's key.
pub fn address_of_secret(secret: &[u8; 32]) -> Result<Address, SecretOutOfRange> {
    let secret = SecretKey::from_secret_bytes(*secret).map_err(|_| SecretOutOfRange)?;
    Ok(address_of(&PublicKey::from_secret_key(&secret)))
}

fn address_of(key: &PublicKey) -> Address {
    // The first byte says "uncompressed"; the address is the tail of the hash of the coordinates.
    let digest = keccak256(&key.serialize_uncompressed()[1..]);
    digest[12..].try_into().expect("20 of 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [0x42; 32];
    /// The group order, big-endian.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ];

    fn signed(count: u8) -> Vec<(Digest, Signature)> {
        let digests = (0..count).map(|index| keccak256(&[index]));
        digests.map(|digest| (digest, sign(&digest, &SECRET).expect("a good secret"))).collect()
    }

    /// Return the order minus s: the other s of the same signature.
    fn negated(s: &[u8]) -> [u8; 32] {
        let (mut difference, mut borrow) = ([0; 32], 0);
        for index in (0..32).rev() {
            let value = i32::from(ORDER[index]) - i32::from(s[index]) - borrow;
            borrow = i32::from(value < 0);
            difference[index] = (value & 0xff) as u8;
        }
        difference
    }

    #[test]
    fn address_of_a_known_secret() {
        // The first account that development chains print.
        let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        let secret: Vec<u8> = (0..32)
            .map(|index| u8::from_str_radix(&secret[2 * index..2 * index + 2], 16).unwrap())
            .collect();
        let address = address_of_secret(&secret.try_into().unwrap()).unwrap();
        let text: String = address.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "f39fd6e51aad88f6f4ce6ab8827279cfffb92266", "its known address");
    }

    #[test]
    fn signed_digests_recover_to_the_signer_in_small_and_large_batches() {
        let signer = address_of_secret(&SECRET).unwrap();
        for count in [0, 1, 8, 9, 40] {
            let recovered = recover_batch(&signed(count));
            assert_eq!(recovered, vec![Some(signer); usize::from(count)], "batch of {count}");
        }
    }

    #[test]
    fn a_batch_answers_in_order() {
        let mut requests = signed(20);
        requests[13].1 = [0; 64];
        let recovered = recover_batch(&requests);
        for (index, address) in recovered.iter().enumerate() {
            assert_eq!(address.is_none(), index == 13, "only request 13 is broken, not {index}");
        }
    }

    #[test]
    fn another_digest_recovers_to_somebody_else() {
        let (_, signature) = signed(1)[0];
        let recovered = recover(&keccak256(b"another"), &signature);
        assert_ne!(
            recovered,
            address_of_secret(&SECRET).ok(),
            "the signature is of another digest"
        );
    }

    #[test]
    fn high_s_is_refused() {
        for (digest, signature) in signed(32) {
            let high = negated(&{
                let mut low = [0; 32];
                low.copy_from_slice(&signature[32..]);
                low[0] &= !RECOVERY_BIT;
                low
            });
            // A high s either fits below the recovery bit, or takes its place.
            let mut flipped = signature;
            flipped[32..].copy_from_slice(&high);
            assert_ne!(recover(&digest, &flipped), address_of_secret(&SECRET).ok(), "high s");
        }
        let mut just_above = HALF_ORDER;
        just_above[31] += 1;
        let (digest, mut signature) = signed(1)[0];
        signature[32..].copy_from_slice(&just_above);
        assert_eq!(recover(&digest, &signature), None, "one above half of the order");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let (digest, signature) = signed(1)[0];
        for half in [0..32, 32..64] {
            for byte in [0x00, 0xff] {
                let mut broken = signature;
                broken[half.clone()].fill(byte);
                assert_eq!(recover(&digest, &broken), None, "{half:?} filled with {byte:#x}");
            }
        }
        assert_eq!(sign(&digest, &[0; 32]), Err(SecretOutOfRange), "the zero secret");
        assert_eq!(sign(&digest, &ORDER), Err(SecretOutOfRange), "the order as secret");
    }
}
