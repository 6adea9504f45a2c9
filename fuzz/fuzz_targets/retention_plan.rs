//! Drives [`covenant_fuzz::retention::plan_bytes`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::retention::plan_bytes(data));
