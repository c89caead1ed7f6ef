//! Commands of the governor, through the inbox.

use crate::commands::command;
use crate::limits::{InstrumentMode, InstrumentState};
use crate::reader::{Malformed, Reader};
use crate::value::Value;

command!(
    /// What a book takes and how it trades, by the governor.
    SetInstrument {
        instrument: u32,
        state: InstrumentState,
        mode: InstrumentMode,
        speed_bump_ms: u32,
        auction_interval_ms: u32,
    }
);
