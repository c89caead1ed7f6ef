//! EIP-712 digests of everything that a trader or a publisher signs.

use alloc::vec::Vec;

use crate::commands::{Address, Command, Party, Signature};
use crate::entry::Entry;
use crate::keccak::{Hash, Keccak, keccak256};
use crate::observations::{
    ForwardCurve, ForwardObservation, IndexPrice, Numbers, SurfaceSlice, VolSurface,
};
use crate::value::Value;

const DOMAIN_NAME: &str = "Proofbook";
const DOMAIN_VERSION: &str = "1";

const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const PLACE_TYPE: &str = "Place(uint32 account,uint64 nonce,uint64 expiresNs,uint32 instrument,\
    uint8 side,uint8 orderType,uint32 priceTicks,uint64 lots,uint8 timeInForce,uint8 postOnly,\
    bool reduceOnly,uint8 selfTradePrevention,uint16 group,uint32 maxFeePpm,bytes8 label)";
const CANCEL_TYPE: &str = "Cancel(uint32 account,uint64 nonce,uint64 expiresNs,uint64 order)";
const CANCEL_ALL_TYPE: &str = "CancelAll(uint32 account,uint64 nonce,uint64 expiresNs)";
const PLACE_TRIGGER_TYPE: &str = "PlaceTrigger(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint32 instrument,uint8 condition,uint32 triggerTicks,uint8 side,uint32 priceTicks,\
    uint64 lots,uint8 timeInForce,bool reduceOnly,uint8 selfTradePrevention,uint16 group,\
    uint32 maxFeePpm,bytes8 label)";
const CANCEL_TRIGGER_TYPE: &str =
    "CancelTrigger(uint32 account,uint64 nonce,uint64 expiresNs,uint64 trigger)";
const WITHDRAW_TYPE: &str = "Withdraw(uint32 account,uint64 nonce,uint64 expiresNs,uint8 token,\
    address recipient,uint64 amountAtoms)";
const AMEND_TYPE: &str = "Amend(uint32 account,uint64 nonce,uint64 expiresNs,uint64 order,\
    uint32 priceTicks,uint64 lots)";
const QUOTE_TYPE: &str = "Quote(uint32 instrument,uint8 side,uint32 priceTicks,uint64 lots)";
const QUOTE_BATCH_TYPE: &str = "QuoteBatch(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint8 protection,uint8 postOnly,uint32 maxFeePpm,Quote[] quotes)\
    Quote(uint32 instrument,uint8 side,uint32 priceTicks,uint64 lots)";
const SET_PROTECTION_TYPE: &str = "SetProtection(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint8 protection,uint64 intervalNs,uint64 frozenNs,uint64 limitNanos)";
const RESET_PROTECTION_TYPE: &str =
    "ResetProtection(uint32 account,uint64 nonce,uint64 expiresNs,uint8 protection)";
const SET_MARGIN_MODE_TYPE: &str =
    "SetMarginMode(uint32 account,uint64 nonce,uint64 expiresNs,uint8 mode)";
const SET_DEAD_MAN_TYPE: &str =
    "SetDeadMan(uint32 account,uint64 nonce,uint64 expiresNs,uint64 deadlineNs)";
const TRANSFER_TYPE: &str = "Transfer(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint32 recipient,uint8 token,uint64 amountAtoms)";
const POSITION_TRANSFER_TYPE: &str = "PositionTransfer(uint32 account,uint64 nonce,\
    uint64 expiresNs,uint32 recipient,uint32 instrument,uint64 lots)";
const GRANT_SESSION_TYPE: &str = "GrantSession(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint8 session,address key,uint32 actions,uint64 markets,uint64 notionalCapAtoms,\
    uint64 sessionExpiresNs)";
const REVOKE_SESSION_TYPE: &str =
    "RevokeSession(uint32 account,uint64 nonce,uint64 expiresNs,uint8 session)";
const LEG_TYPE: &str = "Leg(uint32 instrument,int64 takerLots,uint32 priceTicks)";
const RFQ_QUOTE_TYPE: &str = "RfqQuote(uint32 account,uint64 nonce,uint64 expiresNs,uint32 taker,\
    uint32 maxFeePpm,Leg[] legs)Leg(uint32 instrument,int64 takerLots,uint32 priceTicks)";
