//! What publishers observe and sign: commands whose lists stay in the entry, read row by row.

use crate::commands::{Signature, piece};
use crate::limits::{EXPIRIES_PER_UNDERLYING_MAX, PUBLISHERS_MAX};
use crate::reader::{Malformed, Reader};

/// One publisher's index price, signed.
#[derive(Clone, Copy, Debug)]
pub struct IndexObservation<'a> {
    pub publisher: u8,
    pub price_atoms: u64,
    pub signature: &'a Signature,
}

/// The index of an underlying: the lower median of what a quorum of publishers signed.
#[derive(Clone, Copy, Debug)]
pub struct IndexPrice<'a> {
    pub underlying: u32,
    pub published_ns: u64,
    rows: &'a [u8],
}

const INDEX_ROW_BYTES: usize = 1 + 8 + 64;

impl<'a> IndexPrice<'a> {
    /// Return the observations in order.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = IndexObservation<'a>> + use<'a> {
        self.rows.chunks_exact(INDEX_ROW_BYTES).map(|row| IndexObservation {
            publisher: row[0],
            price_atoms: u64::from_le_bytes(*piece(row, 1)),
            signature: piece(row, 9),
        })
    }
}

/// One publisher's forwards, in the order of the command's expiries, signed.
#[derive(Clone, Copy, Debug)]
pub struct ForwardObservation<'a> {
    pub publisher: u8,
    pub forwards_atoms: Numbers<'a>,
    pub signature: &'a Signature,
}

/// The forwards of all dated expiries of an underlying, each the lower median of a quorum.
#[derive(Clone, Copy, Debug)]
pub struct ForwardCurve<'a> {
    pub underlying: u32,
    pub published_ns: u64,
    pub expiries_ns: Numbers<'a>,
    rows: &'a [u8],
}

impl<'a> ForwardCurve<'a> {
    /// Return the observations in order.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = ForwardObservation<'a>> + use<'a> {
        let forwards_end = 1 + self.expiries_ns.bytes.len();
        self.rows.chunks_exact(forwards_end + 64).map(move |row| ForwardObservation {
            publisher: row[0],
            forwards_atoms: Numbers { bytes: &row[1..forwards_end] },
            signature: piece(row, forwards_end),
        })
    }
}

/// A list of u64, little-endian, as it lies in the entry.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    bytes: &'a [u8],
}

impl<'a> Numbers<'a> {
    /// Return how many numbers there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / 8
    }

    /// Return whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Return one number.
    pub fn at(&self, index: usize) -> u64 {
        u64::from_le_bytes(*piece(self.bytes, 8 * index))
    }

    /// Return the numbers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.bytes.chunks_exact(8).map(|number| u64::from_le_bytes(*piece(number, 0)))
    }
}

/// Raw SVI total variance of one expiry, parameters in Q15.48.
#[derive(Clone, Copy, Debug)]
pub struct SurfaceSlice {
    pub expiry_ns: u64,
    pub a: i64,
    pub b: i64,
    pub rho: i64,
    pub m: i64,
    pub sigma: i64,
}

/// One publisher's signature over the whole surface.
#[derive(Clone, Copy, Debug)]
pub struct SurfaceSignature<'a> {
    pub publisher: u8,
    pub signature: &'a Signature,
}

/// The volatility surface of an underlying, all dated expiries at once, signed by a quorum.
#[derive(Clone, Copy, Debug)]
pub struct VolSurface<'a> {
    pub underlying: u32,
    pub published_ns: u64,
    slice_rows: &'a [u8],
    signature_rows: &'a [u8],
}

const SLICE_BYTES: usize = 6 * 8;
const SURFACE_SIGNATURE_BYTES: usize = 1 + 64;

impl<'a> VolSurface<'a> {
    /// Return the slices in order.
    pub fn slices(&self) -> impl ExactSizeIterator<Item = SurfaceSlice> + Clone + use<'a> {
        self.slice_rows.chunks_exact(SLICE_BYTES).map(|row| SurfaceSlice {
            expiry_ns: u64::from_le_bytes(*piece(row, 0)),
            a: i64::from_le_bytes(*piece(row, 8)),
            b: i64::from_le_bytes(*piece(row, 16)),
            rho: i64::from_le_bytes(*piece(row, 24)),
            m: i64::from_le_bytes(*piece(row, 32)),
            sigma: i64::from_le_bytes(*piece(row, 40)),
        })
    }

    /// Return the signatures in order.
    pub fn signatures(&self) -> impl ExactSizeIterator<Item = SurfaceSignature<'a>> + use<'a> {
        self.signature_rows
            .chunks_exact(SURFACE_SIGNATURE_BYTES)
            .map(|row| SurfaceSignature { publisher: row[0], signature: piece(row, 1) })
    }
}

/// Read an index price off the reader.
pub fn read_index_price<'a>(reader: &mut Reader<'a>) -> Result<IndexPrice<'a>, Malformed> {
    let (underlying, published_ns) = (reader.u32()?, reader.u64()?);
    let count = reader.count(PUBLISHERS_MAX)?;
    let rows = reader.take(count * INDEX_ROW_BYTES)?;
    require_ascending(rows, INDEX_ROW_BYTES)?;
    Ok(IndexPrice { underlying, published_ns, rows })
}

/// Read forwards off the reader.
pub fn read_forward_curve<'a>(reader: &mut Reader<'a>) -> Result<ForwardCurve<'a>, Malformed> {
    let (underlying, published_ns) = (reader.u32()?, reader.u64()?);
    let expiries = reader.count(EXPIRIES_PER_UNDERLYING_MAX)?;
    let expiries_ns = Numbers { bytes: reader.take(8 * expiries)? };
    let count = reader.count(PUBLISHERS_MAX)?;
    let row_bytes = 1 + 8 * expiries + 64;
    let rows = reader.take(count * row_bytes)?;
    require_ascending(rows, row_bytes)?;
    Ok(ForwardCurve { underlying, published_ns, expiries_ns, rows })
}

/// Read a surface off the reader.
pub fn read_vol_surface<'a>(reader: &mut Reader<'a>) -> Result<VolSurface<'a>, Malformed> {
    let (underlying, published_ns) = (reader.u32()?, reader.u64()?);
    let slices = reader.count(EXPIRIES_PER_UNDERLYING_MAX)?;
    let slice_rows = reader.take(slices * SLICE_BYTES)?;
    let signatures = reader.count(PUBLISHERS_MAX)?;
    let signature_rows = reader.take(signatures * SURFACE_SIGNATURE_BYTES)?;
    require_ascending(signature_rows, SURFACE_SIGNATURE_BYTES)?;
    Ok(VolSurface { underlying, published_ns, slice_rows, signature_rows })
}

/// Refuse a publisher, the first byte of each row, that is named twice or out of order.
fn require_ascending(rows: &[u8], row_bytes: usize) -> Result<(), Malformed> {
    let followers = rows.chunks_exact(row_bytes).skip(1);
    let mut pairs = rows.chunks_exact(row_bytes).zip(followers);
    if pairs.all(|(before, after)| before[0] < after[0]) { Ok(()) } else { Err(Malformed) }
}
