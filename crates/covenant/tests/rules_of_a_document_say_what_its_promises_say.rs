//! The rules made of each document load, keep no (store, class) pair without a rule, imply the same
//! residency as the promises themselves, and are refused with clauses and a date when a figure moves.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use covenant::DocumentRules;
use policy_document::Document;
use retention_policy::{RuleError, RuleSet, RulesFile};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const IDS: [&str; 3] = ["immidb", "prodb", "protopie"];

fn document(id: &str) -> Outcome<Document> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../policies/{id}.toml"));
    let document = Document::parse(&std::fs::read_to_string(file)?);
    Ok(document.map_err(|errors| format!("{errors:?}"))?)
}

fn loaded(id: &str) -> Outcome<RuleSet> {
    Ok(RuleSet::load(DocumentRules::of(&document(id)?).file)?)
}

fn print(id: &str) -> Outcome<String> {
    let set = loaded(id)?;
    let mut text = format!("# {id}\n");
    for class in set.classes() {
        for row in set.residency(class) {
            let longest = row.longest.iter().flat_map(|stay| &stay.because);
            let mut why: Vec<&str> = row
                .shortest
                .because
                .iter()
                .chain(longest)
                .map(|rule| rule.as_str())
                .collect();
            why.sort_unstable();
            why.dedup();
            writeln!(
                text,
                "{class} {} {}: {}; tolerance {} [{}]",
                row.from,
                row.store,
                row.stays(),
                row.tolerance(),
                why.join(" ")
            )?;
        }
    }
    for group in set.undecided() {
        writeln!(text, "undecided: {}", group.join(", "))?;
    }
    Ok(text)
}

// clause: P-18, P-49, P-51, P-52, P-57, P-59, P-60, R-23
#[test]
fn the_worst_cases_are_as_reviewed() -> Outcome {
    let mut said = String::new();
    for id in IDS {
        said.push_str(&print(id)?);
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/residency.txt");
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&golden, &said)?;
    }
    let expect = std::fs::read_to_string(&golden)?;
    assert_eq!(said, expect, "BLESS=1 accepts the new text");
    for line in [
        "record record.deleted backups: 211 to 214 d; tolerance PT25H more, PT49H less",
        "database trial.ended backups: 181 to 304 d; tolerance PT49H less",
        "database database.deleted backups: 181 to 214 d; tolerance PT49H less",
    ] {
        assert!(said.contains(line), "{line}");
    }
    Ok(())
}

/// What the document derives from its promises, by class, event and store.
fn promised(document: &Document) -> BTreeMap<(String, String, String), (u64, Option<u64>)> {
    let mut all = BTreeMap::new();
    for row in document.residency() {
        for store in &row.stores {
            let key = (
                row.class.to_string(),
                row.from.name().to_owned(),
                store.to_string(),
            );
            let days = (u64::from(row.min_days), row.max_days.map(u64::from));
            all.insert(key, days);
        }
    }
    all
}

#[test]
fn rules_and_promises_give_the_same_days() -> Outcome {
    for id in IDS {
        let set = loaded(id)?;
        let mut derived = BTreeMap::new();
        for class in set.classes() {
            for row in set.residency(class) {
                let key = (
                    class.to_string(),
                    row.from.to_string(),
                    row.store.to_string(),
                );
                derived.insert(key, (row.min_days(), row.max_days()));
            }
        }
        let promised = promised(&document(id)?);
        assert!(!promised.is_empty(), "{id}");
        for (key, days) in promised {
            assert_eq!(derived.get(&key), Some(&days), "{id}: {key:?}");
        }
    }
    Ok(())
}

/// The clauses of the only error, the other names in it, and its date.
fn refused(file: RulesFile) -> Outcome<(Vec<String>, Option<String>)> {
    let clauses: BTreeMap<String, String> = file
        .rules
        .iter()
        .filter_map(|rule| Some((rule.id.clone(), rule.clause.clone()?)))
        .collect();
    let errors = RuleSet::load(file).err().ok_or("it was accepted")?;
    let [
        RuleError::Contradiction {
            rules,
            keys,
            stores,
            when,
        },
    ] = errors.as_slice()
    else {
        return Err(errors.to_string().into());
    };
    let clause = |rule: &String| clauses.get(rule).unwrap_or(rule).clone();
    let mut names: Vec<String> = rules.iter().map(clause).collect();
    names.dedup();
    names.extend(keys.iter().chain(stores).cloned());
    Ok((names, when.as_ref().map(|when| when.date.to_string())))
}

