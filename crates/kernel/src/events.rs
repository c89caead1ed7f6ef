//! What an entry did, told to feeds and read models. Events are not part of the state.

use alloc::vec::Vec;

use crate::commands::Address;
use crate::limits::EventTag;

/// A field of an event: little-endian integers and plain bytes.
pub(crate) trait Field: Sized {
    /// Write the field to the front of some bytes; return those after it.
    fn put<'a>(&self, bytes: &'a mut [u8]) -> &'a mut [u8];

    /// Read the field off the front of some bytes; nothing if they are too few.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

#[inline(always)]
fn put_bytes<'a, const N: usize>(field: &[u8; N], bytes: &'a mut [u8]) -> &'a mut [u8] {
    let (place, rest) = bytes.split_first_chunk_mut().expect("an event has room for its fields");
    *place = *field;
    rest
}

macro_rules! integer_fields {
    ($($kind:ty),*) => {
        $(impl Field for $kind {
            #[inline(always)]
            fn put<'a>(&self, bytes: &'a mut [u8]) -> &'a mut [u8] {
                put_bytes(&self.to_le_bytes(), bytes)
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Field::take(bytes).map(Self::from_le_bytes)
            }
        })*
    };
}

integer_fields!(u8, u32, u64, i64);

impl<const N: usize> Field for [u8; N] {
    #[inline(always)]
    fn put<'a>(&self, bytes: &'a mut [u8]) -> &'a mut [u8] {
        put_bytes(self, bytes)
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (field, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(*field)
    }
}

macro_rules! event {
    ($(#[$note:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$note])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $(pub $field: $kind,)*
        }

        impl $name {
            /// Append tag and fields.
            pub fn encode(&self, events: &mut Vec<u8>) {
                let mut bytes = [0; 1 $(+ size_of::<$kind>())*];
                bytes[0] = EventTag::$name as u8;
                let rest = &mut bytes[1..];
                $(let rest = self.$field.put(rest);)*
                debug_assert!(rest.is_empty(), "an event is its fields");
                events.extend_from_slice(&bytes);
            }

            /// Read the fields, without their tag; nothing if the bytes are more or fewer.
            pub fn decode(mut fields: &[u8]) -> Option<Self> {
                let event = Self { $($field: Field::take(&mut fields)?,)* };
                fields.is_empty().then_some(event)
            }
        }
    };
}

pub(crate) use event;

