//! EIP-712 digests of everything that a trader or a publisher signs.

use alloc::vec::Vec;

use crate::commands::{
    Address, Cancel, CancelAll, Command, ForwardCurve, ForwardObservation, IndexPrice, Numbers,
    Place, Signature, SurfaceSlice, VolSurface, Withdraw,
};
use crate::entry::Entry;
use crate::keccak::{Hash, Keccak, keccak256};

const DOMAIN_NAME: &str = "Proofbook";
const DOMAIN_VERSION: &str = "1";

const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const PLACE_TYPE: &str = "Place(uint32 account,uint64 nonce,uint64 expiresNs,uint32 instrument,\
    uint8 side,uint8 orderType,uint32 priceTicks,uint64 lots,uint8 timeInForce,bool postOnly,\
    bool reduceOnly,uint8 selfTradePrevention,uint16 group,uint32 maxFeePpm,bytes8 label)";
const CANCEL_TYPE: &str = "Cancel(uint32 account,uint64 nonce,uint64 expiresNs,uint64 order)";
const CANCEL_ALL_TYPE: &str = "CancelAll(uint32 account,uint64 nonce,uint64 expiresNs)";
const WITHDRAW_TYPE: &str = "Withdraw(uint32 account,uint64 nonce,uint64 expiresNs,uint8 token,\
    address recipient,uint64 amountAtoms)";
const INDEX_PRICE_TYPE: &str = "IndexPrice(uint32 underlying,uint64 publishedNs,uint64 priceAtoms)";
const FORWARD_CURVE_TYPE: &str = "ForwardCurve(uint32 underlying,uint64 publishedNs,\
    uint64[] expiriesNs,uint64[] forwardsAtoms)";
const SURFACE_SLICE_TYPE: &str =
    "SurfaceSlice(uint64 expiryNs,int64 a,int64 b,int64 rho,int64 m,int64 sigma)";
const VOL_SURFACE_TYPE: &str = "VolSurface(uint32 underlying,uint64 publishedNs,\
    SurfaceSlice[] slices)SurfaceSlice(uint64 expiryNs,int64 a,int64 b,int64 rho,int64 m,\
    int64 sigma)";

const PLACE_HASH: Hash = keccak256(PLACE_TYPE.as_bytes());
const CANCEL_HASH: Hash = keccak256(CANCEL_TYPE.as_bytes());
const CANCEL_ALL_HASH: Hash = keccak256(CANCEL_ALL_TYPE.as_bytes());
const WITHDRAW_HASH: Hash = keccak256(WITHDRAW_TYPE.as_bytes());
const INDEX_PRICE_HASH: Hash = keccak256(INDEX_PRICE_TYPE.as_bytes());
const FORWARD_CURVE_HASH: Hash = keccak256(FORWARD_CURVE_TYPE.as_bytes());
const SURFACE_SLICE_HASH: Hash = keccak256(SURFACE_SLICE_TYPE.as_bytes());
const VOL_SURFACE_HASH: Hash = keccak256(VOL_SURFACE_TYPE.as_bytes());

/// A struct's encoding on its way into the hash: 32-byte big-endian words.
struct Encoder(Keccak);

impl Encoder {
    /// Start a struct with the hash of its type.
    fn of(type_hash: &Hash) -> Self {
        Self::list().hash(type_hash)
    }

    /// Start a list.
    fn list() -> Self {
        Self(Keccak::new())
    }

    fn hash(mut self, hash: &Hash) -> Self {
        self.0.update(hash);
        self
    }

    fn unsigned(mut self, number: u64) -> Self {
        self.0.update(&[0; 24]);
        self.0.update(&number.to_be_bytes());
        self
    }

    fn signed(mut self, number: i64) -> Self {
        self.0.update(&[if number < 0 { 0xff } else { 0 }; 24]);
        self.0.update(&number.to_be_bytes());
        self
    }

    fn address(mut self, address: &Address) -> Self {
        self.0.update(&[0; 12]);
        self.0.update(address);
        self
    }

    fn bytes8(mut self, bytes: &[u8; 8]) -> Self {
        self.0.update(bytes);
        self.0.update(&[0; 24]);
        self
    }

    fn finish(self) -> Hash {
        self.0.finish()
    }
}

/// Return the hash that ties a signature to one chain and one Chain contract.
pub fn domain_separator(chain_id: u64, contract: &Address) -> Hash {
    Encoder::of(&keccak256(DOMAIN_TYPE.as_bytes()))
        .hash(&keccak256(DOMAIN_NAME.as_bytes()))
        .hash(&keccak256(DOMAIN_VERSION.as_bytes()))
        .unsigned(chain_id)
        .address(contract)
        .finish()
}

/// Return the 32 bytes that are signed.
pub fn digest(separator: &Hash, struct_hash: &Hash) -> Hash {
    let mut state = Keccak::new();
    state.update(b"\x19\x01");
    state.update(separator);
    state.update(struct_hash);
    state.finish()
}

