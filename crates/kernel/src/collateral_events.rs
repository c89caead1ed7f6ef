//! What became of debts and the collateral that pays for them, told to feeds and read models.

use alloc::vec::Vec;

use crate::events::{Field, event};
use crate::limits::EventTag;

event!(
    /// An account paid the fund for the time in which its cash was below zero.
    InterestPaid { account: u32, amount_atoms: u64 }
);
event!(
    /// An account's tokens are for sale, since it owes so much.
    ConversionStarted { account: u32, debt_atoms: u64 }
);
event!(
    /// A buyer paid some of an account's debt, and took of a token for it.
    CollateralSold {
        account: u32,
        buyer: u32,
        token: u8,
        amount_atoms: u64,
        paid_atoms: u64,
        nonce: u64,
    }
);
event!(
    /// An account's tokens are not for sale any more: it does not owe too much.
    ConversionEnded { account: u32 }
);
event!(
    /// What an account had won and lost in linear positions, up to their marks, is cash now.
    VariationSettled { account: u32 }
);
