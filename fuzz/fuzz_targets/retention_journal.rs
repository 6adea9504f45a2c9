//! Drives [`covenant_fuzz::retention::journal`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::retention::journal(data));
