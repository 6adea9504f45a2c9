//! Every key that is missing, extra or of another type is reported with line and column, together
//! with all others; nothing is accepted that refers to nothing, and nothing makes the reader panic.

use std::error::Error;

use covenant_core::digest::Digest;
use policy_document::{DOCUMENT_LEN_BYTES_MAX, Document, DocumentError, ErrorKind};
use proptest::prelude::*;
use time::{Date, Month};

type Failure = Box<dyn Error>;

/// A document with every key of the format, one a line.
const FULL: &str = include_str!("data/full.toml");

/// Keys that a table may lack; `modality` and `attests` depend on the kind.
const OPTIONAL: &[&str] = &[
    "document.url",
    "document.published",
    "terms.machine",
    "class.parent",
    "store.every",
    "store.lag",
    "store.kept",
    "clause.crates",
    "clause.hedges",
    "clause.denies",
    "clause.does",
    "clause.heading",
    "clause.sites",
    "clause.terms",
    "clause.words_on",
    "clause.repeats",
    "clause.owner.note",
    "clause.alternative.from",
    "clause.alternative.to",
    "clause.bound.early",
    "clause.bound.late",
    "clause.bound.waived_by",
    "clause.verify.monitor",
    "clause.controls.gdpr",
    "clause.controls.iso27001",
    "clause.controls.iso27701_2019",
    "clause.controls.iso27701_2025",
    "clause.controls.soc2",
    "deviation.profile",
];

/// Keys of which one of several must be there, so that lacking one is a contradiction.
const ALTERNATIVES: &[&str] = &[
    "clause.attests",
    "clause.bound.from",
    "clause.bound.max",
    "clause.bound.min",
    "clause.bound.of",
    "clause.bound.per",
    "clause.bound.state",
    "clause.bound.to",
    "clause.declared.cap.count",
    "clause.declared.flags.set",
    "clause.declared.from.event",
    "clause.declared.late.period",
    "clause.declared.word.text",
    "clause.figure.count",
    "clause.figure.fields",
    "clause.figure.one_of",
    "clause.figure.text",
    "key.after",
    "key.from",
    "store.epoch",
    "store.fed_by",
];

/// A line of a document: its number from 0, the table it stands in, its key.
struct Line<'a> {
    index: usize,
    table: &'a str,
    key: &'a str,
}

fn keys(text: &str) -> Vec<Line<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
        } else if let Some((key, _)) = line.split_once(" = ") {
            found.push(Line { index, table, key });
        }
    }
    found
}

fn errors(text: &str) -> Vec<DocumentError> {
    Document::parse(text).err().unwrap_or_default()
}

