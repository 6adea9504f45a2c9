//! `unbounded` and `uncovered`: floors without an end, data and topics of which no clause speaks.

#[path = "support/draft.rs"]
mod draft;

use draft::{Failure, TODAY, clause, document, findings};
use policy_document::FindingCode;

const NONE: [String; 0] = [];

fn bound(id: &str, modality: &str, bound: &str) -> String {
    clause(
        id,
        &[1],
        &format!("modality = \"{modality}\"\n[clause.bound]\n{bound}\n"),
    )
}

/// Clauses after which a page says when data goes, and tells of a breach.
fn ends() -> String {
    [
        bound("A-90", "ceiling", "from = \"record.deleted\"\nto = \"record.purged\"\nmax = \"P30D\""),
        bound(
            "A-91",
            "ceiling",
            "from = \"contract.terminated\"\nto = [\"database.purged\", \"backup.purged\"]\nmax = \"P14D\"",
        ),
        bound("A-92", "ceiling", "from = \"incident.confirmed\"\nto = \"notice.delivered\"\nmax = \"PT80H\""),
    ]
    .concat()
}

#[test]
fn a_floor_is_bounded_by_a_chain_of_ceilings_from_its_start() -> Result<(), Failure> {
    let code = FindingCode::Unbounded;
    let floor = bound(
        "A-01",
        "floor",
        "from = \"record.deleted\"\nto = \"record.purged\"\nmin = \"P30D\"",
    );
    let direct = "from = \"record.deleted\"\nto = \"record.purged\"\nmax = \"P40D\"";
    let steps = [
        bound(
            "A-02",
            "ceiling",
            "from = \"record.deleted\"\nto = \"database.deleted\"\nmax = \"P9D\"",
        ),
        bound(
            "A-03",
            "ceiling",
            "from = \"database.deleted\"\nto = \"record.purged\"\nmax = \"P9D\"",
        ),
    ];
    let other = bound(
        "A-02",
        "ceiling",
        "from = \"trial.ended\"\nto = \"record.purged\"\nmax = \"P9D\"",
    );
    let never = bound("A-02", "floor", direct.replace("max", "min").as_str());
    let found = ["unbounded: A-01 (1): a floor without a ceiling: nothing says when the data goes"];
    assert_eq!(findings(&document("acme", 1, &floor)?, code), found);
    assert_eq!(
        findings(&document("acme", 1, &format!("{floor}{other}"))?, code),
        found
    );
    assert_eq!(
        findings(&document("acme", 1, &format!("{floor}{}", steps[0]))?, code),
        found
    );
    assert_eq!(
        findings(&document("acme", 1, &format!("{floor}{never}"))?, code).len(),
        2
    );
    for bounded in [
        format!("{floor}{}", bound("A-02", "ceiling", direct)),
        format!(
            "{floor}{}",
            bound("A-02", "exact", &format!("{direct}\nmin = \"P35D\""))
        ),
        format!("{floor}{}", steps.concat()),
        bound("A-02", "exact", &format!("{direct}\nmin = \"P35D\"")),
    ] {
        assert_eq!(
            findings(&document("acme", 1, &bounded)?, code),
            NONE,
            "{bounded}"
        );
    }
    let until = bound("A-01", "floor", "to = \"contract.terminated\"");
    assert_eq!(findings(&document("acme", 1, &until)?, code), found);
    Ok(())
}

#[test]
fn a_page_says_when_data_goes_and_who_hears_of_a_breach() -> Result<(), Failure> {
    let uncovered = |body: &str| -> Result<Vec<String>, Failure> {
        Ok(findings(
            &document("acme", 1, body)?,
            FindingCode::Uncovered,
        ))
    };
    assert_eq!(uncovered(&ends())?, NONE);
    let empty = clause("A-01", &[1], "");
    assert_eq!(
        uncovered(&empty)?,
        [
            "uncovered: no clause says when data goes after a deletion or after the contract",
            "uncovered: no clause tells customers of a breach (GDPR 33(2))",
        ]
    );
    let without = |id: &str| -> String {
        let clauses = ends();
        let clauses = clauses
            .split("[[clause]]")
            .filter(|text| !text.contains(id));
        clauses.collect::<Vec<_>>().join("[[clause]]")
    };
    for (id, topic) in [
        ("A-90", "no clause says when data goes after a deletion"),
        ("A-91", "no clause says when data goes after the contract"),
        ("A-92", "no clause tells customers of a breach (GDPR 33(2))"),
    ] {
        assert_eq!(
            uncovered(&without(id))?,
            [format!("uncovered: {topic}")],
            "{id}"
        );
    }
    let hidden = bound(
        "A-01",
        "ceiling",
        "from = \"record.deleted\"\nstate = \"invisible\"\nmax = \"PT0S\"",
    );
    assert_eq!(uncovered(&hidden)?.len(), 2, "hidden is not gone");
    Ok(())
}