event!(
    /// A deposit was credited.
    Deposited { account: u32, owner: Address, token: u8, amount_atoms: u64, is_new: u8 }
);
event!(
    /// A leaf of the withdrawal tree; account 0 when a deposit could not be credited.
    WithdrawalQueued {
        index: u64,
        token: u8,
        recipient: Address,
        amount_atoms: u64,
        account: u32,
    }
);
event!(
    /// An order rests in its book.
    OrderRested {
        order: u64,
        account: u32,
        instrument: u32,
        side: u8,
        price_ticks: u32,
        lots: u64,
        nonce: u64,
        label: [u8; 8],
    }
);
event!(
    /// A resting order lost some of its lots without a fill, and stays.
    OrderReduced {
        order: u64,
        account: u32,
        instrument: u32,
        side: u8,
        price_ticks: u32,
        lots: u64,
        nonce: u64,
        removal: u8,
    }
);
event!(
    /// An order, or the rest of one (order 0: it never rested), is gone without a fill.
    OrderRemoved {
        order: u64,
        account: u32,
        instrument: u32,
        side: u8,
        price_ticks: u32,
        lots: u64,
        nonce: u64,
        removal: u8,
    }
);
event!(
    /// Two traders met in a book, or with maker order 0 outside of it.
    Filled {
        instrument: u32,
        price_ticks: u32,
        lots: u64,
        maker_order: u64,
        maker_account: u32,
        taker_account: u32,
        taker_side: u8,
        maker_fee_atoms: u64,
        taker_fee_atoms: u64,
        taker_nonce: u64,
    }
);
event!(
    /// A quote was taken; its fills follow, with maker order 0.
    QuoteAccepted { taker_account: u32, taker_nonce: u64, maker_account: u32, maker_nonce: u64 }
);
event!(
    /// A block changed hands; its fills follow, with maker order 0.
    BlockTraded { taker_account: u32, taker_nonce: u64, maker_account: u32, maker_nonce: u64 }
);
event!(
    /// The book of a combo was opened; legs that it does not have are 0.
    ComboCreated {
        instrument: u32,
        underlying: u32,
        expiry_ns: u64,
        leg_0: u32,
        ratio_0: i64,
        leg_1: u32,
        ratio_1: i64,
        leg_2: u32,
        ratio_2: i64,
        leg_3: u32,
        ratio_3: i64,
    }
);
event!(
    /// What the taker of a combo bought of a leg, sold if below 0; what one lot of the combo paid.
    LegFilled {
        instrument: u32,
        taker_account: u32,
        maker_account: u32,
        taker_lots: i64,
        atoms_per_lot: i64,
    }
);
event!(
    /// Every order of an account below this epoch is dead.
    OrdersCancelled { account: u32, order_epoch: u32 }
);
event!(
    /// An underlying has a new index.
    IndexChanged { underlying: u32, version: u32, price_atoms: u64 }
);
event!(
    /// An underlying has new forwards.
    ForwardsChanged { underlying: u32, version: u32 }
);
event!(
    /// An underlying has a new surface.
    SurfaceChanged { underlying: u32, version: u32 }
);
event!(
    /// An instrument was priced.
    Marked { instrument: u32, mark_atoms: i64 }
);
event!(
    /// An instrument is gone, and with it its expiry, by slot, unless that is 0.
    InstrumentReleased { instrument: u32, underlying: u32, expiry: u32 }
);
event!(
    /// A book was opened.
    InstrumentListed {
        instrument: u32,
        underlying: u32,
        kind: u8,
        expiry: u32,
        expiry_ns: u64,
        strike_atoms: u64,
    }
);
event!(
    /// One quote of a batch does not rest; `place` counts from 0, `reason` is a `Reject`.
    QuoteRefused {
        place: u8,
        account: u32,
        instrument: u32,
        side: u8,
        nonce: u64,
        reason: u8,
    }
);
event!(
    /// A protection was set or reset (frozen_until_ns 0), or froze.
    ProtectionChanged { account: u32, protection: u8, epoch: u32, frozen_until_ns: u64 }
);
event!(
    /// The deadline after which every order of an account is dead; 0: none.
    DeadManSet { account: u32, deadline_ns: u64 }
);
event!(
    /// A key may act for an account; its nonces start above the floor.
    SessionGranted {
        account: u32,
        session: u8,
        key: Address,
        actions: u32,
        markets: u64,
        notional_cap_atoms: u64,
        expires_ns: u64,
        nonce_floor: u64,
    }
);
event!(
    /// A session ended.
    SessionRevoked { account: u32, session: u8, key: Address }
);
event!(
    /// Money went from an account to a recipient.
    Transferred { account: u32, recipient: u32, token: u8, amount_atoms: u64 }
);
event!(
    /// Lots, negative for a short position, went from an account to a recipient at the mark.
    PositionTransferred {
        account: u32,
        recipient: u32,
        instrument: u32,
        lots: i64,
        mark_atoms: i64,
    }
);
event!(
    /// A schedule has new fees.
    FeeScheduleSet { schedule: u32, version: u32 }
);
event!(
    /// An account has another fee schedule.
    FeesAssigned { account: u32, schedule: u32 }
);
event!(
    /// An account is margined in another way.
    MarginModeSet { account: u32, mode: u8 }
);
event!(
    /// An order waits: for its condition, or (condition 0) for `release_ns`.
    TriggerPlaced {
        trigger: u64,
        account: u32,
        instrument: u32,
        condition: u8,
        trigger_ticks: u32,
        release_ns: u64,
        side: u8,
        price_ticks: u32,
        lots: u64,
        nonce: u64,
        label: [u8; 8],
    }
);
event!(
    /// A waiting order was placed, or (reason other than 0) refused for that reason, and is gone.
    TriggerFired { trigger: u64, account: u32, instrument: u32, reason: u8 }
);
event!(
    /// A waiting order is gone without having been placed.
    TriggerRemoved { trigger: u64, account: u32, instrument: u32, removal: u8 }
);
event!(
    /// The governor changed what a book takes or how it trades; `phase` 1: an auction began.
    InstrumentChanged {
        instrument: u32,
        state: u8,
        mode: u8,
        speed_bump_ms: u32,
        auction_interval_ms: u32,
        phase: u8,
    }
);
event!(
    /// The price of an auction, and how many lots can trade at it.
    AuctionPriced { instrument: u32, price_ticks: u32, lots: u64 }
);
event!(
    /// Two resting orders met in an auction.
    AuctionFilled {
        instrument: u32,
        price_ticks: u32,
        lots: u64,
        bid_order: u64,
        ask_order: u64,
        buyer: u32,
        seller: u32,
        buyer_fee_atoms: u64,
        seller_fee_atoms: u64,
    }
);
event!(
    /// No bid of the book reaches an ask any more.
    AuctionEnded { instrument: u32 }
);
event!(
    /// A perpetual's funding and mark up to the moment in which its index changed.
    ///
    /// `funding_index` is what a lot held from the listing on has paid, in atoms; the premium in
    /// its mark counts 1e-15 of the index.
    FundingChanged { instrument: u32, funding_index: i64, mark_premium_femtos: i64 }
);
event!(
    /// An account paid lots × (index_after − index_before) atoms; below 0 it was paid.
    FundingSettled {
        account: u32,
        instrument: u32,
        lots: i64,
        index_before: i64,
        index_after: i64,
    }
);
event!(
    /// There are new margin parameters.
    ParametersChanged { version: u32 }
);
event!(
    /// A publisher has another key, or (zero address) none any more.
    PublisherChanged { publisher: u8, version: u32, key: Address }
);
event!(
    /// An index is far from its reference: for a while who takes may only reduce.
    BreakerTripped { underlying: u32, index_atoms: u64, reference_atoms: u64, until_ns: u64 }
);

event!(
    /// An underlying has other terms, or another grid.
    TermsChanged { underlying: u32, version: u32 }
);
event!(
    /// A token has another haircut, or another cap.
    TokenChanged { token: u8, version: u32 }
);