fn without(index: usize) -> String {
    let lines = FULL.lines().enumerate().filter(|(at, _)| *at != index);
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

fn replaced(index: usize, by: &str) -> String {
    let lines = FULL.lines().enumerate();
    lines
        .map(|(at, line)| format!("{}\n", if at == index { by } else { line }))
        .collect()
}

#[test]
fn the_full_document_is_sound() -> Result<(), Failure> {
    let document = Document::parse(FULL).map_err(|errors| format!("{errors:?}"))?;
    document
        .check(document.reviewed())
        .map_err(|errors| format!("{errors:?}"))?;
    assert!(
        document
            .check_source(b"Our page\n\nDeleted notes stay.\nWe are nice.\n")
            .is_clean()
    );
    Ok(())
}

#[test]
fn a_missing_key_is_named_unless_it_may_be_missing() {
    for Line { index, table, key } in keys(FULL) {
        let name = format!("{table}.{key}");
        let found = errors(&without(index));
        let kinds: Vec<ErrorKind> = found.iter().map(|error| error.kind).collect();
        let is_named = |error: &DocumentError| {
            error.kind == ErrorKind::MissingKey && error.message.ends_with(&format!(" {key}"))
        };
        if OPTIONAL.contains(&name.as_str()) {
            assert_eq!(found, [], "{name}");
        } else if ALTERNATIVES.contains(&name.as_str()) {
            assert_eq!(kinds, [ErrorKind::Contradiction], "{name}: {found:?}");
        } else {
            assert!(found.iter().any(is_named), "{name}: {found:?}");
        }
        let header = FULL.lines().take(index).collect::<Vec<_>>();
        let start = header.iter().rposition(|line| line.starts_with('['));
        if let (Some(error), Some(start)) = (found.iter().find(|e| is_named(e)), start) {
            assert_eq!(
                usize::try_from(error.line).ok(),
                Some(start + 1),
                "{name}: {error}"
            );
            assert_eq!(error.column, 1, "{name}: {error}");
        }
    }
}

#[test]
fn an_extra_key_is_named_with_its_line_and_column() {
    for Line { index, table, key } in keys(FULL) {
        // any key is a term, an owner or the name of a declared figure
        if matches!(table, "terms" | "clause.owner") {
            continue;
        }
        let line = FULL.lines().nth(index).unwrap_or_default();
        let found = errors(&replaced(index, &format!("{line}\n  surplus = 1")));
        let place: Vec<_> = found.iter().map(|e| (e.kind, e.line, e.column)).collect();
        let expected = (
            ErrorKind::UnknownKey,
            u32::try_from(index + 2).unwrap_or(0),
            3,
        );
        assert_eq!(place, [expected], "{table}.{key}: {found:?}");
    }
}

#[test]
fn a_value_of_another_type_is_named_with_its_line_and_column() {
    for Line { index, table, key } in keys(FULL) {
        let found = errors(&replaced(index, &format!("{key} = 1.5")));
        let line = u32::try_from(index + 1).unwrap_or(0);
        let column = u32::try_from(key.len() + 4).unwrap_or(0);
        let expected = (ErrorKind::WrongType, line, column);
        let place = |e: &DocumentError| (e.kind, e.line, e.column);
        assert!(
            found.iter().any(|e| place(e) == expected),
            "{table}.{key}: {found:?}"
        );
    }
}

#[test]
fn a_number_without_a_type_is_no_period() {
    for Line { index, table, key } in keys(FULL) {
        let line = FULL.lines().nth(index).unwrap_or_default();
        if line.contains("= \"P") && key != "id" {
            let found = errors(&replaced(index, &format!("{key} = 30")));
            let untyped = |e: &DocumentError| e.message.contains("a number without a type");
            assert!(found.iter().any(untyped), "{table}.{key}: {found:?}");
        }
    }
}

#[test]
fn every_mistake_is_listed_at_once_in_the_order_of_their_places() {
    let mut text = FULL.to_owned();
    for (from, to) in [
        ("vendor = \"Full\"", "vendor = \"\""),
        ("kind = \"sql\"", "kind = \"paper\""),
        ("from = \"database.purged\"", "from = \"database.vanished\""),
        ("[\"bin::purged_in_time\"]", "[\"bin::never_heard_of\"]"),
        ("soc2 = [\"P4.2\"]", "soc2 = [\"P4.9\"]"),
        ("den = 2", "den = 0"),
        ("approved_by = \"somebody\"\n", ""),
        ("valid_for = \"P1Y\"", "valid_for = \"1 year\""),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let found = errors(&text);
    let kinds: Vec<ErrorKind> = found.iter().map(|error| error.kind).collect();
    assert_eq!(
        kinds,
        [
            ErrorKind::Value,
            ErrorKind::Value,
            ErrorKind::UnknownEvent,
            ErrorKind::Unknown,
            ErrorKind::UnknownControl,
            ErrorKind::Value,
            ErrorKind::MissingKey,
            ErrorKind::Value,
        ],
        "{found:#?}"
    );
    assert!(found.is_sorted_by_key(|error| (error.line, error.column)));
}

/// Replaces the first occurrence, and expects exactly one mistake of this kind.
fn check(from: &str, to: &str, kind: ErrorKind) {
    assert!(FULL.contains(from), "{from} is not in the document");
    let found = errors(&FULL.replacen(from, to, 1));
    let kinds: Vec<ErrorKind> = found.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [kind], "{from} -> {to}: {found:?}");
    let lines = u32::try_from(FULL.lines().count()).unwrap_or(0);
    for error in found {
        assert!(
            error.line >= 1 && error.line <= lines + 10 && error.column >= 1,
            "{error}"
        );
    }
}

#[test]
fn names_that_no_table_has_are_refused() {
    use ErrorKind::{Unknown, UnknownControl, UnknownEvent};
    check(
        "from = \"record.deleted\"",
        "from = \"record.eaten\"",
        UnknownEvent,
    );
    check(
        "[\"record.manual_purge\"]",
        "[\"record.manual_purge@1\"]",
        UnknownEvent,
    );
    check("[\"purge-late\"]", "[\"purge-later\"]", Unknown);
    check("\"bin::purged_in_time\"", "\"purged_in_time\"", Unknown);
    check("classes = [\"note\"]", "classes = [\"letter\"]", Unknown);
    check("parent = \"thing\"", "parent = \"object\"", Unknown);
    check("fed_by = [\"rows\"]", "fed_by = [\"columns\"]", Unknown);
    check(
        "seals = [\"rows\", \"backups\"]",
        "seals = [\"rows\", \"backup\"]",
        Unknown,
    );
    check("gdpr = [\"5(1)(e)\"]", "gdpr = [\"105\"]", UnknownControl);
    check(
        "iso27001 = [\"A.8.10\"]",
        "iso27001 = [\"A.9.10\"]",
        UnknownControl,
    );
    check(
        "crates = [\"retention-policy\"]",
        "crates = [\"retention\"]",
        Unknown,
    );
    check("repeats = \"F-02\"", "repeats = \"F-99\"", Unknown);
    check("repeats = \"F-02\"", "repeats = \"F-01\"", Unknown);
    check("clause = \"F-02\"", "clause = \"F-98\"", Unknown);
    check(
        "clauses = [\"F-01\", \"F-02\"]",
        "clauses = [\"F-01\", \"F-97\"]",
        Unknown,
    );
}

#[test]
fn nothing_is_there_twice() {
    use ErrorKind::Duplicate;
    check("id = \"F-03\"", "id = \"F-04\"", Duplicate);
    let rows = "[[store]]\nid = \"rows\"\n";
    check(
        rows,
        &format!("[[class]]\nid = \"note\"\n{rows}"),
        Duplicate,
    );
    let other = "kind = \"log\"\nclasses = []\nerase = []\n";
    check(rows, &format!("{rows}{other}{rows}"), Duplicate);
    let key = "[[key]]\nid = \"roots\"\n";
    let other = "seals = \"backups\"\ncopies = \"PT0S\"\n";
    check(key, &format!("{key}{other}{key}"), Duplicate);
    check(
        "zones = [\"UTC\", \"+09:00\"]",
        "zones = [\"UTC\", \"UTC\"]",
        Duplicate,
    );
    check("blank = [2]", "blank = [2, 2]", Duplicate);
    check(
        "[\"purge-late\"]",
        "[\"purge-late\", \"purge-late\"]",
        Duplicate,
    );
    check(
        "soc2 = [\"P4.2\"]",
        "soc2 = [\"P4.2\", \"P4.2\"]",
        Duplicate,
    );
    check(
        "hedges = [\"strong\"]",
        "hedges = [\"strong\", \"strong\"]",
        Duplicate,
    );
    let attestation = FULL
        .find("[[attestation]]")
        .and_then(|at| FULL.get(at..))
        .unwrap_or("");
    let twice = errors(&format!("{FULL}\n{attestation}"));
    assert_eq!(
        twice.iter().map(|e| e.kind).collect::<Vec<_>>(),
        [Duplicate]
    );
    let answer = "[[answer]]\nfinding = \"repeated\"\nclauses = [\"F-02\", \"F-01\"]\n";
    let answered = errors(&format!("{FULL}\n{answer}reason = \"once more\"\n"));
    assert_eq!(
        answered.iter().map(|e| e.kind).collect::<Vec<_>>(),
        [Duplicate]
    );
    let deviation = "[[deviation]]\nclause = \"F-02\"\nclass = \"stricter\"\npromised = \"a\"\n\
        delivered = \"b\"\nreason = \"c\"\napproved_by = \"d\"\nreview_by = 2027-11-20\n";
    let everywhere = errors(&format!("{FULL}\n{deviation}"));
    assert_eq!(
        everywhere.iter().map(|e| e.kind).collect::<Vec<_>>(),
        [Duplicate]
    );
}

#[test]
fn values_that_cannot_be_are_refused() {
    use ErrorKind::{Value, WrongType};
    check("covenant/policy/v1", "covenant/policy/v2", Value);
    check("id = \"full\"", "id = \"Full\"", Value);
    check("source = \"full.txt\"", "source = \"../full.txt\"", Value);
    check("source = \"full.txt\"", "source = \"..\"", Value);
    check("vendor = \"Full\"", "vendor = \"Fu\\u0000ll\"", Value);
    check("vendor = \"Full\"", "vendor = \"   \"", Value);
    check(
        "zones = [\"UTC\", \"+09:00\"]",
        "zones = [\"Moon/Tycho\"]",
        Value,
    );
    check("zones = [\"UTC\", \"+09:00\"]", "zones = []", Value);
    check(
        "day = [\"elapsed\", \"end-of-day\"]",
        "day = [\"whole\"]",
        Value,
    );
    check(
        "published = 2026-01-31",
        "published = 2026-01-31T00:00:00Z",
        WrongType,
    );
    check(
        "published = 2026-01-31",
        "published = \"2026-01-31\"",
        WrongType,
    );
    check("blank = [2]", "blank = [-2]", Value);
    check("blank = [2]", "blank = [2, 5]", Value);
    check("lines = 4\n", "lines = 4294967296\n", Value);
    check("lines = 4\n", "lines = 20001\n", Value);
    check("id = \"F-03\"", "id = \"F-3\"", Value);
    check("id = \"F-03\"", "id = \"F-003\"", Value);
    check("min = \"P30D\"", "min = \"30 days\"", Value);
    check("min = \"P30D\"", "min = \"P30DT\"", Value);
    check("every = \"PT1H\"", "every = \"PT0S\"", Value);
    check("modality = \"exact\"", "modality = \"precise\"", Value);
    check("den = 2", "den = 0", Value);
    check("num = 1", "num = 3", Value);
    check("hedges = [\"strong\"]", "hedges = [\"a b\"]", Value);
    check("machine = \"all", "\"a b\" = \"all", Value);
    check("to = [\"record.purged\"]", "to = []", Value);
    let monitor = "monitor = \"before(record.deleted, record.purged), per thing\"";
    check(monitor, "monitor = \"sometimes\"", Value);
    check(monitor, "monitor = \"before(record.deleted)\"", Value);
    check(monitor, "monitor = \"always(a implies b)\"", Value);
    check(monitor, "monitor = []", Value);
    for (by, expect) in [
        ("monitor = [\"within\", \"within\"]", ErrorKind::Duplicate),
        (
            "monitor = [\"within\", \"every\"]",
            ErrorKind::Contradiction,
        ),
        ("monitor = \"every\"", ErrorKind::Contradiction),
    ] {
        check(monitor, by, expect);
    }
    for sound in ["\"within\"", "[\"not_before\", \"within\"]"] {
        let found = errors(&FULL.replacen(monitor, &format!("monitor = {sound}"), 1));
        assert_eq!(found, [], "{sound}");
    }
    let says = "says = \"a deleted note stays for 30 days\"";
    check(says, &format!("says = \"{}\"", "x".repeat(201)), Value);
    let found = errors(&FULL.replacen(says, &format!("says = \"{}\"", "\u{e9}".repeat(200)), 1));
    assert_eq!(found, [], "200 characters, however many bytes");
}

#[test]
fn a_malformed_digest_is_refused_wherever_it_stands() {
    let at = |text: &str| text.split_once('"').map(|(_, rest)| rest.to_owned());
    for line in FULL
        .lines()
        .filter(|line| line.contains("digests = [") || line.contains("evidence"))
    {
        let digest: String = at(line).unwrap_or_default().chars().take(64).collect();
        assert!(digest.parse::<Digest>().is_ok(), "{line}");
        let upper = digest.to_uppercase();
        let short: String = digest.chars().skip(1).collect();
        for wrong in [upper.as_str(), &short, "", "zz"] {
            let index = FULL.lines().position(|other| other == line).unwrap_or(0);
            let found = errors(&replaced(index, &line.replace(&digest, wrong)));
            let kinds: Vec<ErrorKind> = found.iter().map(|error| error.kind).collect();
            assert_eq!(kinds, [ErrorKind::Value], "{line}: {found:?}");
        }
    }
}

#[test]
fn what_does_not_hold_together_is_refused() {
    use ErrorKind::Contradiction;
    let verify =
        "\n[clause.verify]\nscenarios = [\"bin::purged_in_time\"]\nsabotages = [\"purge-late\"]\n";
    let informational = "kind = \"informational\"\ncrates = []\n";
    check(
        informational,
        &format!("{informational}{verify}"),
        Contradiction,
    );
    let watched = "\n[clause.verify]\nscenarios = []\nsabotages = []\n\
                   monitor = \"before(record.deleted, record.purged), per thing\"\n";
    check(
        informational,
        &format!("{informational}{watched}"),
        Contradiction,
    );
    let organisational = "kind = \"organisational\"\nmodality = \"always\"\ncrates = []\n";
    check(
        informational,
        &format!("{organisational}{verify}"),
        Contradiction,
    );
    check(
        informational,
        &format!("{informational}modality = \"always\"\n"),
        Contradiction,
    );
    check(
        "kind = \"technical\"",
        "attests = \"a\"\nkind = \"technical\"",
        Contradiction,
    );
    // words that the clause does not name
    check(
        "count = 8",
        "count = 8\nanswers = [\"small\"]",
        Contradiction,
    );
    check("late = \"PT0S\"", "late = \"PT1H\"", Contradiction);
    check("period = \"PT25H\"", "period = \"PT0S\"", Contradiction);
    check("period = \"PT25H\"", "count = 25", Contradiction);
    check("count = 8", "count = 8\nperiod = \"P8D\"", Contradiction);
    check(
        "[clause.declared.cap]",
        "[clause.declared.from]",
        Contradiction,
    );
    check("count = 30", "count = 30\ntext = \"thirty\"", Contradiction);
    check(
        "state = \"invisible\"",
        "state = \"invisible\"\nto = \"record.purged\"",
        Contradiction,
    );
    check(
        "of = \"took\"",
        "of = \"took\"\nfrom = \"record.deleted\"",
        Contradiction,
    );
    check(
        "per = \"civil-night\"",
        "per = \"civil-night\"\nmax = \"P1D\"",
        Contradiction,
    );
    check(
        "max = \"PT4H\"",
        "max = \"PT4H\"\nwaived_by = \"record.deleted\"",
        Contradiction,
    );
    check(
        "modality = \"never\"",
        "modality = \"ceiling\"",
        Contradiction,
    );
    check(
        "modality = \"never\"",
        "modality = \"exact\"",
        Contradiction,
    );
    check(
        "modality = \"never\"",
        "modality = \"every\"",
        Contradiction,
    );
    check(
        "modality = \"never\"",
        "modality = \"floor\"",
        Contradiction,
    );
    check("id = \"F-03\"", "id = \"G-03\"", Contradiction);
    check(
        "lines = [1]\ndigests",
        "lines = [2]\ndigests",
        Contradiction,
    );
    check(
        "lines = [1]\ndigests",
        "lines = [3]\ndigests",
        Contradiction,
    );
    check(
        "lines = [1]\ndigests",
        "lines = [1, 2]\ndigests",
        Contradiction,
    );
    check("kind = \"sql\"", "kind = \"epoch\"", Contradiction);
    check(
        "from = \"database.purged\"\nafter = \"P6M\"\n",
        "",
        Contradiction,
    );
    check(
        "fed_by = [\"rows\"]",
        "fed_by = [\"backups\"]",
        Contradiction,
    );
    check("clause = \"F-02\"", "clause = \"F-06\"", Contradiction);
    check(
        "clause = \"F-01\"\nowner",
        "clause = \"F-02\"\nowner",
        Contradiction,
    );
}

#[test]
fn a_circle_names_all_that_lead_into_it() {
    let found = errors(&FULL.replacen("id = \"thing\"", "id = \"thing\"\nparent = \"note\"", 1));
    let kinds: Vec<ErrorKind> = found.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [ErrorKind::Contradiction; 2], "{found:?}");
}

