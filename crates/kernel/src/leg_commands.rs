//! Commands of several legs, and those that two traders sign.

use crate::commands::{Header, Party, Signature, TraderCommand, piece};
use crate::eip712::{self, Encoder};
use crate::keccak::Hash;
use crate::limits::{COMBO_LEGS_MIN, LEGS_MAX};
use crate::reader::{Malformed, Reader};

/// One instrument of a trade between two; the taker buys `taker_lots`, sells them if below 0.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub instrument: u32,
    pub taker_lots: i64,
    pub price_ticks: u32,
}

const LEG_BYTES: usize = 4 + 8 + 4;

/// One to four legs, ascending by instrument, as they lie in the entry.
#[derive(Clone, Copy, Debug)]
pub struct Legs<'a> {
    rows: &'a [u8],
}

impl<'a> Legs<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.count(LEGS_MAX)?;
        let legs = Self { rows: reader.take(count * LEG_BYTES)? };
        let mut pairs = legs.iter().zip(legs.iter().skip(1));
        let is_ascending = pairs.all(|(before, after)| before.instrument < after.instrument);
        if count > 0 && is_ascending { Ok(legs) } else { Err(Malformed) }
    }

    /// Return the legs in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Leg> + use<'a> {
        self.rows.chunks_exact(LEG_BYTES).map(|row| {
            let mut reader = Reader::new(row);
            let leg = Leg::read(&mut reader);
            leg.expect("rows are cut to their full length")
        })
    }

    fn hash(&self) -> Hash {
        self.iter().fold(Encoder::list(), |list, leg| list.hash(&leg.struct_hash())).finish()
    }
}

impl Leg {
    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self {
            instrument: reader.u32()?,
            taker_lots: reader.i64()?,
            price_ticks: reader.u32()?,
        })
    }

    fn struct_hash(&self) -> Hash {
        Encoder::of(&eip712::LEG)
            .value(&self.instrument)
            .value(&self.taker_lots)
            .value(&self.price_ticks)
            .finish()
    }
}

/// An instrument of a combo, and how many lots of it one lot of the combo is; below 0: short.
#[derive(Clone, Copy, Debug)]
pub struct ComboLeg {
    pub instrument: u32,
    pub ratio: i64,
}

const COMBO_LEG_BYTES: usize = 4 + 8;

/// Open the book of a combo: two to four legs that trade as one.
#[derive(Clone, Copy, Debug)]
pub struct CreateCombo<'a> {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    rows: &'a [u8],
}

impl<'a> CreateCombo<'a> {
    /// Read the fields off the reader.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let (account, nonce, expires_ns) = (reader.u32()?, reader.u64()?, reader.u64()?);
        let count = reader.count(LEGS_MAX)?;
        let command =
            Self { account, nonce, expires_ns, rows: reader.take(count * COMBO_LEG_BYTES)? };
        let mut pairs = command.legs().zip(command.legs().skip(1));
        let is_ascending = pairs.all(|(before, after)| before.instrument < after.instrument);
        let is_sound = count as u64 >= COMBO_LEGS_MIN && is_ascending;
        if is_sound { Ok(command) } else { Err(Malformed) }
    }

    /// Return the legs in order.
    pub fn legs(&self) -> impl ExactSizeIterator<Item = ComboLeg> + use<'a> {
        self.rows.chunks_exact(COMBO_LEG_BYTES).map(|row| ComboLeg {
            instrument: u32::from_le_bytes(*piece(row, 0)),
            ratio: i64::from_le_bytes(*piece(row, 4)),
        })
    }
}

impl TraderCommand for CreateCombo<'_> {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        let hash_of = |leg: ComboLeg| {
            Encoder::of(&eip712::COMBO_LEG).value(&leg.instrument).value(&leg.ratio).finish()
        };
        let legs = self.legs().fold(Encoder::list(), |list, leg| list.hash(&hash_of(leg))).finish();
        Encoder::of(&eip712::CREATE_COMBO)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .hash(&legs)
            .finish()
    }
}

/// What a maker offers to one account, or with taker 0 to whoever accepts first.
#[derive(Clone, Copy, Debug)]
pub struct RfqQuote<'a> {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    pub taker: u32,
    pub max_fee_ppm: u32,
    pub legs: Legs<'a>,
}

impl TraderCommand for RfqQuote<'_> {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        Encoder::of(&eip712::RFQ_QUOTE)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .value(&self.taker)
            .value(&self.max_fee_ppm)
            .hash(&self.legs.hash())
            .finish()
    }
}

/// Take a maker's signed quote as a whole.
#[derive(Clone, Copy, Debug)]
pub struct AcceptQuote<'a> {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    pub max_fee_ppm: u32,
    pub maker_session: u8,
    pub maker_signature: &'a Signature,
    pub quote: RfqQuote<'a>,
}

impl<'a> AcceptQuote<'a> {
    /// Read the fields off the reader.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            account: reader.u32()?,
            nonce: reader.u64()?,
            expires_ns: reader.u64()?,
            max_fee_ppm: reader.u32()?,
            maker_session: reader.u8()?,
            maker_signature: reader.bytes()?,
            quote: RfqQuote {
                account: reader.u32()?,
                nonce: reader.u64()?,
                expires_ns: reader.u64()?,
                taker: reader.u32()?,
                max_fee_ppm: reader.u32()?,
                legs: Legs::read(reader)?,
            },
        })
    }
}

impl TraderCommand for AcceptQuote<'_> {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        Encoder::of(&eip712::ACCEPT_QUOTE)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .value(&self.max_fee_ppm)
            .hash(&self.quote.struct_hash())
            .finish()
    }

    fn maker(&self) -> Option<Party<'_>> {
        Some(Party {
            header: self.quote.header(),
            session: self.maker_session,
            signature: self.maker_signature,
            signed: &self.quote,
        })
    }
}

/// A large trade that both sides agreed on elsewhere: both sign the same terms.
#[derive(Clone, Copy, Debug)]
pub struct BlockTrade<'a> {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    pub max_fee_ppm: u32,
    pub maker_account: u32,
    pub maker_nonce: u64,
    pub maker_session: u8,
    pub maker_signature: &'a Signature,
    pub legs: Legs<'a>,
}

impl<'a> BlockTrade<'a> {
    /// Read the fields off the reader.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            account: reader.u32()?,
            nonce: reader.u64()?,
            expires_ns: reader.u64()?,
            max_fee_ppm: reader.u32()?,
            maker_account: reader.u32()?,
            maker_nonce: reader.u64()?,
            maker_session: reader.u8()?,
            maker_signature: reader.bytes()?,
            legs: Legs::read(reader)?,
        })
    }
}

impl TraderCommand for BlockTrade<'_> {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        Encoder::of(&eip712::BLOCK_TRADE)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .value(&self.max_fee_ppm)
            .value(&self.maker_account)
            .value(&self.maker_nonce)
            .hash(&self.legs.hash())
            .finish()
    }

    fn maker(&self) -> Option<Party<'_>> {
        let (account, nonce) = (self.maker_account, self.maker_nonce);
        Some(Party {
            header: Header { account, nonce, expires_ns: self.expires_ns },
            session: self.maker_session,
            signature: self.maker_signature,
            signed: self,
        })
    }
}
