//! libFuzzer's door to `proofbook_fuzz::stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proofbook_fuzz::stream::run(data));
