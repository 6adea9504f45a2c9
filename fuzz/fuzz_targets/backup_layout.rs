//! Drives [`covenant_fuzz::backup::layout`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::backup::layout(data));
