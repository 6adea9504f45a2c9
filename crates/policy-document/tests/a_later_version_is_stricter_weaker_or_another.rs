//! Each kind of figure, moved both ways: what a longer floor, ceiling or list means follows from
//! the modality, and a promise with any part that is weaker is weaker.

use std::error::Error;

use policy_document::{Direction, Document};

#[cfg(test)]
mod page;

type Outcome = Result<(), Box<dyn Error>>;

const FULL: &str = include_str!("data/full.toml");

fn document(text: &str) -> Result<Document, String> {
    Document::parse(text).map_err(|errors| format!("{errors:?}"))
}

/// The directions of a change and of its reverse.
fn directions(from: &str, to: &str) -> Result<[Vec<(String, Direction)>; 2], String> {
    if !FULL.contains(from) {
        return Err(format!("{from} is not in the document"));
    }
    let (before, after) = (document(FULL)?, document(&FULL.replacen(from, to, 1))?);
    let of = |found: Vec<policy_document::Difference>| {
        let of = |d: policy_document::Difference| (d.clause.to_string(), d.direction);
        found.into_iter().map(of).collect::<Vec<_>>()
    };
    Ok([of(before.diff(&after)), of(after.diff(&before))])
}

fn check(from: &str, to: &str, clause: &str, there: Direction, back: Direction) -> Outcome {
    let expect = [
        vec![(clause.to_owned(), there)],
        vec![(clause.to_owned(), back)],
    ];
    assert_eq!(directions(from, to)?, expect, "{from} -> {to}");
    Ok(())
}

#[test]
fn periods() -> Outcome {
    use Direction::{Changed, Stricter, Weaker};
    check("max = \"PT4H\"", "max = \"PT8H\"", "F-04", Weaker, Stricter)?;
    // however it is written, it is the same
    let alike = directions("max = \"PT4H\"", "max = \"PT240M\"")?;
    assert_eq!(alike, [vec![], vec![]]);
    check("min = \"P30D\"", "min = \"P29D\"", "F-01", Weaker, Stricter)?;
    // a month is sometimes longer than thirty days, and sometimes not
    let with = |max: &str| document(&FULL.replacen("\"PT4H\"", max, 1));
    let (days, month) = (with("\"P30D\"")?, with("\"P1M\"")?);
    let directions: Vec<_> = days.diff(&month).iter().map(|d| d.direction).collect();
    assert_eq!(directions, [Changed]);
    let longer = with("\"P33D\"")?;
    let directions: Vec<_> = month.diff(&longer).iter().map(|d| d.direction).collect();
    assert_eq!(directions, [Weaker]);
    check("min = \"P30D\"", "min = \"P28D\"", "F-01", Weaker, Stricter)?;
    check("max = \"P30D\"", "max = \"P6M\"", "F-01", Weaker, Stricter)?;
    check("max = \"P30D\"", "max = \"P31D\"", "F-01", Weaker, Stricter)?;
    check(
        "period = \"PT25H\"",
        "period = \"PT26H\"",
        "F-01",
        Weaker,
        Stricter,
    )?;
    let both = "min = \"P30D\"\nmax = \"P30D\"";
    // longer kept and later gone: whoever relied on the end has lost it
    check(
        both,
        "min = \"P60D\"\nmax = \"P60D\"",
        "F-01",
        Weaker,
        Weaker,
    )
}

#[test]
fn events_states_and_rhythms() -> Outcome {
    use Direction::{Changed, Stricter, Weaker};
    check(
        "to = [\"record.purged\"]",
        "to = [\"record.purged\", \"object.deleted\"]",
        "F-01",
        Stricter,
        Weaker,
    )?;
    check(
        "to = [\"record.purged\"]",
        "to = [\"object.deleted\"]",
        "F-01",
        Changed,
        Changed,
    )?;
    check(
        "waived_by = [\"record.manual_purge\"]\n",
        "",
        "F-01",
        Stricter,
        Weaker,
    )?;
    check(
        "state = \"invisible\"",
        "state = [\"invisible\", \"locked\"]",
        "F-03",
        Weaker,
        Stricter,
    )?;
    let nightly = "per = \"civil-night\"";
    check(nightly, "max = \"P1D\"", "F-05", Changed, Changed)?;
    check(
        "[clause.bound]\nfrom = \"record.deleted\"\nstate = \"invisible\"\n",
        "",
        "F-03",
        Weaker,
        Stricter,
    )
}

#[test]
fn counts_and_lists_by_their_modality() -> Outcome {
    use Direction::{Changed, Stricter, Weaker};
    check("count = 8", "count = 9", "F-04", Weaker, Stricter)?;
    check("count = 30", "count = 31", "F-01", Changed, Changed)?;
    check(
        "fields = [\"rows\"]",
        "fields = [\"rows\", \"keys\"]",
        "F-04",
        Stricter,
        Weaker,
    )?;
    // of what never happens, one more is more
    check(
        "one_of = [\"hidden\"]",
        "one_of = [\"hidden\", \"shown\"]",
        "F-03",
        Stricter,
        Weaker,
    )?;
    check("num = 1", "num = 2", "F-02", Changed, Changed)?;
    check("over = true", "over = false", "F-02", Changed, Changed)?;
    check(
        "text = \"nightly\"",
        "text = \"daily\"",
        "F-05",
        Changed,
        Changed,
    )?;
    check("count = 30", "text = \"thirty\"", "F-01", Changed, Changed)
}

