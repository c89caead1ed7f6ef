//! Risk of all accounts at once, for services beside the state machine: never part of it.
//!
//! A sweep reads what margin is made of straight out of the kernel's flat memory and sums it for
//! every account. It decides nothing: what it finds, the kernel judges again.
#![deny(unsafe_code)]

pub mod debts;
pub mod duties;
pub mod greeks;
mod holdings;
mod lanes;
mod sums;
pub mod sweep;
mod vectors;
#[cfg(target_arch = "x86_64")]
mod wide;
