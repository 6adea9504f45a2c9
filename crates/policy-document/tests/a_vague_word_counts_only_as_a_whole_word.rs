//! `vague` and `hedge`: every word of the lists is found as a whole word, and nowhere inside one.

#[path = "support/draft.rs"]
mod draft;

use draft::{Failure, TODAY, clause, findings, parse, text};
use policy_document::{Answered, Document, Finding, FindingCode};

const VAGUE: [&str; 13] = [
    "advanced",
    "appropriate",
    "closely",
    "comprehensive",
    "highest",
    "rapid",
    "regular",
    "robust",
    "secure",
    "securely",
    "small",
    "strong",
    "transparent",
];
const HEDGES: [&str; 6] = [
    "almost",
    "generally",
    "normally",
    "quickly",
    "several",
    "typically",
];

/// A document of one clause on the one line of the page.
fn one(page: &str, rest: &str) -> Result<Document, Failure> {
    parse(&text("acme", page, "", &clause("A-01", &[1], rest)))
}

fn of_words(document: &Document, page: &str) -> Vec<Finding> {
    let all = document.lint_source(TODAY, page.as_bytes()).into_iter();
    all.filter(|f| matches!(f.code, FindingCode::Vague | FindingCode::Hedge))
        .collect()
}

#[test]
fn each_word_is_found_on_the_page_whole_and_nowhere_inside_another() -> Result<(), Failure> {
    let vague = VAGUE.map(|word| (word, FindingCode::Vague));
    let hedges = HEDGES.map(|word| (word, FindingCode::Hedge));
    for (word, code) in vague.into_iter().chain(hedges) {
        let upper = word.to_uppercase();
        for page in [
            format!("It is {word}.\n"),
            format!("{upper}!\n"),
            format!("\u{201c}{word}\u{201d}\n"),
            format!("very-{word}/kept\n"),
        ] {
            let found = of_words(&one(&page, "")?, &page);
            let codes: Vec<FindingCode> = found.iter().map(|f| f.code).collect();
            assert_eq!(codes, [code], "{page}");
            assert!(found[0].message.contains(&format!("\"{word}\"")), "{page}");
            assert!(found[0].message.contains("not named in hedges"), "{page}");
        }
        for page in [
            format!("It is in{word}.\n"),
            format!("It is {word}x.\n"),
            format!("It is {word}7.\n"),
            format!("It is \u{e9}{word}.\n"),
        ] {
            let found = of_words(&one(&page, "")?, &page);
            assert_eq!(found, [], "{page}");
        }
        let rest = format!("hedges = [\"{word}\"]\n");
        let document = one("Line.\n", &rest)?;
        assert_eq!(findings(&document, code).len(), 1, "{word}");
    }
    Ok(())
}

#[test]
fn one_finding_a_line_names_every_clause_of_the_line() -> Result<(), Failure> {
    let body = [
        clause(
            "A-01",
            &[1, 2],
            "hedges = [\"rapid\", \"almost\"]\nwords_on = [2]\n",
        ),
        clause("A-02", &[2], ""),
        clause("A-03", &[3], "hedges = [\"Strong\"]\n"),
    ];
    let document = draft::document("acme", 3, &body.concat())?;
    assert_eq!(
        findings(&document, FindingCode::Vague),
        [
            "vague: A-01, A-02 (2): says \"rapid\" in place of a figure",
            "vague: A-03 (3): says \"strong\" in place of a figure",
        ]
    );
    assert_eq!(
        findings(&document, FindingCode::Hedge),
        ["hedge: A-01, A-02 (2): says \"almost\" which takes the promise back"]
    );
    Ok(())
}

#[test]
fn a_word_of_ones_own_is_a_hedge() -> Result<(), Failure> {
    let document = one("Line.\n", "hedges = [\"best-effort\"]\n")?;
    assert_eq!(
        findings(&document, FindingCode::Vague),
        Vec::<String>::new()
    );
    assert_eq!(findings(&document, FindingCode::Hedge).len(), 1);
    let page = "On a best effort basis.\n";
    let found = of_words(&one(page, "hedges = [\"best-effort\"]\n")?, page);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].message.contains("not on the line"), "{found:?}");
    Ok(())
}

#[test]
fn a_word_that_is_named_and_not_on_the_line_is_told() -> Result<(), Failure> {
    let page = "Backups are kept.\n";
    let found = of_words(&one(page, "hedges = [\"small\"]\n")?, page);
    assert_eq!(found.len(), 1, "{found:?}");
    let told =
        "says \"small\" in place of a figure; \"small\" is named in hedges and not on the line";
    assert_eq!(found[0].message, told);
    Ok(())
}

