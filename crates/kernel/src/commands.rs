//! The commands, read from their canonical bytes. Lists stay there and are read row by row.

use crate::account_commands::{
    AssignFees, GrantRequest, GrantSession, PositionTransfer, RevokeRequest, RevokeSession,
    SetFeeSchedule, Transfer,
};
pub use crate::collateral_commands::{BuyCollateral, SettleVariation, StartConversion};
use crate::eip712::{self, Encoder};
pub use crate::expiry_commands::{SetSettlement, SettleAccount, SettleExpiry};
use crate::governance_commands::{
    SetInstrument, SetParameters, SetPublisher, SetTerms, SetToken, SetUnderlying,
};
use crate::keccak::Hash;
use crate::leg_commands::{AcceptQuote, BlockTrade, CreateCombo};
use crate::limits::{
    InstrumentKind, MarginMode, OrderType, PostOnly, QUOTES_PER_BATCH_MAX, SelfTradePrevention,
    Side, Tag, TimeInForce, TriggerCondition,
};
pub use crate::liquidation_commands::{AuctionBid, Deleverage, Liquidate, StartAuction};
pub use crate::observations::{
    ForwardCurve, ForwardObservation, IndexObservation, IndexPrice, Numbers, SurfaceSignature,
    SurfaceSlice, VolSurface,
};
use crate::observations::{read_forward_curve, read_index_price, read_vol_surface};
use crate::reader::{Malformed, Reader};
use crate::value::Value;

/// A secp256k1 signature: r ‖ s with the recovery bit in the top bit of s.
pub type Signature = [u8; 64];

/// An account of the settlement chain.
pub type Address = [u8; 20];

/// Bit of an order's flags: it may only rest.
pub const POST_ONLY_FLAG: u8 = 1;
/// Bit of an order's flags: it may only shrink a position.
pub const REDUCE_ONLY_FLAG: u8 = 2;
/// Bit of an order's flags: with the first, it rests short of what it would meet.
pub const SLIDE_FLAG: u8 = 4;
/// Bit of an order record, never of a command: it is its account's quote of its side.
pub const QUOTE_FLAG: u8 = 8;

/// What every command that a trader signs begins with.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
}

/// One who signs: with which key of which account, and what he signs.
#[derive(Clone, Copy)]
pub struct Party<'a> {
    pub header: Header,
    pub session: u8,
    pub signature: &'a Signature,
    pub signed: &'a dyn TraderCommand,
}

/// A command that a trader signs.
pub trait TraderCommand {
    /// Return account, nonce and expiry.
    fn header(&self) -> Header;

    /// Return the hash of the struct that the trader's wallet shows.
    fn struct_hash(&self) -> Hash;

    /// Return the second trader of a command that two sign.
    fn maker(&self) -> Option<Party<'_>> {
        None
    }
}

/// A command whose bytes are one fixed layout, field by field.
macro_rules! command {
    ($(#[$note:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$note])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            $(pub $field: $kind,)*
        }

        impl $name {
            const BYTES: usize = 0 $(+ <$kind as Value>::BYTES)*;

            /// Take all bytes off at once: then none is asked for that may not be there.
            #[inline]
            pub(crate) fn read(reader: &mut Reader) -> Result<Self, Malformed> {
                let reader = &mut Reader::new(reader.bytes::<{ Self::BYTES }>()?);
                Ok(Self { $($field: Value::read(reader)?,)* })
            }
        }
    };
}

/// A command of fixed layout that a trader signs as a struct with the same members in order.
macro_rules! trader_command {
    ($(#[$note:meta])* $name:ident signs $hash:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        command!($(#[$note])* $name { $($field: $kind),* });

        impl TraderCommand for $name {
            fn header(&self) -> Header {
                Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
            }

            fn struct_hash(&self) -> Hash {
                Encoder::of(&eip712::$hash)$(.value(&self.$field))*.finish()
            }
        }
    };
}

pub(crate) use {command, trader_command};

command!(
    /// Money that arrived in the vault for an account; its bytes are the inbox request.
    Deposit { account: u32, owner: Address, subaccount: u32, token: u8, amount_atoms: u64 }
);

/// A limit order. `expires_ns` bounds when the message may be executed, not how long the order
/// rests.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    pub instrument: u32,
    pub side: Side,
    pub order_type: OrderType,
    pub price_ticks: u32,
    pub lots: u64,
    pub time_in_force: TimeInForce,
    pub flags: u8,
    pub self_trade_prevention: SelfTradePrevention,
    pub group: u16,
    pub max_fee_ppm: u32,
    pub label: [u8; 8],
}

