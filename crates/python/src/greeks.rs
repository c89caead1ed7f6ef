//! The door to `proofbook_analytics::greeks`. It keeps the interpreter's lock: a million options
//! take ten milliseconds, and nobody in Python may write the arrays meanwhile.
#![allow(unsafe_code)]

use std::ptr;

use proofbook_analytics::greeks::{BLOCK, Greeks, Options, evaluate};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

const INPUTS: usize = 5;
const OUTPUTS: usize = 5;

/// Evaluate options: five arrays in, five rows of as many numbers out.
#[pyfunction]
pub fn evaluate_options(inputs: [PyBuffer<f64>; INPUTS], output: PyBuffer<f64>) -> PyResult<()> {
    let count = inputs[0].item_count();
    let is_sized = inputs.iter().all(|input| input.item_count() == count)
        && output.item_count() == OUTPUTS * count;
    if !is_sized {
        return Err(PyValueError::new_err("the arrays are not all as long as each other"));
    }
    let mut arrays = [ptr::null::<f64>(); INPUTS];
    for (array, input) in arrays.iter_mut().zip(&inputs) {
        *array = start_of(input)?;
    }
    let rows = start_of(&output)?;
    if output.readonly() {
        return Err(PyValueError::new_err("the output cannot be written"));
    }
    let (mut options, mut greeks) = (Options::new(), Greeks::new());
    for first in (0..count).step_by(BLOCK) {
        let length = BLOCK.min(count - first);
        // SAFETY: every array has `count` numbers, `length` of them from `first` on.
        let is_sound = unsafe { load(&mut options, arrays.map(|each| each.add(first)), length) };
        if !is_sound {
            let message = "numbers of an option must be finite and above 0, its sign 1 or -1";
            let end = first + length;
            return Err(PyValueError::new_err(format!("{message}: one of {first} to {end}")));
        }
        evaluate(&options, &mut greeks);
        // SAFETY: the output has a row of `count` numbers for each.
        unsafe { store(&greeks, rows.add(first), count, length) };
    }
    Ok(())
}

fn start_of(buffer: &PyBuffer<f64>) -> PyResult<*mut f64> {
    let slice = buffer.as_slice_ptr();
    let slice = slice.ok_or_else(|| PyValueError::new_err("an array is not contiguous"))?;
    Ok(slice.as_ptr().cast())
}

/// Copy a block; return whether each number is one that an option can have.
///
/// Safety: `length` numbers, at most a block, can be read from each array.
unsafe fn load(options: &mut Options, arrays: [*const f64; INPUTS], length: usize) -> bool {
    let numbers = [
        &mut options.forward,
        &mut options.strike,
        &mut options.volatility,
        &mut options.years,
        &mut options.sign,
    ];
    for (to, from) in numbers.into_iter().zip(arrays) {
        // SAFETY: as the caller says.
        unsafe { ptr::copy_nonoverlapping(from, to.as_mut_ptr(), length) };
    }
    let is_sound = |row: &[f64; BLOCK]| {
        let is_sound = |number: &f64| f64::MIN_POSITIVE <= *number && *number <= f64::MAX;
        row[..length].iter().fold(true, |all, number| all & is_sound(number))
    };
    is_sound(&options.forward)
        & is_sound(&options.strike)
        & is_sound(&options.volatility)
        & is_sound(&options.years)
        & options.sign[..length].iter().fold(true, |all, sign| all & (sign.abs() == 1.0))
}

/// Write a block into rows that begin `count` numbers one after the other.
///
/// Safety: `length` numbers, at most a block, can be written in each row.
unsafe fn store(greeks: &Greeks, rows: *mut f64, count: usize, length: usize) {
    let numbers = [&greeks.price, &greeks.delta, &greeks.gamma, &greeks.vega, &greeks.theta];
    for (row, from) in numbers.into_iter().enumerate() {
        // SAFETY: as the caller says; a block of ours is not in anybody's array.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), rows.add(row * count), length) };
    }
}
