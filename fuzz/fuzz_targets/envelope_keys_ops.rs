//! Drives [`covenant_fuzz::keys::operations`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::keys::operations(data));
