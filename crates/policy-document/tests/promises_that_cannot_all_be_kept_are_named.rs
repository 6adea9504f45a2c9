//! Policies whose promises about time exclude each other, as worded or in force: the clauses, the
//! first date, and nothing more than that is named.

use policy_document::{Document, DocumentError, ErrorKind, Finding, FindingCode};
use time::Date;
use time::macros::date;

use page::{Line, policy};

#[cfg(test)]
mod page;

const TODAY: Date = date!(2026 - 11 - 22);
const UTC: &str = "\"UTC\"";
const TOKYO: &str = "\"+09:00\"";

/// The promises of prodb on a deleted record and its backups.
const RECORD: [Line<'_>; 5] = [
    (
        "P-15",
        "every",
        "bound = { to = \"backup.completed\", max = \"PT1H\" }\n\
         declared.late = { period = \"PT5M\", why = \"a backup takes time\" }",
    ),
    (
        "P-18",
        "exact",
        "bound = { from = \"backup.completed\", to = \"backup.purged\", min = \"P6M\", max = \"P6M\" }\n\
         declared.early = { period = \"PT49H\", why = \"a sweep takes time\" }",
    ),
    (
        "P-49",
        "ceiling",
        "bound = { to = \"backup.purged\", max = \"P6M\" }\n\
         declared.from = { event = \"record.purged\", why = \"no start is named\" }\n\
         [[clause.alternative]]\nfrom = \"record.deleted\"\nsays = \"it runs from the deletion\"",
    ),
    (
        "P-51",
        "floor",
        "bound = { from = \"record.deleted\", to = \"record.purged\", min = \"P30D\" }",
    ),
    (
        "P-52",
        "ceiling",
        "bound = { from = \"record.deleted\", to = \"record.purged\", max = \"P30D\" }\n\
         declared.late = { period = \"PT25H\", why = \"a sweep takes time\" }",
    ),
];

/// Clauses in a row, with another one in the place of one of them.
#[cfg(test)]
fn with<'a>(clauses: &[Line<'a>], line: Line<'a>) -> Vec<Line<'a>> {
    let replace = |old: &Line<'a>| if old.0 == line.0 { line } else { *old };
    clauses.iter().map(replace).collect()
}

#[cfg(test)]
fn refused(text: &str) -> Vec<DocumentError> {
    Document::parse(text).expect_err("the document must be refused")
}

