//! One function per fuzz target, so that libFuzzer drives the same code that the replay of the
//! corpora runs in `cargo test`. A function panics when a promise about its input is broken.
#![forbid(unsafe_code)]

pub mod audit;
pub mod backup;
pub mod core;
pub mod envelope;
pub mod keys;
pub mod policy;
pub mod retention;
pub mod rules;

/// A fuzz target: a promise about any bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its binary and of its corpus folder; sorted.
pub const TARGETS: &[(&str, Target)] = &[
    ("audit_checkpoint", audit::checkpoint),
    ("audit_leaf", audit::leaf),
    ("backup_layout", backup::layout),
    ("backup_snapshot", backup::snapshot),
    ("backup_vault", backup::vault),
    ("core_canon", core::canon),
    ("core_note", core::note),
    ("core_period", core::period),
    ("core_statement", core::statement),
    ("envelope_cert_chain", envelope::cert_chain),
    ("envelope_kek_file", envelope::kek_file),
    ("envelope_keys_ops", keys::operations),
    ("envelope_sealed_value", envelope::sealed_value),
    ("envelope_typed_field", envelope::typed_field),
    ("envelope_wrapped_key", envelope::wrapped_key),
    ("event_export", policy::exported),
    ("policy_lock", policy::lock),
    ("policy_toml", policy::toml),
    ("retention_journal", retention::journal),
    ("retention_json", rules::json),
    ("retention_ledger", retention::ledger_entry),
    ("retention_plan", retention::plan_bytes),
    ("retention_rules_file", rules::file),
    ("source_lines", policy::lines),
];
