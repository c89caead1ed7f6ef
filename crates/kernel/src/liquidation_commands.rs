//! Commands about accounts below their margin.

use crate::commands::command;
use crate::reader::{Malformed, Reader};
use crate::value::Value;

command!(
    /// Take the next step with an account below its margin: end its orders, or close some of a leg.
    ///
    /// `instrument` names the leg; while there are orders it counts for nothing.
    Liquidate { account: u32, instrument: u32 }
);