#[test]
fn a_declared_figure_answers_the_words_it_is_declared_for_and_no_other() -> Result<(), Failure> {
    let word = "hedges = [\"rapid\"]\nmodality = \"ceiling\"\n[clause.bound]\nof = \"took\"\nto = \"restore.drilled\"\n";
    let max = "[clause.declared]\nmax = { period = \"PT4H\", why = \"measured\", answers = [\"rapid\"] }\n";
    let answered = |rest: &str| -> Result<Option<Answered>, Failure> {
        let all = one("Line.\n", rest)?.lint(TODAY);
        let vague = all.into_iter().find(|f| f.code == FindingCode::Vague);
        Ok(vague.ok_or("no finding")?.answered_by)
    };
    let found = answered(&format!("{word}{max}"))?;
    let shown = found.map(|answered| answered.to_string());
    assert_eq!(shown.as_deref(), Some("declared on A-01: max = PT4H"));
    let other = max.replace(", answers = [\"rapid\"]", "");
    assert_eq!(answered(&format!("{word}{other}"))?, None);
    // of two words on a line each needs a figure
    let two = word.replace("[\"rapid\"]", "[\"rapid\", \"small\"]");
    assert_eq!(answered(&format!("{two}{max}"))?, None);
    let cap = "cap = { count = 8, why = \"few\", answers = [\"small\"] }\n";
    let shown = answered(&format!("{two}{max}{cap}"))?.map(|answered| answered.to_string());
    assert_eq!(shown.as_deref(), Some("declared on A-01: max = PT4H"));
    // a word that the clause does not name
    let idle = max.replace("\"rapid\"", "\"secure\"");
    let refused = one("Line.\n", &format!("{word}{idle}")).unwrap_err();
    let why = "a declared figure answers only words that the clause names in hedges";
    assert!(refused.to_string().contains(why), "{refused}");
    let nobody = "kind = \"organisational\"\nhedges = [\"rapid\"]\n[clause.declared]\ncap = { count = 8, why = \"few\", answers = [\"rapid\"] }\n";
    assert_eq!(answered(nobody)?, None);
    Ok(())
}

#[test]
fn over_claims_are_found_in_terms_and_on_the_page() -> Result<(), Failure> {
    let page = "Traffic is SSL, end to end, and bank-grade.\n";
    let over = |document: &Document, page: Option<&str>| -> Vec<String> {
        let all = page.map_or_else(
            || document.lint(TODAY),
            |page| document.lint_source(TODAY, page.as_bytes()),
        );
        let all = all.iter().filter(|f| f.code == FindingCode::OverClaim);
        all.map(ToString::to_string).collect()
    };
    let silent = one(page, "")?;
    assert_eq!(over(&silent, None), Vec::<String>::new());
    let found = over(&silent, Some(page));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found
            .iter()
            .all(|f| f.ends_with("; it is not named in terms"))
    );
    let named = one(
        page,
        "terms = [\"ssl\", \"end-to-end\", \"bank-grade\", \"machine\"]\n",
    )?;
    assert_eq!(over(&named, None).len(), 3);
    assert_eq!(over(&named, None), over(&named, Some(page)));
    for other in [
        "Traffic is SSLv2.\n",
        "From end to the end.\n",
        "Bankgrade.\n",
    ] {
        assert_eq!(
            over(&one(other, "")?, Some(other)),
            Vec::<String>::new(),
            "{other}"
        );
    }
    let absent = over(
        &one("Traffic.\n", "terms = [\"ssl\"]\n")?,
        Some("Traffic.\n"),
    );
    assert!(
        absent[0].ends_with("named in terms and not on the line"),
        "{absent:?}"
    );
    Ok(())
}

#[test]
fn what_a_term_means_answers_an_over_claim() -> Result<(), Failure> {
    let body = clause("A-01", &[1], "terms = [\"ssl\"]\n");
    let with = format!("[terms]\nssl = \"TLS\"\n\n{body}");
    let answer = |body: &str| -> Result<Option<String>, Failure> {
        let found = draft::document("acme", 1, body)?.lint(TODAY);
        let over = found.into_iter().find(|f| f.code == FindingCode::OverClaim);
        let answered = over.ok_or("no finding")?.answered_by;
        Ok(answered.map(|answered| answered.to_string()))
    };
    assert_eq!(answer(&body)?, None);
    assert_eq!(answer(&with)?.as_deref(), Some("term ssl: TLS"));
    Ok(())
}

#[test]
fn a_heading_with_nothing_under_it_claims_nothing() -> Result<(), Failure> {
    let heading = "kind = \"informational\"\nheading = true\n";
    let ignore = "[[ignore]]\nlines = [3]\nreason = \"heading\"\n\n";
    let page = "Certificates\n\nBackups\nKept.\n";
    let under = |body: &str| -> Result<Vec<String>, Failure> {
        Ok(findings(
            &parse(&text("acme", page, "", body))?,
            FindingCode::EmptyClaim,
        ))
    };
    let found = ["empty-claim: A-01 (1): a heading with nothing under it claims nothing"];
    let first = clause("A-01", &[1], heading);
    assert_eq!(under(&format!("{first}{ignore}"))?, found);
    assert_eq!(
        under(&format!("{first}{}", clause("A-02", &[3], heading)))?,
        found
    );
    let last = clause("A-01", &[4], heading);
    assert_eq!(under(&last)?.len(), 1, "the page ends under it");
    let filled = clause("A-02", &[3], "");
    assert_eq!(under(&format!("{first}{filled}"))?, Vec::<String>::new());
    let no_heading = clause("A-01", &[1], "");
    assert_eq!(
        under(&format!("{no_heading}{ignore}"))?,
        Vec::<String>::new()
    );
    Ok(())
}
