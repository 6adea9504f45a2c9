//! Drives [`covenant_fuzz::envelope::wrapped_key`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::envelope::wrapped_key(data));
