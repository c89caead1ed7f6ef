//! What became of accounts below their margin, told to feeds and read models.

use alloc::vec::Vec;

use crate::events::{Put, event};
use crate::limits::EventTag;

event!(
    /// The orders of an account that did not cover its initial margin were ended.
    OrdersUnbacked { account: u32 }
);
event!(
    /// A slice of a position was offered in its book; its fills stand before, with taker nonce 0.
    ///
    /// `side` is what the account does, `lots` what was offered, `fee_atoms` what the fund got.
    AccountReduced {
        account: u32,
        instrument: u32,
        side: u8,
        limit_ticks: u32,
        lots: u64,
        filled_lots: u64,
        fee_atoms: u64,
    }
);
