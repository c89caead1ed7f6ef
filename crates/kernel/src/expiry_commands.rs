//! Commands that end an expiry: its price, and what accounts hold in it.

use crate::commands::command;
use crate::reader::{Malformed, Reader};
use crate::value::Value;

command!(
    /// The settlement price of an expiry, by the governor, where there is no average of the index.
    ///
    /// Slot and date both name the expiry: a slot may be another's by the time that this is
    /// executed.
    SetSettlement { expiry: u32, expiry_ns: u64, price_atoms: u64 }
);
command!(
    /// Take the average of the index for an expiry's settlement price, once it is complete.
    SettleExpiry { expiry: u32 }
);
command!(
    /// Pay funding and close what is settled, of up to 32 positions of an account.
    ///
    /// Looked at are positions from slot `cursor` on (0: the first).
    SettleAccount { account: u32, cursor: u32 }
);
