//! Drives [`covenant_fuzz::core::period`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::core::period(data));