/// The one mistake of a document, which goes with any one of its clauses.
#[cfg(test)]
fn refused_for(zones: &str, clauses: &[Line<'_>], tables: &str, day: &str) -> DocumentError {
    let text = |clauses: &[Line<'_>]| {
        let text = policy(zones, clauses, tables);
        text.replace(
            "day = [\"elapsed\", \"end-of-day\"]",
            &format!("day = [{day}]"),
        )
    };
    let errors = refused(&text(clauses));
    assert_eq!(errors.len(), 1, "{errors:?}");
    let named: Vec<String> = errors[0].clauses.iter().map(ToString::to_string).collect();
    for left_out in &named {
        let rest = clauses.iter().filter(|clause| clause.0 != left_out);
        let rest: Vec<Line<'_>> = rest.copied().collect();
        assert!(Document::parse(&text(&rest)).is_ok(), "without {left_out}");
    }
    errors.into_iter().next().expect("there is one")
}

#[cfg(test)]
fn ids(clauses: &[covenant_core::ClauseId]) -> String {
    let all: Vec<String> = clauses.iter().map(ToString::to_string).collect();
    all.join(" ")
}

#[cfg(test)]
fn temporal(document: &Document) -> Vec<Finding> {
    let mut findings = document.lint(TODAY);
    findings.retain(|finding| {
        matches!(
            finding.code,
            FindingCode::ContradictionAlways
                | FindingCode::ContradictionSomeDates
                | FindingCode::Undecided
                | FindingCode::ZeroWidth
                | FindingCode::StartUnstated
        )
    });
    findings
}

#[cfg(test)]
fn found(document: &Document) -> Vec<(FindingCode, String)> {
    let of = |finding: &Finding| (finding.code, ids(&finding.clauses));
    temporal(document).iter().map(of).collect()
}

const BOTH: &str = "\"elapsed\", \"end-of-day\"";
const ELAPSED: &str = "\"elapsed\"";

// clause: P-15, P-18, P-49, P-51, P-52
#[test]
fn six_months_from_the_deletion_are_worded_impossibly_and_from_the_purge_hold() {
    let document = Document::parse(&policy(TOKYO, &RECORD, "")).unwrap();
    let expected = [
        (FindingCode::ContradictionAlways, "P-15 P-18 P-49 P-51"),
        (FindingCode::ZeroWidth, "P-18"),
        (FindingCode::StartUnstated, "P-49"),
    ];
    assert_eq!(
        found(&document),
        expected.map(|(code, ids)| (code, ids.to_owned()))
    );
    let finding = &temporal(&document)[0];
    assert!(finding.fails(), "no deviation answers it: {finding}");
    assert!(
        finding
            .message
            .contains("211 to 214 days needed, 181 to 184 allowed"),
        "{finding}"
    );
    // in force it is no way to read the page, but a promise
    let from_deletion = (
        "P-49",
        "ceiling",
        "bound = { from = \"record.deleted\", to = \"backup.purged\", max = \"P6M\" }",
    );
    let error = refused_for(TOKYO, &with(&RECORD, from_deletion), "", BOTH);
    assert_eq!((error.kind, error.witness), (ErrorKind::Infeasible, None));
    assert_eq!(ids(&error.clauses), "P-15 P-18 P-49 P-51");
    assert_eq!(
        Finding::of_error(&error).map(|finding| finding.code),
        Some(FindingCode::ContradictionAlways)
    );
}

#[test]
fn one_figure_as_floor_and_ceiling_has_no_width() {
    let floor = (
        "A-01",
        "floor",
        "bound = { from = \"backup.completed\", to = \"backup.purged\", min = \"P6M\" }",
    );
    let ceiling = "bound = { from = \"backup.completed\", to = \"backup.purged\", max = \"P6M\" }";
    let error = refused_for(UTC, &[floor, ("A-02", "ceiling", ceiling)], "", BOTH);
    assert_eq!(error.kind, ErrorKind::ZeroWidth);
    assert_eq!(error.witness, Some(date!(2026 - 01 - 01)));
    // a day covers both ways to read it in one zone, an hour does not
    let late = |late: &str| {
        format!("{ceiling}\ndeclared.late = {{ period = \"{late}\", why = \"a sweep\" }}")
    };
    let day = late("PT24H");
    assert!(Document::parse(&policy(UTC, &[floor, ("A-02", "ceiling", &day)], "")).is_ok());
    let hour = late("PT1H");
    let error = refused_for(UTC, &[floor, ("A-02", "ceiling", &hour)], "", BOTH);
    assert_eq!(error.kind, ErrorKind::Infeasible);
    // alone it says so even when a tolerance is declared, which answers it
    let exact = |early: &str| {
        format!(
            "bound = {{ from = \"backup.completed\", to = \"backup.purged\", min = \"P6M\", \
             max = \"P6M\" }}\ndeclared.early = {{ period = \"{early}\", why = \"a sweep\" }}"
        )
    };
    let document = Document::parse(&policy(UTC, &[("A-01", "exact", &exact("PT24H"))], ""));
    let findings = temporal(&document.unwrap());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, FindingCode::ZeroWidth);
    assert!(!findings[0].fails());
    let error = refused_for(UTC, &[("A-01", "exact", &exact("PT23H"))], "", BOTH);
    assert_eq!(ids(&error.clauses), "A-01");
}