#[test]
fn words_and_proof() -> Outcome {
    use Direction::{Changed, Stricter, Weaker};
    check("hedges = [\"strong\"]\n", "", "F-01", Stricter, Weaker)?;
    check("denies = [\"early-purge\"]\n", "", "F-01", Weaker, Stricter)?;
    check("does = [\"restore\"]\n", "", "F-01", Changed, Changed)?;
    check("\"bin::purged_in_time\"", "", "F-01", Weaker, Stricter)?;
    check(
        "[\"purge-late\"]",
        "[\"purge-late\", \"purge-early\"]",
        "F-01",
        Stricter,
        Weaker,
    )?;
    check(
        "says = \"restores take",
        "says = \"a restore takes",
        "F-04",
        Changed,
        Changed,
    )?;
    let line = "lines = [3]\ndigests = [\"f4";
    check(
        line,
        "lines = [3]\ndigests = [\"f5",
        "F-01",
        Changed,
        Changed,
    )?;
    check(
        "modality = \"always\"\ncrates = [\"audit-log\"]",
        "modality = \"never\"\ncrates = [\"audit-log\"]",
        "F-02",
        Changed,
        Changed,
    )?;
    let modality = "modality = \"exact\"";
    check(modality, "modality = \"floor\"", "F-01", Weaker, Stricter)
}

#[test]
fn whole_promises() -> Outcome {
    let start = FULL.find("[[clause]]\nid = \"F-06\"").ok_or("no F-06")?;
    let end = FULL.find("[[deviation]]").ok_or("no deviation")?;
    let gone = FULL.get(start..end).unwrap_or("");
    check(gone, "", "F-06", Direction::Removed, Direction::Added)?;
    let (before, after) = (document(FULL)?, document(&FULL.replacen(gone, "", 1))?);
    assert!(
        before
            .diff(&after)
            .iter()
            .all(policy_document::Difference::is_loss)
    );
    assert!(
        !after
            .diff(&before)
            .iter()
            .any(policy_document::Difference::is_loss)
    );
    let informational = "kind = \"technical\"\nmodality = \"always\"\ncrates = [\"audit-log\"]";
    let attested = "kind = \"organisational\"\nmodality = \"always\"\ncrates = [\"audit-log\"]";
    let deviation = FULL.get(end..).unwrap_or("");
    let without = FULL.replacen(deviation, "", 1);
    let weaker = document(&without.replacen(informational, attested, 1))?;
    let found = document(&without)?.diff(&weaker);
    let shown: Vec<_> = found
        .iter()
        .flat_map(|d| &d.parts)
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["kind: technical -> organisational: weaker"]);
    Ok(())
}

#[test]
fn the_same_document_has_no_differences() -> Outcome {
    for text in [
        FULL,
        include_str!("../../../policies/prodb.toml"),
        include_str!("../../../policies/protopie.toml"),
        include_str!("../../../policies/immidb.toml"),
    ] {
        let (one, other) = (document(text)?, document(text)?);
        assert_eq!(one.diff(&other), []);
    }
    Ok(())
}

/// What becomes of one clause of a small page, and of its reverse.
fn one(modality: &str, before: &str, after: &str) -> Result<[Direction; 2], String> {
    let text = |rest: &str| page::policy("\"UTC\"", &[("A-01", modality, rest)], "");
    let (before, after) = (document(&text(before))?, document(&text(after))?);
    let of = |found: Vec<policy_document::Difference>| found.first().map(|d| d.direction);
    let both = of(before.diff(&after)).zip(of(after.diff(&before)));
    both.map(|(there, back)| [there, back])
        .ok_or_else(|| "nothing changed".to_owned())
}

// clause: P-04, P-56, Q-21
#[test]
fn lists_of_sites_shares_and_ends_of_a_duty() -> Outcome {
    use Direction::{Changed, Stricter, Weaker};
    // one more site that data may lie at
    let figure = "figure = { count = 1 }";
    let (one_site, two_sites) = ("sites = [\"chicago\"]", "sites = [\"chicago\", \"kyiv\"]");
    let closed = |sites: &str| format!("{sites}\n{figure}");
    assert_eq!(
        one("set", &closed(one_site), &closed(two_sites))?,
        [Weaker, Stricter]
    );
    assert_eq!(one("always", one_site, two_sites)?, [Changed, Changed]);
    // a third is less than a half, whatever the numbers
    let share = |num: u64, den: u64| {
        format!("figure = {{ ratio = {{ num = {num}, den = {den}, over = false }} }}")
    };
    assert_eq!(
        one("ceiling", &share(1, 2), &share(1, 3))?,
        [Stricter, Weaker]
    );
    assert_eq!(
        one("ceiling", &share(2, 5), &share(1, 2))?,
        [Weaker, Stricter]
    );
    // what is kept until one of two events is kept less long
    let until = |events: &str| format!("bound = {{ to = [{events}] }}");
    let (first, either) = (
        "\"database.deleted\"",
        "\"database.deleted\", \"trial.ended\"",
    );
    assert_eq!(
        one("floor", &until(first), &until(either))?,
        [Weaker, Stricter]
    );
    Ok(())
}

#[test]
fn a_promise_that_becomes_a_remark_is_weaker_in_every_part() -> Outcome {
    let promise = page::policy("\"UTC\"", &[("A-01", "always", "")], "");
    let remark = promise.replace(
        "kind = \"technical\"\nmodality = \"always\"",
        "kind = \"informational\"",
    );
    let found = document(&promise)?.diff(&document(&remark)?);
    let parts: Vec<_> = found[0]
        .parts
        .iter()
        .map(|p| (p.name.as_str(), p.direction))
        .collect();
    assert_eq!(
        parts,
        [("kind", Direction::Weaker), ("modality", Direction::Weaker)]
    );
    Ok(())
}
