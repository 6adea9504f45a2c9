//! Drives [`covenant_fuzz::policy::exported`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::policy::exported(data));
