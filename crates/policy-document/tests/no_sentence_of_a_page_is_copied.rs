//! The policies say everything in their own words: no eight words in a row are those of a page.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

/// Words in a row that make a copied sentence.
const SHINGLE_LEN_WORDS: usize = 8;

const POLICIES: [&str; 4] = [
    include_str!("../../../policies/prodb.toml"),
    include_str!("../../../policies/protopie.toml"),
    include_str!("../../../policies/immidb.toml"),
    include_str!("../../../policies/README.md"),
];

fn shingles(text: &str) -> BTreeSet<Vec<String>> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    words
        .windows(SHINGLE_LEN_WORDS)
        .map(<[String]>::to_vec)
        .collect()
}

#[test]
fn no_eight_words_in_a_row() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    if !folder.is_dir() {
        println!("not run: no sources");
        return Ok(());
    }
    let ours: BTreeSet<Vec<String>> = POLICIES.iter().flat_map(|text| shingles(text)).collect();
    assert!(ours.len() > 1_000);
    let mut pages = 0;
    for entry in fs::read_dir(folder)? {
        let page = shingles(&String::from_utf8_lossy(&fs::read(entry?.path())?));
        assert!(!page.is_empty());
        let copied: Vec<_> = ours.intersection(&page).collect();
        assert!(copied.is_empty(), "{copied:?}");
        pages += 1;
    }
    assert_eq!(pages, 3);
    Ok(())
}

#[test]
fn a_copy_would_be_found() {
    let page = shingles("We keep what you gave us for as long as you like, and no longer.");
    let copy = shingles("# They keep what you GAVE us, for as long as you please.");
    assert_eq!(page.intersection(&copy).count(), 3);
}