const ACCEPT_QUOTE_TYPE: &str = "AcceptQuote(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint32 maxFeePpm,RfqQuote quote)Leg(uint32 instrument,int64 takerLots,uint32 priceTicks)\
    RfqQuote(uint32 account,uint64 nonce,uint64 expiresNs,uint32 taker,uint32 maxFeePpm,\
    Leg[] legs)";
const BLOCK_TRADE_TYPE: &str = "BlockTrade(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint32 maxFeePpm,uint32 makerAccount,uint64 makerNonce,Leg[] legs)\
    Leg(uint32 instrument,int64 takerLots,uint32 priceTicks)";
const COMBO_LEG_TYPE: &str = "ComboLeg(uint32 instrument,int64 ratio)";
const CREATE_COMBO_TYPE: &str = "CreateCombo(uint32 account,uint64 nonce,uint64 expiresNs,\
    ComboLeg[] legs)ComboLeg(uint32 instrument,int64 ratio)";
const BID_LEG_TYPE: &str = "BidLeg(uint32 instrument,int64 lots)";
const AUCTION_BID_TYPE: &str = "AuctionBid(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint32 target,int64 maxCostAtoms,BidLeg[] legs)BidLeg(uint32 instrument,int64 lots)";
const BUY_COLLATERAL_TYPE: &str = "BuyCollateral(uint32 account,uint64 nonce,uint64 expiresNs,\
    uint32 target,uint8 token,uint64 amountAtoms,uint64 priceMaxAtoms)";
const INDEX_PRICE_TYPE: &str = "IndexPrice(uint32 underlying,uint64 publishedNs,uint64 priceAtoms)";
const FORWARD_CURVE_TYPE: &str = "ForwardCurve(uint32 underlying,uint64 publishedNs,\
    uint64[] expiriesNs,uint64[] forwardsAtoms)";
const SURFACE_SLICE_TYPE: &str =
    "SurfaceSlice(uint64 expiryNs,int64 a,int64 b,int64 rho,int64 m,int64 sigma)";
const VOL_SURFACE_TYPE: &str = "VolSurface(uint32 underlying,uint64 publishedNs,\
    SurfaceSlice[] slices)SurfaceSlice(uint64 expiryNs,int64 a,int64 b,int64 rho,int64 m,\
    int64 sigma)";

pub const PLACE: Hash = keccak256(PLACE_TYPE.as_bytes());
pub const CANCEL: Hash = keccak256(CANCEL_TYPE.as_bytes());
pub const CANCEL_ALL: Hash = keccak256(CANCEL_ALL_TYPE.as_bytes());
pub const PLACE_TRIGGER: Hash = keccak256(PLACE_TRIGGER_TYPE.as_bytes());
pub const CANCEL_TRIGGER: Hash = keccak256(CANCEL_TRIGGER_TYPE.as_bytes());
pub const WITHDRAW: Hash = keccak256(WITHDRAW_TYPE.as_bytes());
pub const AMEND: Hash = keccak256(AMEND_TYPE.as_bytes());
pub const QUOTE: Hash = keccak256(QUOTE_TYPE.as_bytes());
pub const QUOTE_BATCH: Hash = keccak256(QUOTE_BATCH_TYPE.as_bytes());
pub const SET_PROTECTION: Hash = keccak256(SET_PROTECTION_TYPE.as_bytes());
pub const RESET_PROTECTION: Hash = keccak256(RESET_PROTECTION_TYPE.as_bytes());
pub const SET_MARGIN_MODE: Hash = keccak256(SET_MARGIN_MODE_TYPE.as_bytes());
pub const SET_DEAD_MAN: Hash = keccak256(SET_DEAD_MAN_TYPE.as_bytes());
pub const TRANSFER: Hash = keccak256(TRANSFER_TYPE.as_bytes());
pub const POSITION_TRANSFER: Hash = keccak256(POSITION_TRANSFER_TYPE.as_bytes());
pub const GRANT_SESSION: Hash = keccak256(GRANT_SESSION_TYPE.as_bytes());
pub const REVOKE_SESSION: Hash = keccak256(REVOKE_SESSION_TYPE.as_bytes());
pub const LEG: Hash = keccak256(LEG_TYPE.as_bytes());
pub const RFQ_QUOTE: Hash = keccak256(RFQ_QUOTE_TYPE.as_bytes());
pub const ACCEPT_QUOTE: Hash = keccak256(ACCEPT_QUOTE_TYPE.as_bytes());
pub const BLOCK_TRADE: Hash = keccak256(BLOCK_TRADE_TYPE.as_bytes());
pub const COMBO_LEG: Hash = keccak256(COMBO_LEG_TYPE.as_bytes());
pub const CREATE_COMBO: Hash = keccak256(CREATE_COMBO_TYPE.as_bytes());
pub const BID_LEG: Hash = keccak256(BID_LEG_TYPE.as_bytes());
pub const AUCTION_BID: Hash = keccak256(AUCTION_BID_TYPE.as_bytes());
pub const BUY_COLLATERAL: Hash = keccak256(BUY_COLLATERAL_TYPE.as_bytes());
const INDEX_PRICE_HASH: Hash = keccak256(INDEX_PRICE_TYPE.as_bytes());
const FORWARD_CURVE_HASH: Hash = keccak256(FORWARD_CURVE_TYPE.as_bytes());
const SURFACE_SLICE_HASH: Hash = keccak256(SURFACE_SLICE_TYPE.as_bytes());
const VOL_SURFACE_HASH: Hash = keccak256(VOL_SURFACE_TYPE.as_bytes());

