//! Drives [`covenant_fuzz::backup::vault`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::backup::vault(data));