#[test]
fn two_zones_are_three_days_apart_on_four_hundred_days() {
    let lines = |most: &'static str| {
        [
            (
                "A-01",
                "floor",
                "bound = { from = \"trial.ended\", to = \"database.deleted\", min = \"P6M\" }",
            ),
            ("A-02", "ceiling", most),
        ]
    };
    let most = "bound = { from = \"trial.ended\", to = \"database.deleted\", max = \"P6MT24H\" }";
    let zones = "\"+09:00\", \"-06:00\"";
    let error = refused_for(zones, &lines(most), "", ELAPSED);
    assert_eq!(error.kind, ErrorKind::Infeasible);
    assert_eq!(error.witness, Some(date!(2026 - 03 - 01)));
    assert!(error.message.contains("on 400 of 146097 days"), "{error}");
    let finding = Finding::of_error(&error).unwrap();
    assert_eq!(finding.code, FindingCode::ContradictionSomeDates);
    assert_eq!(finding.witness, error.witness);
    let most = "bound = { from = \"trial.ended\", to = \"database.deleted\", max = \"P6MT72H\" }";
    assert!(Document::parse(&policy(zones, &lines(most), "")).is_err());
    let elapsed = policy(zones, &lines(most), "").replace(BOTH, ELAPSED);
    assert!(Document::parse(&elapsed).is_ok());
}

#[test]
fn a_month_in_thirty_days_fails_from_months_that_have_31() {
    let lines = [
        (
            "A-01",
            "floor",
            "bound = { from = \"record.deleted\", to = \"record.purged\", min = \"P1M\" }",
        ),
        (
            "A-02",
            "ceiling",
            "bound = { from = \"record.manual_purge\", to = \"record.purged\", max = \"P30D\" }\n\
             [[clause.alternative]]\nfrom = \"record.deleted\"\nsays = \"it runs from the deletion\"",
        ),
    ];
    let text = policy(UTC, &lines, "").replace(BOTH, ELAPSED);
    let text = text.replace("reviewed = 2026-01-01", "reviewed = 2026-02-01");
    let findings = temporal(&Document::parse(&text).unwrap());
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].code, FindingCode::ContradictionSomeDates);
    assert_eq!(ids(&findings[0].clauses), "A-01 A-02");
    assert_eq!(findings[0].witness, Some(date!(2026 - 03 - 01)));
    let message = &findings[0].message;
    assert!(message.contains("86097 of 146097"), "{message}");
}

// clause
#[test]
fn a_wait_of_more_than_two_weeks_breaks_the_end_of_the_contract() {
    let end = (
        "Q-23",
        "ceiling",
        "bound = { from = \"contract.terminated\", to = [\"backup.purged\", \"key.destroyed\"], max = \"P14D\" }",
    );
    let wait = |max: &str, wait: &str| {
        format!(
            "bound = {{ from = \"key.scheduled\", to = \"key.destroyed\", min = \"P7D\", \
             max = \"{max}\" }}{wait}"
        )
    };
    let lint = |rest: &str| {
        let document = Document::parse(&policy(UTC, &[("Q-18", "exact", rest), end], ""));
        temporal(&document.unwrap())
    };
    assert_eq!(lint(&wait("P14D", "")), []);
    let findings = lint(&wait("P15D", ""));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].code, FindingCode::ContradictionAlways);
    assert_eq!(ids(&findings[0].clauses), "Q-18 Q-23");
    assert!(
        findings[0].message.contains("more than P14D"),
        "{}",
        findings[0]
    );
    assert!(findings[0].fails());
    let declared =
        |period: &str| format!("\ndeclared.wait = {{ period = \"{period}\", why = \"chosen\" }}");
    assert!(!lint(&wait("P30D", &declared("P13D")))[0].fails());
    // chosen beyond it, and it is in force
    let chosen = wait("P30D", &declared("P15D"));
    let error = refused_for(UTC, &[("Q-18", "exact", &chosen), end], "", BOTH);
    assert_eq!((error.kind, error.witness), (ErrorKind::Infeasible, None));
}

const STORES: &str = "[[class]]\nid = \"record\"\n\n\
    [[store]]\nid = \"rows\"\nkind = \"sql\"\nclasses = [\"record\"]\nerase = [\"delete\"]\n\n\
    [[store]]\nid = \"vaults\"\nkind = \"epoch\"\nclasses = [\"record\"]\nfed_by = \"rows\"\n\
    every = \"PT1H\"\nepoch = \"P1D\"\nerase = [\"delete\", \"key\"]\n\n";

