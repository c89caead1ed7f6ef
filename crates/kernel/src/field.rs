//! Typed places of fields within a record: how the bytes of one 32-byte word become a number.

use crate::keccak::Hash;

/// A 32-byte word of the state.
pub type Word = Hash;

/// Bytes in a word.
pub const WORD_BYTES: u32 = 32;

/// A field of a record: its offset in bytes, and how its value lies in the word there.
///
/// A field never crosses a word, so that one field is one load or store.
pub trait Field: Copy {
    /// What the field holds.
    type Value;
    /// Bytes that one value takes.
    const BYTES: u32;

    /// Return the offset in bytes from the start of the record.
    fn offset(self) -> u32;

    /// Return the same kind of field at another offset.
    fn at(offset: u32) -> Self;

    /// Return the value that lies `within` bytes into a word.
    fn load(word: &Word, within: usize) -> Self::Value;

    /// Write a value `within` bytes into a word.
    fn store(word: &mut Word, within: usize, value: Self::Value);
}

macro_rules! integer_field {
    ($name:ident, $value:ty, $bytes:literal) => {
        /// A little-endian integer at an offset in bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub u32);

        impl Field for $name {
            type Value = $value;
            const BYTES: u32 = $bytes;

            #[inline(always)]
            fn offset(self) -> u32 {
                self.0
            }

            #[inline(always)]
            fn at(offset: u32) -> Self {
                Self(offset)
            }

            #[inline(always)]
            fn load(word: &Word, within: usize) -> $value {
                let mut bytes = [0; $bytes];
                bytes.copy_from_slice(&word[within..within + $bytes]);
                <$value>::from_le_bytes(bytes)
            }

            #[inline(always)]
            fn store(word: &mut Word, within: usize, value: $value) {
                word[within..within + $bytes].copy_from_slice(&value.to_le_bytes());
            }
        }
    };
}

macro_rules! bytes_field {
    ($name:ident, $bytes:literal) => {
        /// Plain bytes at an offset in bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub u32);

        impl Field for $name {
            type Value = [u8; $bytes];
            const BYTES: u32 = $bytes;

            #[inline(always)]
            fn offset(self) -> u32 {
                self.0
            }

            #[inline(always)]
            fn at(offset: u32) -> Self {
                Self(offset)
            }

            #[inline(always)]
            fn load(word: &Word, within: usize) -> [u8; $bytes] {
                let mut bytes = [0; $bytes];
                bytes.copy_from_slice(&word[within..within + $bytes]);
                bytes
            }

            #[inline(always)]
            fn store(word: &mut Word, within: usize, value: [u8; $bytes]) {
                word[within..within + $bytes].copy_from_slice(&value);
            }
        }
    };
}

integer_field!(U8, u8, 1);
integer_field!(U16, u16, 2);
integer_field!(U32, u32, 4);
integer_field!(U64, u64, 8);
integer_field!(I64, i64, 8);
integer_field!(I128, i128, 16);
bytes_field!(Bytes8, 8);
bytes_field!(Bytes16, 16);
bytes_field!(Bytes20, 20);
bytes_field!(Bytes32, 32);

/// Several fields of one kind, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<F> {
    first: F,
    len: u32,
}

impl<F: Field> Array<F> {
    /// Return the array that starts with this field.
    pub const fn new(first: F, len: u32) -> Self {
        Self { first, len }
    }

    /// Return the item of this index.
    #[inline(always)]
    pub fn item(self, index: u32) -> F {
        assert!(index < self.len, "item {index} of an array of {}", self.len);
        F::at(self.first.offset() + index * F::BYTES)
    }
}

impl<F> Array<F> {
    /// Return how many items the array has.
    #[allow(clippy::len_without_is_empty)] // no array of a record is empty
    pub const fn len(self) -> u32
    where
        F: Copy,
    {
        self.len
    }
}