/// The rules of a document with one of them changed.
fn changed(
    id: &str,
    rule: &str,
    change: impl Fn(&mut retention_policy::RuleSpec),
) -> Outcome<RulesFile> {
    let mut file = DocumentRules::of(&document(id)?).file;
    let rule = file
        .rules
        .iter_mut()
        .find(|one| one.id == rule)
        .ok_or("no such rule")?;
    change(rule);
    Ok(file)
}

// clause: P-18, P-49, P-51, P-52, P-60, Q-23, R-23
#[test]
fn figures_that_exclude_each_other_are_refused_with_their_clauses() -> Outcome {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    // six months from the deletion by the customer, the finding on P-49
    let from_deletion = changed("prodb", "p-49-ceiling", |rule| {
        rule.from = Some("record.deleted".into());
    })?;
    let (who, when) = refused(from_deletion)?;
    assert_eq!(
        (who, when),
        (names(&["P-18", "P-49", "P-51", "backups"]), None)
    );
    // a bin that keeps longer than it may
    let long = changed("prodb", "p-51-floor", |rule| {
        rule.period = Some("P32D".into())
    })?;
    assert_eq!(refused(long)?, (names(&["P-51", "P-52"]), None));
    // a tolerance below the width of the phrase
    let tight = changed("prodb", "p-52-ceiling", |rule| {
        rule.late = Some("PT1H".into())
    })?;
    assert_eq!(refused(tight)?, (names(&["P-51", "P-52"]), None));
    // months against days: on some dates only
    let month = changed("prodb", "p-51-floor", |rule| {
        rule.period = Some("P1M".into())
    })?;
    let (who, when) = refused(month)?;
    assert_eq!(who, names(&["P-51", "P-52"]));
    // from 21 November on, the first day after which a month is 31 days
    assert_eq!(when.as_deref(), Some("2026-12-01"));
    // a key that dies before the backups that it keeps readable
    let mut key = DocumentRules::of(&document("prodb")?).file;
    for key in key.keys.iter_mut().filter(|key| key.id == "tenant-roots") {
        key.after = Some("P5M".into());
    }
    let errors = RuleSet::load(key).err().ok_or("it was accepted")?;
    assert!(
        errors.as_slice().iter().any(|error| matches!(error,
            RuleError::Contradiction { rules, keys, .. }
                if keys == &names(&["tenant-roots"]) && rules == &names(&["p-60-floor"]))),
        "{errors}"
    );
    // a key that outlives the end that only it can bring
    let mut late = DocumentRules::of(&document("protopie")?).file;
    for key in &mut late.keys {
        key.after = Some("P14D".into());
    }
    let (who, _) = refused(late)?;
    assert_eq!(who, names(&["Q-23", "tenant-keks"]));
    Ok(())
}

// clause: P-40
#[test]
fn a_store_or_class_that_nobody_ruled_does_not_load() -> Outcome {
    for id in IDS {
        let rules = DocumentRules::of(&document(id)?);
        let all: usize = rules
            .file
            .stores
            .iter()
            .map(|store| store.classes.len())
            .sum();
        assert!(all > 0, "{id}");
        let mut file = rules.file;
        file.classes.push(retention_policy::ClassSpec {
            id: "nobodys".into(),
            ..Default::default()
        });
        for store in file
            .stores
            .iter_mut()
            .filter(|store| store.id == rules.rows)
        {
            store.classes.push("nobodys".into());
        }
        let errors = RuleSet::load(file).err().ok_or("it was accepted")?;
        assert!(
            matches!(errors.as_slice(), [RuleError::Unruled { class, .. }] if class == "nobodys"),
            "{errors}"
        );
    }
    Ok(())
}
