//! Commands about accounts below their margin.

use crate::commands::{Header, TraderCommand, command, piece};
use crate::eip712::{self, Encoder};
use crate::keccak::Hash;
use crate::limits::LEGS_MAX;
use crate::reader::{Malformed, Reader};
use crate::value::Value;

command!(
    /// Take the next step with an account below its margin: end its orders, or close some of a leg.
    ///
    /// `instrument` names the leg; while there are orders it counts for nothing.
    Liquidate { account: u32, instrument: u32 }
);
command!(
    /// Auction what slices do not bring back; go on to the next phase of an auction, or end it.
    ///
    /// Of an account that owes without holding anything, the fund pays the debt.
    StartAuction { account: u32 }
);
command!(
    /// Have holders on the other side close a leg that an insolvent account holds; go on with it.
    Deleverage { account: u32, instrument: u32 }
);

/// An instrument of a bid, and the lots that the bidder takes: short ones below 0.
#[derive(Clone, Copy, Debug)]
pub struct BidLeg {
    pub instrument: u32,
    pub lots: i64,
}

const BID_LEG_BYTES: usize = 4 + 8;

/// Take one to four legs out of an auction at their marks, for the premium that it offers now.
///
/// `max_cost_atoms` is the most that the legs may be worth less the premium; it may be below 0.
#[derive(Clone, Copy, Debug)]
pub struct AuctionBid<'a> {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    pub target: u32,
    pub max_cost_atoms: i64,
    rows: &'a [u8],
}

impl<'a> AuctionBid<'a> {
    /// Read the fields off the reader.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let (account, nonce, expires_ns) = (reader.u32()?, reader.u64()?, reader.u64()?);
        let (target, max_cost_atoms) = (reader.u32()?, reader.i64()?);
        let count = reader.count(LEGS_MAX)?;
        let rows = reader.take(count * BID_LEG_BYTES)?;
        let command = Self { account, nonce, expires_ns, target, max_cost_atoms, rows };
        let mut pairs = command.legs().zip(command.legs().skip(1));
        let is_ascending = pairs.all(|(before, after)| before.instrument < after.instrument);
        if count > 0 && is_ascending { Ok(command) } else { Err(Malformed) }
    }

    /// Return the legs in order.
    pub fn legs(&self) -> impl ExactSizeIterator<Item = BidLeg> + use<'a> {
        self.rows.chunks_exact(BID_LEG_BYTES).map(|row| BidLeg {
            instrument: u32::from_le_bytes(*piece(row, 0)),
            lots: i64::from_le_bytes(*piece(row, 4)),
        })
    }
}

impl TraderCommand for AuctionBid<'_> {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        let hash_of = |leg: BidLeg| {
            Encoder::of(&eip712::BID_LEG).value(&leg.instrument).value(&leg.lots).finish()
        };
        let legs = self.legs().fold(Encoder::list(), |list, leg| list.hash(&hash_of(leg))).finish();
        Encoder::of(&eip712::AUCTION_BID)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .value(&self.target)
            .value(&self.max_cost_atoms)
            .hash(&legs)
            .finish()
    }
}
