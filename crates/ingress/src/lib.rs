//! Ordinary requests off their JSON, and their answers into it, many times faster than what takes
//! all others.
//!
//! What is not read here may be good all the same: whoever asks looks again, and says why not.
//! So everything here is narrower than the interface: no escapes in text, no number that is not
//! whole, no member twice, `method` before its `params`, instruments that are no combos.

pub mod answer;
pub mod decimals;
pub mod json;
pub mod receipt;
pub mod request;
