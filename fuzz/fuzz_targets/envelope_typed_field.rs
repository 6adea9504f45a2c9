//! Drives [`covenant_fuzz::envelope::typed_field`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::envelope::typed_field(data));
