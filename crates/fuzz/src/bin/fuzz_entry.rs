//! libFuzzer's door to `proofbook_fuzz::entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofbook_fuzz::entry(data));