impl Place {
    /// Return whether the order may only rest, and how.
    pub fn post_only(&self) -> PostOnly {
        match self.flags & (POST_ONLY_FLAG | SLIDE_FLAG) {
            0 => PostOnly::Off,
            POST_ONLY_FLAG => PostOnly::Reject,
            _ => PostOnly::Slide,
        }
    }

    /// Return whether the order may only shrink a position.
    pub fn is_reduce_only(&self) -> bool {
        self.flags & REDUCE_ONLY_FLAG != 0
    }
}

impl TraderCommand for Place {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        Encoder::of(&eip712::PLACE)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .value(&self.instrument)
            .value(&self.side)
            .value(&self.order_type)
            .value(&self.price_ticks)
            .value(&self.lots)
            .value(&self.time_in_force)
            .value(&self.post_only())
            .value(&self.is_reduce_only())
            .value(&self.self_trade_prevention)
            .value(&self.group)
            .value(&self.max_fee_ppm)
            .value(&self.label)
            .finish()
    }
}

trader_command!(
    /// Remove one resting order of the account.
    Cancel signs CANCEL { account: u32, nonce: u64, expires_ns: u64, order: u64 }
);
trader_command!(
    /// End every order of the account at once; the records follow in bounded steps.
    CancelAll signs CANCEL_ALL { account: u32, nonce: u64, expires_ns: u64 }
);
trader_command!(
    /// Change what remains of a resting order to `lots`, at `price_ticks` (0: where it stands).
    ///
    /// An order that only shrinks keeps its place in the queue; any other change takes it out and
    /// places it anew.
    Amend signs AMEND {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        order: u64,
        price_ticks: u32,
        lots: u64,
    }
);
trader_command!(
    /// Bound what quotes under a protection may trade within an interval.
    ///
    /// `limit_nanos` counts 1e-9 units of the underlying. Once no further lot fits, all of them
    /// end, and no new ones are taken for `frozen_ns` (0: until ResetProtection).
    SetProtection signs SET_PROTECTION {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        protection: u8,
        interval_ns: u64,
        frozen_ns: u64,
        limit_nanos: u64,
    }
);
trader_command!(
    /// Take quotes under a protection again, its count at zero.
    ResetProtection signs RESET_PROTECTION {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        protection: u8,
    }
);
trader_command!(
    /// End every order of the account once the time is past `deadline_ns` (0: no deadline).
    SetDeadMan signs SET_DEAD_MAN { account: u32, nonce: u64, expires_ns: u64, deadline_ns: u64 }
);
trader_command!(
    /// Let the account be margined in another way from now on.
    SetMarginMode signs SET_MARGIN_MODE {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        mode: MarginMode,
    }
);

/// One side of a market maker's market in one instrument; 0 lots: none.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    pub instrument: u32,
    pub side: Side,
    pub price_ticks: u32,
    pub lots: u64,
}

/// Replace up to 32 quotes under one signature: ascending by instrument and side.
///
/// Quotes only rest: one that would meet another order is refused or slides, as `post_only` says.
#[derive(Clone, Copy, Debug)]
pub struct QuoteBatch<'a> {
    pub account: u32,
    pub nonce: u64,
    pub expires_ns: u64,
    pub protection: u8,
    pub post_only: PostOnly,
    pub max_fee_ppm: u32,
    rows: &'a [u8],
}

const QUOTE_BYTES: usize = 4 + 1 + 4 + 8;

impl<'a> QuoteBatch<'a> {
    /// Return the quotes in order.
    pub fn quotes(&self) -> impl ExactSizeIterator<Item = Quote> + use<'a> {
        self.rows.chunks_exact(QUOTE_BYTES).map(|row| Quote {
            instrument: u32::from_le_bytes(*piece(row, 0)),
            side: Side::try_from(row[4]).expect("sides are checked when a batch is read"),
            price_ticks: u32::from_le_bytes(*piece(row, 5)),
            lots: u64::from_le_bytes(*piece(row, 9)),
        })
    }
}

impl TraderCommand for QuoteBatch<'_> {
    fn header(&self) -> Header {
        Header { account: self.account, nonce: self.nonce, expires_ns: self.expires_ns }
    }

    fn struct_hash(&self) -> Hash {
        let hashes = self.quotes().map(|quote| {
            Encoder::of(&eip712::QUOTE)
                .value(&quote.instrument)
                .value(&quote.side)
                .value(&quote.price_ticks)
                .value(&quote.lots)
                .finish()
        });
        let quotes = hashes.fold(Encoder::list(), |list, hash| list.hash(&hash)).finish();
        Encoder::of(&eip712::QUOTE_BATCH)
            .value(&self.account)
            .value(&self.nonce)
            .value(&self.expires_ns)
            .value(&self.protection)
            .value(&self.post_only)
            .value(&self.max_fee_ppm)
            .hash(&quotes)
            .finish()
    }
}