#[test]
fn two_digests_of_one_line_are_a_contradiction() {
    let last = FULL
        .rfind("digests = [\"")
        .and_then(|at| FULL.get(at..at + 76))
        .unwrap_or("");
    let other = "0".repeat(64);
    let text = FULL.replacen(last, &format!("digests = [\"{other}"), 1);
    let kinds: Vec<ErrorKind> = errors(&text).iter().map(|error| error.kind).collect();
    // one table was changed, the four that pin the same line come after it
    assert_eq!(kinds, [ErrorKind::Contradiction; 4]);
}

#[test]
fn what_depends_on_the_day_is_refused_on_the_day() -> Result<(), Failure> {
    let day = |year, month, day| Date::from_calendar_date(year, month, day);
    let parse = |text: &str| Document::parse(text).map_err(|errors| format!("{errors:?}"));
    let kinds = |result: Result<(), Vec<DocumentError>>| {
        result
            .err()
            .unwrap_or_default()
            .iter()
            .map(|error| error.kind)
            .collect::<Vec<_>>()
    };
    let document = parse(FULL)?;
    assert_eq!(
        kinds(document.check(day(2026, Month::February, 27)?)),
        [ErrorKind::FutureAttestation]
    );
    assert_eq!(kinds(document.check(day(2026, Month::February, 28)?)), []);
    let weaker = parse(&FULL.replacen("class = \"stricter\"", "class = \"weaker\"", 1))?;
    let found = weaker.check(document.reviewed());
    let place = FULL
        .lines()
        .position(|line| line == "[[deviation]]")
        .map(|at| at + 1);
    let line = found.as_ref().err().and_then(|e| e.first()).map(|e| e.line);
    assert_eq!(line.and_then(|line| usize::try_from(line).ok()), place);
    assert_eq!(kinds(found), [ErrorKind::WeakerDeviation]);
    let uncovered = parse(&FULL.replacen("blank = [2]", "blank = []", 1))?;
    assert_eq!(
        kinds(uncovered.check(document.reviewed())),
        [ErrorKind::Uncovered]
    );
    Ok(())
}

