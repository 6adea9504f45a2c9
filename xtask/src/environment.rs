//! The few environment variables that xtask reads.

/// Whether golden text may be rewritten: `BLESS=1`.
pub(crate) fn bless() -> bool {
    read("BLESS").is_some_and(|value| value == "1")
}

/// The number that property tests draw their cases from.
pub(crate) const SEED: &str = "PROPTEST_RNG_SEED";

/// The seed that property tests are asked to draw from.
pub(crate) fn seed() -> Option<String> {
    read(SEED)
}

/// The flags that rustc already gets.
pub(crate) fn rustflags() -> String {
    read("RUSTFLAGS").unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command reads its settings here, once"
)]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
