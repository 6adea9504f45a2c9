//! Drives [`covenant_fuzz::envelope::cert_chain`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::envelope::cert_chain(data));