#[cfg(test)]
fn key(from: &str, after: &str, copies: &str) -> String {
    format!(
        "{STORES}[[key]]\nid = \"roots\"\nseals = \"rows\"\nfrom = \"{from}\"\n\
         after = \"{after}\"\ncopies = \"{copies}\"\n"
    )
}

// clause: P-60
#[test]
fn a_root_may_not_die_before_the_backups_it_seals() {
    let stay = [(
        "P-60",
        "exact",
        "bound = { from = \"database.purged\", to = \"backup.purged\", min = \"P6M\", max = \"P6M\" }\n\
         declared.early = { period = \"PT49H\", why = \"a sweep takes time\" }",
    )];
    let error = refused_for(TOKYO, &stay, &key("database.purged", "PT0S", "P5D"), BOTH);
    assert_eq!(
        (error.kind, error.witness),
        (ErrorKind::KeyBeforeFloor, None)
    );
    assert!(error.message.contains("roots"), "{error}");
    let finding = Finding::of_error(&error).unwrap();
    assert_eq!(finding.code, FindingCode::KeyBeforeFloor);
    let late = key("database.purged", "P6M", "P5D");
    assert!(Document::parse(&policy(TOKYO, &stay, &late)).is_ok());
}

#[test]
fn a_root_that_may_die_at_any_time_needs_its_floors_waived() {
    let bin = |waived: &str| {
        format!(
            "bound = {{ from = \"record.deleted\", to = \"record.purged\", min = \"P30D\"{waived} }}"
        )
    };
    let until = |waived: &str| format!("bound = {{ to = \"database.deleted\"{waived} }}");
    let roots = key("erasure.requested", "PT0S", "PT0S");
    let waived = ", waived_by = \"erasure.requested\"";
    for of in [&bin as &dyn Fn(&str) -> String, &until] {
        let text = of("");
        let error = refused_for(UTC, &[("A-01", "floor", &text)], &roots, BOTH);
        assert_eq!(error.kind, ErrorKind::KeyBeforeFloor, "{error}");
        assert_eq!(ids(&error.clauses), "A-01");
        let text = of(waived);
        assert!(Document::parse(&policy(UTC, &[("A-01", "floor", &text)], &roots)).is_ok());
    }
    // what ends the duty may start the plan
    let roots = key("database.purged", "PT0S", "PT0S");
    let text = until("");
    assert!(Document::parse(&policy(UTC, &[("A-01", "floor", &text)], &roots)).is_ok());
}

// clause: P-35
#[test]
fn a_root_and_its_copies_die_within_the_month_that_names_them() {
    let cleared = [(
        "P-35",
        "ceiling",
        "bound = { from = \"erasure.requested\", to = [\"erasure.completed\", \"key.destroyed\"], max = \"P1M\" }",
    )];
    let roots = |copies: &str| key("erasure.requested", "PT0S", copies);
    assert!(Document::parse(&policy(UTC, &cleared, &roots("P5D"))).is_ok());
    let error = refused_for(UTC, &cleared, &roots("P28D"), BOTH);
    assert_eq!(error.kind, ErrorKind::KeyPastCeiling);
    assert_eq!(error.witness, Some(date!(2026 - 01 - 31)));
    // of a store that nothing but its key erases, whatever the ceiling names
    let gone = [(
        "A-01",
        "ceiling",
        "bound = { from = \"contract.terminated\", to = \"backup.purged\", max = \"P14D\" }",
    )];
    let late = key("contract.terminated", "P7D", "P7D");
    assert!(Document::parse(&policy(UTC, &gone, &late)).is_ok());
    let alone = |tables: &str| tables.replace("erase = [\"delete\", \"key\"]", "erase = [\"key\"]");
    let error = refused_for(UTC, &gone, &alone(&late), BOTH);
    assert_eq!(error.kind, ErrorKind::KeyPastCeiling);
    let early = alone(&key("contract.terminated", "P7D", "P4D"));
    assert!(Document::parse(&policy(UTC, &gone, &early)).is_ok());
}