/// A struct's encoding on its way into the hash: 32-byte big-endian words.
pub struct Encoder(Keccak);

impl Encoder {
    /// Start a struct with the hash of its type.
    pub fn of(type_hash: &Hash) -> Self {
        Self::list().hash(type_hash)
    }

    /// Start a list.
    pub fn list() -> Self {
        Self(Keccak::new())
    }

    /// Write 32 bytes that are a hash already.
    pub fn hash(mut self, hash: &Hash) -> Self {
        self.0.update(hash);
        self
    }

    /// Write a member as one word.
    pub fn value(mut self, value: &impl Value) -> Self {
        value.write_word(&mut self.0);
        self
    }

    /// Return the hash of everything written.
    pub fn finish(self) -> Hash {
        self.0.finish()
    }
}

/// Return the hash that ties a signature to one chain and one Chain contract.
pub fn domain_separator(chain_id: u64, contract: &Address) -> Hash {
    Encoder::of(&keccak256(DOMAIN_TYPE.as_bytes()))
        .hash(&keccak256(DOMAIN_NAME.as_bytes()))
        .hash(&keccak256(DOMAIN_VERSION.as_bytes()))
        .value(&chain_id)
        .value(contract)
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

/// Return the digest of what one trader signs.
pub fn party_digest(separator: &Hash, party: &Party) -> Hash {
    digest(separator, &party.signed.struct_hash())
}

/// Return what one publisher signs for an index price.
pub fn index_price_digest(separator: &Hash, command: &IndexPrice, price_atoms: u64) -> Hash {
    let struct_hash = Encoder::of(&INDEX_PRICE_HASH)
        .value(&command.underlying)
        .value(&command.published_ns)
        .value(&price_atoms)
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
        .value(&command.underlying)
        .value(&command.published_ns)
        .hash(&numbers_hash(&command.expiries_ns))
        .hash(&numbers_hash(&observation.forwards_atoms))
        .finish();
    digest(separator, &struct_hash)
}

fn numbers_hash(numbers: &Numbers) -> Hash {
    numbers.iter().fold(Encoder::list(), |list, number| list.value(&number)).finish()
}

/// Return what every publisher of a quorum signs for a surface.
pub fn vol_surface_digest(separator: &Hash, command: &VolSurface) -> Hash {
    let hashes = command.slices().map(|slice| slice_struct_hash(&slice));
    let slices = hashes.fold(Encoder::list(), |list, hash| list.hash(&hash)).finish();
    let struct_hash = Encoder::of(&VOL_SURFACE_HASH)
        .value(&command.underlying)
        .value(&command.published_ns)
        .hash(&slices)
        .finish();
    digest(separator, &struct_hash)
}

fn slice_struct_hash(slice: &SurfaceSlice) -> Hash {
    Encoder::of(&SURFACE_SLICE_HASH)
        .value(&slice.expiry_ns)
        .value(&slice.a)
        .value(&slice.b)
        .value(&slice.rho)
        .value(&slice.m)
        .value(&slice.sigma)
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
        _ => {
            let digests = entry.parties().map(|p| (party_digest(separator, &p), *p.signature));
            digests.collect()
        }
    }
}
