//! No vendor sentence in the tree: no eight words in a row of a source document stand anywhere.

use std::collections::BTreeSet;
use std::path::Path;

use crate::process::Fault;
use crate::tree::File;

/// Words in a row that make a copied sentence.
const SHINGLE_WORDS: usize = 8;

/// The source documents, or `None` where they are not beside the tree.
pub(super) fn sources(root: &Path) -> Result<Option<Vec<String>>, Fault> {
    let folder = root.join("../shared/seeds");
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        texts.push(String::from_utf8_lossy(&std::fs::read(entry?.path())?).into_owned());
    }
    Ok(Some(texts))
}

/// Every file that holds a shingle of a source.
pub(super) fn check(sources: &[String], files: &[File]) -> Vec<String> {
    // A shingle lies within one line of its source: a heading beside a list is no sentence.
    let known: BTreeSet<Vec<String>> = sources
        .iter()
        .flat_map(|text| text.lines())
        .flat_map(|line| shingles(&words(line)))
        .collect();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.name() != "Cargo.lock") {
        if let Some(copied) = shingles(&words(&file.text))
            .into_iter()
            .find(|s| known.contains(s))
        {
            let first = copied.first().map(String::as_str).unwrap_or_default();
            findings.push(format!(
                "{}: {SHINGLE_WORDS} words in a row of a source document, from {first:?} on",
                file.path
            ));
        }
    }
    findings
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn shingles(words: &[String]) -> Vec<Vec<String>> {
    words
        .windows(SHINGLE_WORDS)
        .map(<[String]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_sentence_is_found_whatever_its_punctuation() {
        let source = "One two three, four five six seven eight nine.".to_owned();
        let file = |text: &str| File {
            path: "docs/a.md".to_owned(),
            text: text.to_owned(),
        };
        let copy = file("// ONE two\n// three four five - six (seven) eight\n");
        assert_eq!(check(std::slice::from_ref(&source), &[copy]).len(), 1);
        let own = file("one two three four five six seven, and then ours\n");
        assert_eq!(check(&[source], &[own]), Vec::<String>::new());
    }
}