#[test]
fn a_store_that_keeps_copies_too_short_is_named() {
    let month = [(
        "R-23",
        "floor",
        "bound = { from = \"backup.completed\", to = \"backup.unrestorable\", min = \"P31D\" }",
    )];
    let kept = |days: &str| {
        STORES.replace(
            "epoch = \"P1D\"",
            &format!("epoch = \"P1D\"\nkept = \"{days}\""),
        )
    };
    let error = refused_for(UTC, &month, &kept("P31D"), BOTH);
    assert_eq!(ids(&error.clauses), "R-23");
    assert!(error.message.contains("vaults"), "{error}");
    assert!(Document::parse(&policy("\"America/Chicago\"", &month, &kept("P35D"))).is_ok());
}

#[test]
fn what_stays_open_is_told_and_can_be_answered() {
    let exact = [(
        "A-01",
        "exact",
        "bound = { from = \"trial.ended\", to = \"database.deleted\", min = \"P6M\", max = \"P6M\" }\n\
         declared.early = { period = \"PT24H\", why = \"a sweep takes time\" }",
    )];
    // a day and the hour of a clock change would have to be compared date by date
    let text = policy("\"America/Chicago\"", &exact, "");
    let findings = temporal(&Document::parse(&text).unwrap());
    let codes: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code, finding.fails()))
        .collect();
    let expected = [
        (FindingCode::Undecided, true),
        (FindingCode::ZeroWidth, false),
    ];
    assert_eq!(codes, expected);
    let answer = "[[answer]]\nfinding = \"undecided\"\nclauses = [\"A-01\"]\nreason = \"checked by hand\"\n\n";
    let document = Document::parse(&policy("\"America/Chicago\"", &exact, answer)).unwrap();
    assert!(temporal(&document).iter().all(|finding| !finding.fails()));
    assert_eq!(document.check(TODAY), Ok(()));
}

#[test]
fn a_document_has_so_much_of_everything_and_no_more() {
    let check = |text: &str, expect: Option<&str>| {
        let found = Document::parse(text).err();
        let found = found.map(|errors| {
            let kinds: Vec<_> = errors.iter().map(|error| error.kind).collect();
            assert_eq!(kinds, [ErrorKind::TooLarge], "{errors:?}");
            errors[0].message.clone()
        });
        assert_eq!(found.as_deref(), expect);
    };
    let floor = "bound = { from = \"record.deleted\", to = \"record.purged\", min = \"P30D\" }";
    let page = |zones: &str, tables: &str| policy(zones, &[("A-01", "floor", floor)], tables);
    let zones = ["UTC", "+01:00", "+02:00", "+03:00", "+04:00"].map(|zone| format!("\"{zone}\""));
    check(&page(&zones[..4].join(", "), ""), None);
    check(
        &page(&zones.join(", "), ""),
        Some("a document has at most 4 zones"),
    );
    let keys = |count: usize| {
        let one =
            |n: usize| format!("[[key]]\nid = \"k{n}\"\nseals = \"vaults\"\ncopies = \"PT0S\"\n");
        format!("{STORES}{}", (0..count).map(one).collect::<String>())
    };
    check(&page(UTC, &keys(16)), None);
    check(
        &page(UTC, &keys(17)),
        Some("a document has at most 16 keys"),
    );
    let classes = |count: usize| {
        (0..count)
            .map(|n| format!("[[class]]\nid = \"c{n}\"\n"))
            .collect::<String>()
    };
    check(&page(UTC, &classes(256)), None);
    check(
        &page(UTC, &classes(257)),
        Some("a document has at most 256 classes"),
    );
    let pairs = |count: usize| {
        let ids: Vec<String> = (1..=count).map(|n| format!("A-{n:02}")).collect();
        let lines: Vec<Line<'_>> = ids.iter().map(|id| (id.as_str(), "floor", floor)).collect();
        policy(UTC, &lines, "")
    };
    check(&pairs(96), None);
    check(
        &pairs(97),
        Some("a document has at most 96 pairs of events in bounds"),
    );
    let others = |count: usize| {
        let other = "\n[[clause.alternative]]\nfrom = \"record.created\"\nsays = \"otherwise\"";
        let rest = |n: usize| format!("{floor}{}", other.repeat(n));
        let (whole, part) = (rest(4), rest(count % 4));
        let ids: Vec<String> = (1..=count / 4 + 1).map(|n| format!("A-{n:02}")).collect();
        let lines: Vec<Line<'_>> = ids
            .iter()
            .enumerate()
            .map(|(n, id)| {
                (
                    id.as_str(),
                    "floor",
                    if n < count / 4 { &*whole } else { &*part },
                )
            })
            .collect();
        policy(UTC, &lines, "")
    };
    check(&others(16), None);
    check(&others(17), Some("a document has at most 16 alternatives"));
}

