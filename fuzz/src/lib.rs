//! One function per fuzz target, so that libFuzzer drives the same code that the replay of the
//! corpora runs in `cargo test`. A function panics when a promise about its input is broken.
#![forbid(unsafe_code)]

pub mod audit;
pub mod core;
pub mod policy;

/// A fuzz target: a promise about any bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its binary and of its corpus folder; sorted.
pub const TARGETS: &[(&str, Target)] = &[
    ("audit_checkpoint", audit::checkpoint),
    ("audit_leaf", audit::leaf),
    ("core_canon", core::canon),
    ("core_note", core::note),
    ("core_period", core::period),
    ("core_statement", core::statement),
    ("policy_toml", policy::toml),
    ("source_lines", policy::lines),
];
