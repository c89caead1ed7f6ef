//! What became of an expiry and of positions in it, told to feeds and read models.

use alloc::vec::Vec;

use crate::events::{Field, event};
use crate::limits::EventTag;

event!(
    /// An expiry has its settlement price, in atoms per unit; marks and positions follow.
    ///
    /// `covered_ns` is how much of its window observations covered; less than 20 minutes: the
    /// governor set the price.
    ExpirySettled {
        expiry: u32,
        underlying: u32,
        expiry_ns: u64,
        settlement_atoms: u64,
        covered_ns: u64,
    }
);
event!(
    /// All lots of a position were closed at the final mark of their instrument, without a fee.
    PositionSettled { account: u32, instrument: u32, lots: i64, mark_atoms: i64 }
);
