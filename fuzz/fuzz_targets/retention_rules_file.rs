//! Drives [`covenant_fuzz::rules::file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::rules::file(data));
