//! Commands of the governor, through the inbox. Each version must be the next one of its record.

use crate::commands::{Address, command};
use crate::limits::{InstrumentKind, InstrumentMode, InstrumentState, TermsKind};
use crate::reader::{Malformed, Reader};
use crate::terms::{Grid, MarginParameters, MarginTerms, Terms, read_tick_table};
use crate::value::Value;

/// The margin parameters of all accounts. They stay in the entry: every command would have their
/// size.
#[derive(Clone, Copy, Debug)]
pub struct SetParameters<'a> {
    pub version: u32,
    parameters: &'a [u8; MarginParameters::BYTES],
}

impl<'a> SetParameters<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { version: reader.u32()?, parameters: reader.bytes()? })
    }

    /// Return the parameters.
    pub fn parameters(&self) -> MarginParameters {
        MarginParameters::read(&mut Reader::new(self.parameters)).expect("all their bytes")
    }
}

command!(
    /// The key of a publisher, of the next one too; the zero address takes his key away.
    SetPublisher { publisher: u8, version: u32, key: Address }
);

/// An underlying's terms of one kind of books.
#[derive(Clone, Copy, Debug)]
pub struct SetTerms {
    pub underlying: u32,
    pub version: u32,
    pub kind: TermsKind,
    pub terms: Terms,
}

impl SetTerms {
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self {
            underlying: reader.u32()?,
            version: reader.u32()?,
            kind: reader.member()?,
            terms: Terms::read(reader)?,
        })
    }
}

/// An underlying's quorum, and its grid: the strikes of new expiries, the ticks of new books.
#[derive(Clone, Copy, Debug)]
pub struct SetUnderlying {
    pub underlying: u32,
    pub version: u32,
    pub grid: Grid,
}

impl SetUnderlying {
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        let (underlying, version) = (reader.u32()?, reader.u32()?);
        let (quorum, strike_step_atoms) = (reader.u32()?, reader.u64()?);
        let (tick_table, margin) = (read_tick_table(reader)?, MarginTerms::read(reader)?);
        let grid = Grid { quorum, strike_step_atoms, tick_table, margin };
        Ok(Self { underlying, version, grid })
    }
}

command!(
    /// How much of a token counts as equity, and how much of it the venue takes.
    SetToken { token: u8, version: u32, haircut_ppm: u32, cap_atoms: u64 }
);

command!(
    /// What a book takes and how it trades, by the governor.
    ///
    /// With kind COMBO it names whatever is listed under a number; with any other kind, a place of
    /// the grid, whoever lists it when: then `instrument` is 0, and what is not listed is.
    SetInstrument {
        instrument: u32,
        state: InstrumentState,
        mode: InstrumentMode,
        speed_bump_ms: u32,
        auction_interval_ms: u32,
        underlying: u32,
        kind: InstrumentKind,
        expiry_ns: u64,
        strike_atoms: u64,
    }
);
