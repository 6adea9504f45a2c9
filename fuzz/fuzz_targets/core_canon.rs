//! Drives [`covenant_fuzz::core::canon`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::core::canon(data));