#[test]
fn a_chain_of_many_stores_is_as_cheap_as_a_circle_of_them() {
    let floor = "bound = { from = \"record.deleted\", to = \"record.purged\", min = \"P30D\" }";
    let stores = |count: usize, last: &str| {
        let one = |n: usize| {
            let origin = if n + 1 < count {
                format!("fed_by = \"s{}\"\n", n + 1)
            } else {
                last.to_owned()
            };
            format!(
                "[[store]]\nid = \"s{n}\"\nkind = \"sql\"\nclasses = [\"c\"]\n{origin}erase = []\n"
            )
        };
        let stores: String = (0..count).map(one).collect();
        let tables = format!("[[class]]\nid = \"c\"\n{stores}");
        refused(&policy(UTC, &[("A-01", "floor", floor)], &tables))
    };
    let chain = stores(10_000, "");
    assert_eq!(chain.len(), 1, "{:?}", chain[0]);
    assert_eq!(chain[0].kind, ErrorKind::TooLarge);
    let circle = stores(10_000, "fed_by = \"s0\"\n");
    assert!(circle[0].message.contains("circle"), "{}", circle[0]);
    // what leads into a circle is part of it, what a circle leads to is not
    let into = stores(9, "fed_by = \"s4\"\n");
    assert_eq!(into.len(), 9, "{into:?}");
}

#[test]
fn hostile_promises_end_in_an_answer() {
    let long = [
        (
            "A-01",
            "floor",
            "bound = { from = \"record.deleted\", to = \"record.purged\", min = \"P1000Y\" }",
        ),
        (
            "A-02",
            "floor",
            "bound = { from = \"record.purged\", to = \"backup.purged\", min = \"P12000M366000DT8784000H\" }",
        ),
        (
            "A-03",
            "ceiling",
            "bound = { from = \"record.deleted\", to = \"backup.purged\", max = \"P999999D\" }",
        ),
        (
            "A-04",
            "floor",
            "bound = { from = \"backup.purged\", to = \"record.deleted\", min = \"PT0S\" }",
        ),
        (
            "A-05",
            "ceiling",
            "bound = { from = \"record.deleted\", to = \"record.deleted\", max = \"P1M\" }",
        ),
    ];
    let without_third = [long[0], long[1], long[3], long[4]];
    let errors = refused(&policy(UTC, &without_third, ""));
    assert!(
        errors
            .iter()
            .all(|error| error.kind == ErrorKind::Infeasible),
        "{errors:?}"
    );
    assert_eq!(ids(&errors[0].clauses), "A-02 A-04");
    // longer than any period may be
    let errors = refused(&policy(UTC, &long, ""));
    assert!(
        errors.iter().any(|error| error.kind == ErrorKind::Value),
        "{errors:?}"
    );
    let feasible = [long[0], long[1], long[4]];
    let document = Document::parse(&policy(UTC, &feasible, "")).unwrap();
    assert_eq!(found(&document), []);
    assert!(
        !document
            .residency()
            .iter()
            .any(|row| row.max_days.is_some())
    );
}
