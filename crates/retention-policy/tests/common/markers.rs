//! Rows, their versions, and what each version is known by in the bytes of a database: a marker that
//! holds key, number and version, a salt that looks random, and one term of the full-text index.

use retention_policy::scan::Needle;

/// Rows of a database that has lived; one in ten is deleted.
pub(crate) const ROWS: u64 = 20_000;
/// Versions of each row.
pub(crate) const VERSIONS: u64 = 3;
/// The rows whose number ends in this digit are deleted.
pub(crate) const DIGIT: u64 = 3;

/// What databases on one server are told apart by: none has a key, salt or term of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// The number of a row among the rows of all databases.
    pub(crate) const fn shift(self) -> u64 {
        self.0 * 100_000
    }
}

fn id(n: u64) -> String {
    format!("{:08x}", (n * 2_654_435_761) % 4_294_967_296)
}

/// By what the number of a version's salt is multiplied.
pub(crate) const fn factor(version: u64) -> u64 {
    2_654_435_761 + 2 * version
}

fn salt(n: u64, version: u64) -> Vec<u8> {
    (1..=6_u64)
        .flat_map(|word| {
            let word = ((n * 6 + word) * factor(version) + 12_345) % 4_294_967_296;
            u32::try_from(word).unwrap_or(0).to_be_bytes()
        })
        .collect()
}

fn marker(n: u64, version: u64, seed: Seed) -> String {
    format!("{}-{n}-{version}~", id(n + seed.shift()))
}

fn rows(digit: u64) -> impl Iterator<Item = (u64, u64)> {
    let rows = (0..ROWS).filter(move |n| n % 10 == digit);
    rows.flat_map(|n| (1..=VERSIONS).map(move |version| (n, version)))
}

/// The marker of every version of the deleted rows, as UTF-8.
pub(crate) fn deleted_markers(seed: Seed) -> Vec<Needle> {
    rows(DIGIT)
        .filter_map(|(n, version)| Needle::new(marker(n, version, seed)).ok())
        .collect()
}

/// Everything that could tell of a deleted row: the markers of every version in every form, the
/// salts in every encoding, and the one term of each row that only the full-text index has.
pub(crate) fn deleted_forms(seed: Seed) -> Vec<Needle> {
    forms(DIGIT, seed)
}

/// The same of rows that stay.
pub(crate) fn kept_forms(seed: Seed) -> Vec<Needle> {
    forms(4, seed)
}

fn forms(digit: u64, seed: Seed) -> Vec<Needle> {
    let mut all = Vec::new();
    for (n, version) in rows(digit) {
        let shifted = n + seed.shift();
        all.extend(Needle::forms(&marker(n, version, seed)).unwrap_or_default());
        all.extend(Needle::encodings(&salt(shifted, version)).unwrap_or_default());
        if version == 1 {
            all.extend(Needle::forms(&format!("q{}z", id(shifted))).unwrap_or_default());
        }
    }
    all
}