#[test]
fn data_in_a_store_that_no_ceiling_reaches_is_found() -> Result<(), Failure> {
    let store = |id: &str, kind: &str, rest: &str| {
        format!("[[store]]\nid = \"{id}\"\nkind = \"{kind}\"\nclasses = [\"note\"]\n{rest}\n")
    };
    let delete = "erase = [\"delete\"]\n";
    let class = "[[class]]\nid = \"note\"\n\n";
    let uncovered = |rest: &str| -> Result<Vec<String>, Failure> {
        let body = format!("{class}{rest}{}", ends());
        Ok(findings(
            &document("acme", 1, &body)?,
            FindingCode::Uncovered,
        ))
    };
    for (kind, rest) in [
        ("sql", delete),
        ("object", delete),
        ("epoch", "epoch = \"P1D\"\nerase = [\"delete\"]\n"),
    ] {
        assert_eq!(uncovered(&store("rows", kind, rest))?, NONE, "{kind}");
    }
    let log = "[[store]]\nid = \"audit\"\nkind = \"log\"\nclasses = []\nerase = [\"clear\"]\n\n";
    assert_eq!(uncovered(log)?, NONE, "a log holds no class");
    let outside = store("support", "external", delete) + &store("billing", "external", delete);
    let found = "no clause says when these go: note in support; note in billing";
    assert_eq!(uncovered(&outside)?, [format!("uncovered: {found}")]);
    let naming = clause(
        "A-01",
        &[1],
        "[clause.figure]\nfields = [\"support\", \"billing\"]\n",
    );
    let found = [format!("uncovered: A-01 (1): {found}")];
    assert_eq!(uncovered(&format!("{outside}{naming}"))?, found);
    let reached = "from = \"erasure.requested\"\nto = \"erasure.completed\"\nmax = \"P1M\"\n\
                   [clause.figure]\nfields = [\"support\", \"billing\"]";
    let reached = bound("A-01", "ceiling", reached);
    assert_eq!(uncovered(&format!("{outside}{reached}"))?, NONE);
    Ok(())
}

#[test]
fn a_store_that_goes_with_its_key_needs_the_death_of_the_key() -> Result<(), Failure> {
    let body = |erase: &str, keys: &str, to: &str| {
        format!(
            "[[class]]\nid = \"note\"\n\n[[store]]\nid = \"rows\"\nkind = \"external\"\n\
             classes = [\"note\"]\nerase = [\"{erase}\"]\n\n{keys}{}{}",
            ends(),
            bound(
                "A-01",
                "ceiling",
                &format!("from = \"erasure.requested\"\nto = \"{to}\"\nmax = \"P1M\"")
            ),
        )
    };
    let key = "[[key]]\nid = \"roots\"\nseals = \"rows\"\nfrom = \"erasure.requested\"\nafter = \"PT0S\"\ncopies = \"P5D\"\n\n";
    let count = |text: String| -> Result<usize, Failure> {
        Ok(findings(&document("acme", 1, &text)?, FindingCode::Uncovered).len())
    };
    assert_eq!(count(body("key", key, "key.destroyed"))?, 0);
    assert_eq!(count(body("key", key, "erasure.completed"))?, 1);
    assert_eq!(count(body("key", "", "key.destroyed"))?, 1);
    assert_eq!(count(body("attest", key, "key.destroyed"))?, 1);
    Ok(())
}

#[test]
fn a_ceiling_on_the_vendors_own_thing_names_no_store() -> Result<(), Failure> {
    let end = |terms: &str| {
        let rest = format!(
            "modality = \"ceiling\"\n{terms}[clause.bound]\nfrom = \"contract.terminated\"\nto = \"database.purged\"\nmax = \"P14D\"\n"
        );
        "[[class]]\nid = \"note\"\n\n[[store]]\nid = \"rows\"\nkind = \"sql\"\nclasses = [\"note\"]\nerase = [\"delete\"]\n\n"
            .to_owned()
            + &clause("A-01", &[1], &rest)
            + &ends()
    };
    let document_of = |text: &str| document("acme", 1, text);
    assert_eq!(
        findings(&document_of(&end(""))?, FindingCode::Uncovered),
        NONE
    );
    let speaking = end("terms = [\"machine\"]\n");
    let found = document_of(&speaking)?.lint(TODAY);
    let found: Vec<_> = found
        .iter()
        .filter(|f| f.code == FindingCode::Uncovered)
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].message,
        "says \"machine\" alone: rows are not named"
    );
    assert_eq!(found[0].answered_by, None);
    let meaning = format!("[terms]\nmachine = \"every store\"\n\n{speaking}");
    let found = document_of(&meaning)?.lint(TODAY);
    let answered = found.iter().find(|f| f.code == FindingCode::Uncovered);
    let answered = answered.and_then(|f| f.answered_by.as_ref());
    let shown = answered.map(ToString::to_string);
    assert_eq!(shown.as_deref(), Some("term machine: every store"));
    Ok(())
}
