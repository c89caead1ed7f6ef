//! Members of commands: how each kind stands in an entry, and as a word of a signed struct.

use crate::keccak::Keccak;
use crate::limits::{
    InstrumentKind, InstrumentMode, InstrumentState, MarginMode, OrderType, PostOnly,
    SelfTradePrevention, Side, TermsKind, TimeInForce, TriggerCondition,
};
use crate::reader::{Malformed, Reader};

/// A kind of member.
pub trait Value: Sized {
    /// Bytes of the member in an entry.
    const BYTES: usize = size_of::<Self>();

    /// Read the member as it stands in an entry.
    fn read(reader: &mut Reader) -> Result<Self, Malformed>;

    /// Write the member as 32 bytes, big-endian, for EIP-712.
    fn write_word(&self, hash: &mut Keccak);
}

macro_rules! number {
    ($($name:ident),*) => {
        $(impl Value for $name {
            #[inline]
            fn read(reader: &mut Reader) -> Result<Self, Malformed> {
                reader.$name()
            }

            fn write_word(&self, hash: &mut Keccak) {
                let bytes = self.to_be_bytes();
                let fill = if is_negative(*self as i128) { 0xff } else { 0 };
                hash.update(&[fill; 32][bytes.len()..]);
                hash.update(&bytes);
            }
        })*
    };
}

number!(u8, u16, u32, u64, i64);

fn is_negative(number: i128) -> bool {
    number < 0
}

macro_rules! enumeration {
    ($($name:ident),*) => {
        $(impl Value for $name {
            #[inline]
            fn read(reader: &mut Reader) -> Result<Self, Malformed> {
                reader.member()
            }

            fn write_word(&self, hash: &mut Keccak) {
                (*self as u8).write_word(hash);
            }
        })*
    };
}

enumeration!(
    InstrumentKind,
    InstrumentState,
    InstrumentMode,
    MarginMode,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TermsKind,
    TimeInForce,
    TriggerCondition
);

impl Value for bool {
    #[inline]
    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    fn write_word(&self, hash: &mut Keccak) {
        (*self as u8).write_word(hash);
    }
}

/// Twenty bytes are an address and stand at the end of their word, all others at its start.
impl<const N: usize> Value for [u8; N] {
    #[inline]
    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        reader.bytes().copied()
    }

    fn write_word(&self, hash: &mut Keccak) {
        let zeros = &[0; 32][N..];
        if N == 20 {
            hash.update(zeros);
            hash.update(self);
        } else {
            hash.update(self);
            hash.update(zeros);
        }
    }
}
