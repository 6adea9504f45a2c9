//! Drives [`covenant_fuzz::envelope::sealed_value`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::envelope::sealed_value(data));