trader_command!(
    /// An order that waits until a price is reached; it waits no longer than until `expires_ns`.
    PlaceTrigger signs PLACE_TRIGGER {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        instrument: u32,
        condition: TriggerCondition,
        trigger_ticks: u32,
        side: Side,
        price_ticks: u32,
        lots: u64,
        time_in_force: TimeInForce,
        reduce_only: bool,
        self_trade_prevention: SelfTradePrevention,
        group: u16,
        max_fee_ppm: u32,
        label: [u8; 8],
    }
);

impl PlaceTrigger {
    /// Return the order that is placed when the price is reached.
    pub fn order(&self) -> Place {
        Place {
            account: self.account,
            nonce: self.nonce,
            expires_ns: self.expires_ns,
            instrument: self.instrument,
            side: self.side,
            order_type: OrderType::Limit,
            price_ticks: self.price_ticks,
            lots: self.lots,
            time_in_force: self.time_in_force,
            flags: if self.reduce_only { REDUCE_ONLY_FLAG } else { 0 },
            self_trade_prevention: self.self_trade_prevention,
            group: self.group,
            max_fee_ppm: self.max_fee_ppm,
            label: self.label,
        }
    }
}

trader_command!(
    /// Remove one waiting order of the account.
    CancelTrigger signs CANCEL_TRIGGER { account: u32, nonce: u64, expires_ns: u64, trigger: u64 }
);
trader_command!(
    /// Move money from the account to the withdrawal tree, claimable on chain by the recipient.
    Withdraw signs WITHDRAW {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        token: u8,
        recipient: Address,
        amount_atoms: u64,
    }
);

command!(
    /// Let time pass, and sweep orders that are over of one account (0: of none).
    ///
    /// Looked at are orders from `order` on (0: from the account's oldest).
    Tick { account: u32, order: u64 }
);
command!(
    /// Price up to 16 instruments of an expiry again, from slot `cursor` (0: the first) on.
    Remark { expiry: u32, cursor: u32 }
);
command!(
    /// Open a book on the governed grid; the grid gives ticks, lots and fees.
    ListInstrument { underlying: u32, kind: InstrumentKind, expiry_ns: u64, strike_atoms: u64 }
);
command!(
    /// Place a waiting order whose time has come, or remove one that is over.
    FireTrigger { trigger: u64 }
);

command!(
    /// Go on with the auction of a book, or start the batch auction that is due.
    Uncross { instrument: u32 }
);
command!(
    /// Free the record of an instrument that is over, or idle, and that nobody holds.
    ReleaseInstrument { instrument: u32 }
);

