//! Drives [`covenant_fuzz::envelope::kek_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::envelope::kek_file(data));
