//! Takes fields off the front of some bytes.

/// Bytes that are not the canonical encoding of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The bytes that are not read yet.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! read_integer {
    ($name:ident, $value:ty) => {
        /// Return the next little-endian integer of this width.
        #[inline]
        pub fn $name(&mut self) -> Result<$value, Malformed> {
            Ok(<$value>::from_le_bytes(*self.bytes()?))
        }
    };
}

impl<'a> Reader<'a> {
    /// Return a reader at the start of some bytes.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// Return the next bytes.
    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (piece, rest) = self.rest.split_at_checked(size).ok_or(Malformed)?;
        self.rest = rest;
        Ok(piece)
    }

    /// Return the next bytes, of a length known to the compiler.
    #[inline]
    pub fn bytes<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (piece, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(piece)
    }

    read_integer!(u8, u8);
    read_integer!(u16, u16);
    read_integer!(u32, u32);
    read_integer!(u64, u64);
    read_integer!(i64, i64);

    /// Return a list's length byte, refused above its limit.
    pub fn count(&mut self, limit: u64) -> Result<usize, Malformed> {
        let count = self.u8()?;
        if count as u64 > limit { Err(Malformed) } else { Ok(count as usize) }
    }

    /// Return the next byte as a member of a closed enumeration.
    #[inline]
    pub fn member<E: TryFrom<u8>>(&mut self) -> Result<E, Malformed> {
        E::try_from(self.u8()?).map_err(|_| Malformed)
    }

    /// Refuse bytes that are left.
    pub fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
