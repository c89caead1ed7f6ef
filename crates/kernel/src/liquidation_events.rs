//! What became of accounts below their margin, told to feeds and read models.

use alloc::vec::Vec;

use crate::events::{Field, event};
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
event!(
    /// An account is up for auction, or in its next phase: `fund_atoms` is what the fund adds.
    LiquidationAuctionStarted { account: u32, is_insolvent: u8, fund_atoms: u64 }
);
event!(
    /// Legs were taken out of an auction; their transfers stand before.
    ///
    /// The premium came from the fund, or from the equity of the account.
    LiquidationAuctionTaken { account: u32, bidder: u32, premium_atoms: u64, is_from_fund: u8 }
);
event!(
    /// An account covers maintenance margin again, or holds nothing more.
    LiquidationAuctionEnded { account: u32 }
);
event!(
    /// What an account owed was paid by the fund, and where that ended by the fees.
    ///
    /// `uncovered_atoms` is what the fund owes since: withdrawals are reduced by their share of it.
    DeficitCovered { account: u32, deficit_atoms: u64, uncovered_atoms: u64 }
);
event!(
    /// A leg of an insolvent account is closed with the holders on the other side; its book halts.
    ///
    /// `lots` are those of the account; `deficit_atoms` is the most that the holders are charged.
    DeleveragingStarted { account: u32, instrument: u32, lots: i64, deficit_atoms: u64 }
);
event!(
    /// A holder took lots of an account at the mark, against his own, and was charged for it.
    PositionDeleveraged {
        account: u32,
        holder: u32,
        instrument: u32,
        lots: i64,
        mark_atoms: i64,
        charge_atoms: u64,
    }
);
event!(
    /// The leg is closed, or its account owes no more, or its book was set to another state.
    DeleveragingEnded { account: u32, instrument: u32 }
);
event!(
    /// A share of a withdrawal stayed, since the fund owes more than it has.
    WithdrawalReduced { account: u32, withheld_atoms: u64 }
);