/// Return the digest of a trader's command; nothing for a command that no trader signs.
pub fn command_digest(separator: &Hash, command: &Command) -> Option<Hash> {
    let struct_hash = match command {
        Command::Place(command) => place_struct_hash(command),
        Command::Cancel(command) => cancel_struct_hash(command),
        Command::CancelAll(command) => cancel_all_struct_hash(command),
        Command::Withdraw(command) => withdraw_struct_hash(command),
        _ => return None,
    };
    Some(digest(separator, &struct_hash))
}

fn place_struct_hash(command: &Place) -> Hash {
    Encoder::of(&PLACE_HASH)
        .unsigned(command.account as u64)
        .unsigned(command.nonce)
        .unsigned(command.expires_ns)
        .unsigned(command.instrument as u64)
        .unsigned(command.side as u64)
        .unsigned(command.order_type as u64)
        .unsigned(command.price_ticks as u64)
        .unsigned(command.lots)
        .unsigned(command.time_in_force as u64)
        .unsigned(command.is_post_only() as u64)
        .unsigned(command.is_reduce_only() as u64)
        .unsigned(command.self_trade_prevention as u64)
        .unsigned(command.group as u64)
        .unsigned(command.max_fee_ppm as u64)
        .bytes8(&command.label)
        .finish()
}

fn cancel_struct_hash(command: &Cancel) -> Hash {
    Encoder::of(&CANCEL_HASH)
        .unsigned(command.account as u64)
        .unsigned(command.nonce)
        .unsigned(command.expires_ns)
        .unsigned(command.order)
        .finish()
}

fn cancel_all_struct_hash(command: &CancelAll) -> Hash {
    Encoder::of(&CANCEL_ALL_HASH)
        .unsigned(command.account as u64)
        .unsigned(command.nonce)
        .unsigned(command.expires_ns)
        .finish()
}

fn withdraw_struct_hash(command: &Withdraw) -> Hash {
    Encoder::of(&WITHDRAW_HASH)
        .unsigned(command.account as u64)
        .unsigned(command.nonce)
        .unsigned(command.expires_ns)
        .unsigned(command.token as u64)
        .address(&command.recipient)
        .unsigned(command.amount_atoms)
        .finish()
}

/// Return what one publisher signs for an index price.
pub fn index_price_digest(separator: &Hash, command: &IndexPrice, price_atoms: u64) -> Hash {
    let struct_hash = Encoder::of(&INDEX_PRICE_HASH)
        .unsigned(command.underlying as u64)
        .unsigned(command.published_ns)
        .unsigned(price_atoms)
        .finish();
    digest(separator, &struct_hash)
}

/// Return what one publisher signs for its forwards.
pub fn forward_curve_digest(
    separator: &Hash,
    command: &ForwardCurve,
    observation: &ForwardObservation,
) -> Hash {
    let struct_hash = Encoder::of(&FORWARD_CURVE_HASH)
        .unsigned(command.underlying as u64)
        .unsigned(command.published_ns)
        .hash(&numbers_hash(&command.expiries_ns))
        .hash(&numbers_hash(&observation.forwards_atoms))
        .finish();
    digest(separator, &struct_hash)
}

fn numbers_hash(numbers: &Numbers) -> Hash {
    numbers.iter().fold(Encoder::list(), Encoder::unsigned).finish()
}

/// Return what every publisher of a quorum signs for a surface.
pub fn vol_surface_digest(separator: &Hash, command: &VolSurface) -> Hash {
    let hashes = command.slices().map(|slice| slice_struct_hash(&slice));
    let slices = hashes.fold(Encoder::list(), |list, hash| list.hash(&hash)).finish();
    let struct_hash = Encoder::of(&VOL_SURFACE_HASH)
        .unsigned(command.underlying as u64)
        .unsigned(command.published_ns)
        .hash(&slices)
        .finish();
    digest(separator, &struct_hash)
}

fn slice_struct_hash(slice: &SurfaceSlice) -> Hash {
    Encoder::of(&SURFACE_SLICE_HASH)
        .unsigned(slice.expiry_ns)
        .signed(slice.a)
        .signed(slice.b)
        .signed(slice.rho)
        .signed(slice.m)
        .signed(slice.sigma)
        .finish()
}

/// Return digest and signature of each signature in an entry, in the order in which `apply` asks a
/// host.
///
/// `apply` may ask for fewer, but never skips one before another that it asks for, so that results
/// recovered ahead match by position. Bytes that do not decode hold no signature.
pub fn signatures(entry: &[u8], separator: &Hash) -> Vec<(Hash, Signature)> {
    let Ok(entry) = Entry::decode(entry) else { return Vec::new() };
    match &entry.command {
        Command::IndexPrice(command) => command
            .observations()
            .map(|row| (index_price_digest(separator, command, row.price_atoms), *row.signature))
            .collect(),
        Command::ForwardCurve(command) => command
            .observations()
            .map(|row| (forward_curve_digest(separator, command, &row), *row.signature))
            .collect(),
        Command::VolSurface(command) => {
            let digest = vol_surface_digest(separator, command);
            command.signatures().map(|row| (digest, *row.signature)).collect()
        }
        command => {
            let digest = command_digest(separator, command);
            digest.zip(entry.signed).map(|(d, signed)| (d, *signed.signature)).into_iter().collect()
        }
    }
}