/// Any command.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    Deposit(Deposit),
    /// A request of the inbox that is no command; it is consumed all the same.
    UnreadableRequest,
    GrantRequest(GrantRequest),
    SetParameters(SetParameters<'a>),
    SetPublisher(SetPublisher),
    SetTerms(SetTerms),
    SetUnderlying(SetUnderlying),
    SetToken(SetToken),
    SetInstrument(SetInstrument),
    RevokeRequest(RevokeRequest),
    SetFeeSchedule(SetFeeSchedule),
    AssignFees(AssignFees),
    Place(Place),
    Cancel(Cancel),
    CancelAll(CancelAll),
    Amend(Amend),
    QuoteBatch(QuoteBatch<'a>),
    PlaceTrigger(PlaceTrigger),
    CancelTrigger(CancelTrigger),
    Withdraw(Withdraw),
    SetProtection(SetProtection),
    ResetProtection(ResetProtection),
    SetDeadMan(SetDeadMan),
    SetMarginMode(SetMarginMode),
    Transfer(Transfer),
    PositionTransfer(PositionTransfer),
    GrantSession(GrantSession),
    RevokeSession(RevokeSession),
    CreateCombo(CreateCombo<'a>),
    AcceptQuote(AcceptQuote<'a>),
    BlockTrade(BlockTrade<'a>),
    IndexPrice(IndexPrice<'a>),
    ForwardCurve(ForwardCurve<'a>),
    VolSurface(VolSurface<'a>),
    Tick(Tick),
    Remark(Remark),
    ListInstrument(ListInstrument),
    FireTrigger(FireTrigger),
    Uncross(Uncross),
    ReleaseInstrument(ReleaseInstrument),
    Liquidate(Liquidate),
    StartAuction(StartAuction),
    AuctionBid(AuctionBid<'a>),
    StartConversion(StartConversion),
    BuyCollateral(BuyCollateral),
    SettleVariation(SettleVariation),
    Deleverage(Deleverage),
    SetSettlement(SetSettlement),
    SettleExpiry(SettleExpiry),
    SettleAccount(SettleAccount),
}

impl<'a> Command<'a> {
    /// Read the fields that follow a tag (and, where a trader signs, session and signature).
    #[inline(always)]
    pub fn read(tag: Tag, reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(match tag {
            Tag::Deposit => Self::Deposit(Deposit::read(reader)?),
            Tag::GrantRequest => Self::GrantRequest(GrantRequest::read(reader)?),
            Tag::RevokeRequest => Self::RevokeRequest(RevokeRequest::read(reader)?),
            Tag::SetParameters => Self::SetParameters(SetParameters::read(reader)?),
            Tag::SetPublisher => Self::SetPublisher(SetPublisher::read(reader)?),
            Tag::SetTerms => Self::SetTerms(SetTerms::read(reader)?),
            Tag::SetUnderlying => Self::SetUnderlying(SetUnderlying::read(reader)?),
            Tag::SetToken => Self::SetToken(SetToken::read(reader)?),
            Tag::SetInstrument => Self::SetInstrument(SetInstrument::read(reader)?),
            Tag::SetFeeSchedule => Self::SetFeeSchedule(SetFeeSchedule::read(reader)?),
            Tag::AssignFees => Self::AssignFees(AssignFees::read(reader)?),
            Tag::Place => Self::Place(read_place(reader)?),
            Tag::Cancel => Self::Cancel(Cancel::read(reader)?),
            Tag::CancelAll => Self::CancelAll(CancelAll::read(reader)?),
            Tag::Amend => Self::Amend(Amend::read(reader)?),
            Tag::QuoteBatch => Self::QuoteBatch(read_quote_batch(reader)?),
            Tag::PlaceTrigger => Self::PlaceTrigger(PlaceTrigger::read(reader)?),
            Tag::CancelTrigger => Self::CancelTrigger(CancelTrigger::read(reader)?),
            Tag::Withdraw => Self::Withdraw(Withdraw::read(reader)?),
            Tag::SetProtection => Self::SetProtection(SetProtection::read(reader)?),
            Tag::ResetProtection => Self::ResetProtection(ResetProtection::read(reader)?),
            Tag::SetDeadMan => Self::SetDeadMan(SetDeadMan::read(reader)?),
            Tag::SetMarginMode => Self::SetMarginMode(SetMarginMode::read(reader)?),
            Tag::Transfer => Self::Transfer(Transfer::read(reader)?),
            Tag::PositionTransfer => Self::PositionTransfer(PositionTransfer::read(reader)?),
            Tag::GrantSession => Self::GrantSession(GrantSession::read(reader)?),
            Tag::RevokeSession => Self::RevokeSession(RevokeSession::read(reader)?),
            Tag::CreateCombo => Self::CreateCombo(CreateCombo::read(reader)?),
            Tag::AcceptQuote => Self::AcceptQuote(AcceptQuote::read(reader)?),
            Tag::BlockTrade => Self::BlockTrade(BlockTrade::read(reader)?),
            Tag::IndexPrice => Self::IndexPrice(read_index_price(reader)?),
            Tag::ForwardCurve => Self::ForwardCurve(read_forward_curve(reader)?),
            Tag::VolSurface => Self::VolSurface(read_vol_surface(reader)?),
            Tag::Tick => Self::Tick(Tick::read(reader)?),
            Tag::Remark => Self::Remark(Remark::read(reader)?),
            Tag::ListInstrument => Self::ListInstrument(ListInstrument::read(reader)?),
            Tag::FireTrigger => Self::FireTrigger(FireTrigger::read(reader)?),
            Tag::Uncross => Self::Uncross(Uncross::read(reader)?),
            Tag::ReleaseInstrument => Self::ReleaseInstrument(ReleaseInstrument::read(reader)?),
            Tag::Liquidate => Self::Liquidate(Liquidate::read(reader)?),
            Tag::StartAuction => Self::StartAuction(StartAuction::read(reader)?),
            Tag::AuctionBid => Self::AuctionBid(AuctionBid::read(reader)?),
            Tag::StartConversion => Self::StartConversion(StartConversion::read(reader)?),
            Tag::BuyCollateral => Self::BuyCollateral(BuyCollateral::read(reader)?),
            Tag::SettleVariation => Self::SettleVariation(SettleVariation::read(reader)?),
            Tag::Deleverage => Self::Deleverage(Deleverage::read(reader)?),
            Tag::SetSettlement => Self::SetSettlement(SetSettlement::read(reader)?),
            Tag::SettleExpiry => Self::SettleExpiry(SettleExpiry::read(reader)?),
            Tag::SettleAccount => Self::SettleAccount(SettleAccount::read(reader)?),
        })
    }

    /// Return the command as one that a trader signs, if it is one.
    pub fn as_signed(&self) -> Option<&dyn TraderCommand> {
        match self {
            Self::Place(command) => Some(command),
            Self::Cancel(command) => Some(command),
            Self::CancelAll(command) => Some(command),
            Self::Amend(command) => Some(command),
            Self::QuoteBatch(command) => Some(command),
            Self::PlaceTrigger(command) => Some(command),
            Self::CancelTrigger(command) => Some(command),
            Self::Withdraw(command) => Some(command),
            Self::SetProtection(command) => Some(command),
            Self::ResetProtection(command) => Some(command),
            Self::SetDeadMan(command) => Some(command),
            Self::SetMarginMode(command) => Some(command),
            Self::Transfer(command) => Some(command),
            Self::PositionTransfer(command) => Some(command),
            Self::GrantSession(command) => Some(command),
            Self::RevokeSession(command) => Some(command),
            Self::CreateCombo(command) => Some(command),
            Self::AcceptQuote(command) => Some(command),
            Self::BlockTrade(command) => Some(command),
            Self::AuctionBid(command) => Some(command),
            Self::BuyCollateral(command) => Some(command),
            _ => None,
        }
    }
}

/// Return the bytes of a field of a row.
pub fn piece<const N: usize>(row: &[u8], at: usize) -> &[u8; N] {
    row[at..].first_chunk().expect("rows are cut to their full length")
}

const PLACE_BYTES: usize = 4 + 8 + 8 + 4 + 1 + 1 + 4 + 8 + 1 + 1 + 1 + 2 + 4 + 8;

#[inline(always)]
fn read_place(reader: &mut Reader) -> Result<Place, Malformed> {
    let mut reader = Reader::new(reader.bytes::<PLACE_BYTES>()?);
    let place = Place {
        account: reader.u32()?,
        nonce: reader.u64()?,
        expires_ns: reader.u64()?,
        instrument: reader.u32()?,
        side: reader.member()?,
        order_type: reader.member()?,
        price_ticks: reader.u32()?,
        lots: reader.u64()?,
        time_in_force: reader.member()?,
        flags: reader.u8()?,
        self_trade_prevention: reader.member()?,
        group: reader.u16()?,
        max_fee_ppm: reader.u32()?,
        label: *reader.bytes()?,
    };
    check_order_flags(place.flags)?;
    Ok(place)
}

/// Refuse bits that mean nothing: a slide is a way of being post-only.
fn check_order_flags(flags: u8) -> Result<(), Malformed> {
    match flags & !REDUCE_ONLY_FLAG {
        0 | POST_ONLY_FLAG => Ok(()),
        rests if rests == POST_ONLY_FLAG | SLIDE_FLAG => Ok(()),
        _ => Err(Malformed),
    }
}

fn read_quote_batch<'a>(reader: &mut Reader<'a>) -> Result<QuoteBatch<'a>, Malformed> {
    let (account, nonce, expires_ns) = (reader.u32()?, reader.u64()?, reader.u64()?);
    let (protection, post_only) = (reader.u8()?, reader.member()?);
    let max_fee_ppm = reader.u32()?;
    let count = reader.count(QUOTES_PER_BATCH_MAX)?;
    let rows = reader.take(count * QUOTE_BYTES)?;
    let key = |row: &[u8]| (u32::from_le_bytes(*piece(row, 0)), row[4]);
    let followers = rows.chunks_exact(QUOTE_BYTES).skip(1);
    let mut pairs = rows.chunks_exact(QUOTE_BYTES).zip(followers);
    let is_sound = post_only != PostOnly::Off
        && rows.chunks_exact(QUOTE_BYTES).all(|row| Side::try_from(row[4]).is_ok())
        && pairs.all(|(before, after)| key(before) < key(after));
    if !is_sound {
        return Err(Malformed);
    }
    Ok(QuoteBatch { account, nonce, expires_ns, protection, post_only, max_fee_ppm, rows })
}