#[test]
fn hostile_texts_are_refused_quickly() {
    let kind = |text: &str| errors(text).first().map(|error| error.kind);
    assert_eq!(kind(""), Some(ErrorKind::MissingKey));
    assert_eq!(kind("not toml"), Some(ErrorKind::Syntax));
    assert_eq!(
        kind(&" ".repeat(DOCUMENT_LEN_BYTES_MAX + 1)),
        Some(ErrorKind::TooLarge)
    );
    assert_eq!(
        kind(&" ".repeat(DOCUMENT_LEN_BYTES_MAX)),
        Some(ErrorKind::MissingKey)
    );
    assert_eq!(
        kind(&format!("a = {}", "[".repeat(100_000))),
        Some(ErrorKind::Syntax)
    );
    let tables = "[[clause]]\n".repeat(50_000);
    assert_eq!(
        errors(&tables).len(),
        1_000,
        "the list of mistakes is capped"
    );
    let hidden = errors("\"\\u202egnp.exe\\n<script>\" = 1");
    let message = hidden.iter().map(ToString::to_string).collect::<String>();
    assert!(!message.contains(['\u{202e}', '\n']), "{message:?}");
}

#[test]
fn columns_count_characters() {
    let found = errors(&FULL.replacen("[terms]", "[terms]\n\"\u{e9}\u{e9}\" = \"x\"", 1));
    let place: Vec<_> = found.iter().map(|error| error.column).collect();
    assert_eq!(place, [1]);
    let found = errors(&FULL.replacen(
        "zones = [\"UTC\", \"+09:00\"]",
        "zones = [\"\u{1f319}\u{1f319}\", 3]",
        1,
    ));
    let place: Vec<_> = found
        .iter()
        .map(|error| (error.line, error.column))
        .collect();
    assert_eq!(place, [(12, 10), (12, 16)]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
        letters in "[ -~\n\\[\\]\"=]{0,12}",
    ) {
        let mut text = FULL.to_owned();
        for (from, to) in cuts {
            let (a, b) = (from.index(text.len() + 1), to.index(text.len() + 1));
            let range = a.min(b)..a.max(b).min(a.min(b) + 40);
            if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
                text.replace_range(range, &letters);
            }
        }
        let lines = text.lines().count() + 1;
        if let Err(found) = Document::parse(&text) {
            prop_assert!(!found.is_empty());
            for error in found {
                prop_assert!(error.line >= 1 && usize::try_from(error.line)? <= lines);
                prop_assert!(error.column >= 1);
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}
