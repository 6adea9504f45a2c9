//! Drives [`covenant_fuzz::audit::checkpoint`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::audit::checkpoint(data));
