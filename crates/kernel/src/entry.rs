//! An entry: the sequencer's stamp around a command.

use crate::commands::{Command, Party, Signature};
use crate::limits::{ENTRY_BYTES_MAX, PostOnly, Tag};
use crate::reader::{Malformed, Reader};

/// Ordering class of inbox, oracle and housekeeping commands.
pub const CLASS_SYSTEM: u8 = 0;
/// Ordering class of cancels.
pub const CLASS_CANCEL: u8 = 1;
/// Ordering class of orders that can only rest.
pub const CLASS_POST_ONLY: u8 = 2;
/// Ordering class of everything else.
pub const CLASS_TAKER: u8 = 3;

/// The first tag of commands that traders sign; those below it come from the inbox.
pub const FIRST_SIGNED_TAG: u8 = 0x10;

/// Bytes before the command: length, window and moment of receipt.
pub const HEAD_BYTES: usize = 2 + 8 + 8;

/// What stands between the tag and the fields of a command that a trader signs.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub session: u8,
    pub signature: &'a Signature,
}

/// A command with its window, the moment it was received and, if a trader signed it, how.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub window_ns: u64,
    pub received_ns: u64,
    pub signed: Option<Signed<'a>>,
    pub command: Command<'a>,
    /// The command from its tag on, as it stands in the entry.
    pub command_bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Return the entry that exactly these bytes hold.
    #[inline]
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        if data.len() as u64 > ENTRY_BYTES_MAX {
            return Err(Malformed);
        }
        let mut reader = Reader::new(data);
        let length = reader.u16()? as usize;
        if length + 2 != data.len() {
            return Err(Malformed);
        }
        let (window_ns, received_ns) = (reader.u64()?, reader.u64()?);
        let command_bytes = &data[HEAD_BYTES..];
        let is_request = command_bytes.first().is_some_and(|&tag| tag < FIRST_SIGNED_TAG);
        let (signed, command) = match read_command(reader) {
            Err(Malformed) if is_request => (None, Command::UnreadableRequest),
            read => read?,
        };
        Ok(Self { window_ns, received_ns, signed, command, command_bytes })
    }

    /// Return who signs the command, first the trader that brings it; nobody for other commands.
    pub fn parties(&self) -> impl Iterator<Item = Party<'_>> {
        let bringer = self.bringer();
        bringer.into_iter().chain(bringer.and_then(|bringer| bringer.signed.maker()))
    }

    /// Return the trader that brings the command.
    #[inline]
    pub fn bringer(&self) -> Option<Party<'_>> {
        let signed = self.signed?;
        let command = self.command.as_signed()?;
        let Signed { session, signature } = signed;
        Some(Party { header: command.header(), session, signature, signed: command })
    }
}

/// Return a command and, if a trader signs it, how.
#[inline(always)]
fn read_command(mut reader: Reader) -> Result<(Option<Signed>, Command), Malformed> {
    let number = reader.u8()?;
    let tag = Tag::try_from(number).map_err(|()| Malformed)?;
    let signed = match number {
        FIRST_SIGNED_TAG..=0x3f => {
            Some(Signed { session: reader.u8()?, signature: reader.bytes()? })
        }
        _ => None,
    };
    let command = Command::read(tag, &mut reader)?;
    reader.end()?;
    Ok((signed, command))
}

/// Return the ordering class of a command by itself, a function of its bytes alone.
///
/// What makes waiting orders trade is a taker's, whoever sends it: makers may cancel before it.
pub fn own_class(command: &Command) -> u8 {
    match command {
        Command::Cancel(_) | Command::CancelAll(_) | Command::CancelTrigger(_) => CLASS_CANCEL,
        Command::Amend(amend) if amend.price_ticks == 0 => CLASS_CANCEL,
        Command::QuoteBatch(_) => CLASS_POST_ONLY,
        Command::Place(place) if place.post_only() != PostOnly::Off => CLASS_POST_ONLY,
        Command::FireTrigger(_) | Command::Uncross(_) | Command::Liquidate(_) => CLASS_TAKER,
        command if command.as_signed().is_some() => CLASS_TAKER,
        _ => CLASS_SYSTEM,
    }
}
