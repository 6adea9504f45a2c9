//! Drives [`covenant_fuzz::retention::ledger_entry`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covenant_fuzz::retention::ledger_entry(data));
