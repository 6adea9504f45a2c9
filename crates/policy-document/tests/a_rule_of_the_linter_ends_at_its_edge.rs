//! What lies just beside a finding is none, and what lies just inside it is one.

#[path = "support/draft.rs"]
mod draft;

use covenant_core::Action;
use draft::{Failure, TODAY, clause, document, findings, parse, text};
use policy_document::{FindingCode, Lifecycle, Mark, State};
use time::macros::utc_datetime;

const NONE: [String; 0] = [];

fn bound(id: &str, line: u32, modality: &str, bound: &str) -> String {
    clause(
        id,
        &[line],
        &format!("modality = \"{modality}\"\n[clause.bound]\n{bound}\n"),
    )
}

#[test]
fn another_reading_takes_the_place_of_the_first() -> Result<(), Failure> {
    // with both at once nothing could lie between the end of the trial and the deletion
    let alternative = "from = \"database.deleted\"\nto = \"database.purged\"\nmin = \"P30D\"\nmax = \"P30D\"\n\
        [[clause.alternative]]\nfrom = \"trial.ended\"\nsays = \"it runs from the trial\"\n\
        [clause.declared]\nearly = { period = \"P2D\", why = \"a sweep\" }";
    let body = bound("A-01", 1, "exact", alternative)
        + &bound(
            "A-02",
            2,
            "floor",
            "from = \"trial.ended\"\nto = \"database.deleted\"\nmin = \"P1D\"",
        );
    let document = document("acme", 2, &body)?;
    assert_eq!(findings(&document, FindingCode::ContradictionAlways), NONE);
    Ok(())
}

// clause: P-49
#[test]
fn days_that_are_needed_and_allowed_are_told_where_they_differ() -> Result<(), Failure> {
    let said = |min: &str, max: &str| {
        let most = format!(
            "from = \"record.manual_purge\"\nto = \"record.purged\"\nmax = \"{max}\"\n\
             [[clause.alternative]]\nfrom = \"record.deleted\"\nsays = \"it runs from the deletion\""
        );
        let least = format!("from = \"record.deleted\"\nto = \"record.purged\"\nmin = \"{min}\"");
        let body = bound("A-01", 1, "ceiling", &most) + &bound("A-02", 2, "floor", &least);
        Ok::<_, Failure>(findings(
            &document("acme", 2, &body)?,
            FindingCode::ContradictionAlways,
        ))
    };
    let told = |what: &str| {
        [format!(
            "contradiction-always: A-01, A-02 (1, 2): if it runs from the deletion: {what}; \
             consistent from record.manual_purge"
        )]
    };
    assert_eq!(said("PT36H", "P1D")?, told("2 days needed, 1 allowed"));
    assert_eq!(
        said("PT26H", "PT25H")?,
        told("cannot all be kept, on every date")
    );
    assert_eq!(said("PT25H", "PT25H")?, NONE);
    Ok(())
}

// clause: P-18
#[test]
fn a_range_narrower_than_its_readings_has_no_width() -> Result<(), Failure> {
    let widthless = |max: &str| {
        let exact = format!(
            "from = \"trial.ended\"\nto = \"database.deleted\"\nmin = \"P30D\"\nmax = \"{max}\"\n\
             [clause.declared]\nearly = {{ period = \"PT24H\", why = \"a sweep\" }}"
        );
        let page = text("acme", "Line.\n", "", &bound("A-01", 1, "exact", &exact));
        let both = page.replace("day = [\"elapsed\"]", "day = [\"elapsed\", \"end-of-day\"]");
        Ok::<_, Failure>(findings(&parse(&both)?, FindingCode::ZeroWidth))
    };
    assert_eq!(
        widthless("P30DT1H")?,
        ["zero-width: A-01 (1): floor P30D and ceiling P30DT1H leave no room for a sweep"]
    );
    assert_eq!(widthless("P31D")?, NONE);
    Ok(())
}

/// A document whose floor of a month or a day is longer than its ceiling in some ways to read them.
fn read_in(zones: &str, days: &str, least: &str, most: &str) -> Result<Vec<String>, Failure> {
    let most = format!(
        "from = \"trial.ended\"\nto = \"database.deleted\"\nmax = \"{most}\"\n\
         [clause.declared]\nlate = {{ period = \"P5D\", why = \"a sweep\" }}"
    );
    let least = format!("from = \"trial.ended\"\nto = \"database.deleted\"\nmin = \"{least}\"");
    let body = bound("A-01", 1, "floor", &least) + &bound("A-02", 2, "ceiling", &most);
    let page = text("acme", "Line.\nLine.\n", "", &body)
        .replace("zones = [\"UTC\"]", &format!("zones = [{zones}]"))
        .replace("day = [\"elapsed\"]", &format!("day = [{days}]"));
    let all = parse(&page)?.lint(TODAY).into_iter();
    let codes = [
        FindingCode::ContradictionAlways,
        FindingCode::ContradictionSomeDates,
        FindingCode::Undecided,
    ];
    let found = all.filter(|finding| codes.contains(&finding.code));
    Ok(found.map(|finding| finding.to_string()).collect())
}

#[test]
fn what_one_way_to_read_days_keeps_is_no_contradiction_always() -> Result<(), Failure> {
    let both = "\"elapsed\", \"end-of-day\"";
    assert_eq!(
        read_in("\"UTC\"", both, "P1D", "PT24H")?,
        [
            "contradiction-some-dates: A-01, A-02 (1, 2): cannot all be kept as worded, on every \
             date, in one of the ways to read days and zones"
        ]
    );
    assert_eq!(read_in("\"UTC\"", "\"elapsed\"", "P1D", "PT24H")?, NONE);
    assert_eq!(
        read_in("\"UTC\"", both, "P2D", "PT24H")?,
        ["contradiction-always: A-01, A-02 (1, 2): cannot all be kept as worded, on every date"]
    );
    Ok(())
}

#[test]
fn what_is_certain_in_one_zone_is_told_although_another_leaves_it_open() -> Result<(), Failure> {
    let elapsed = "\"elapsed\"";
    let open = read_in("\"America/Chicago\"", elapsed, "P1M", "P30D")?;
    assert!(open[0].starts_with("undecided: A-01, A-02"), "{open:?}");
    let certain = read_in("\"America/Chicago\", \"+09:00\"", elapsed, "P1M", "P30D")?;
    assert!(
        certain[0].starts_with("contradiction-some-dates: A-01, A-02"),
        "{certain:?}"
    );
    assert_eq!(certain.len(), 1);
    Ok(())
}

// clause: P-58
#[test]
fn a_state_is_reached_at_the_earliest_reading_of_its_ceiling() -> Result<(), Failure> {
    let body = bound(
        "A-01",
        1,
        "ceiling",
        "from = \"database.deleted\"\nstate = \"unreadable\"\nmax = \"P1D\"",
    ) + &bound(
        "A-02",
        2,
        "ceiling",
        "from = \"database.deleted\"\nto = \"database.purged\"\nmax = \"P30D\"",
    );
    let page = text("acme", "Line.\nLine.\n", "", &body)
        .replace("day = [\"elapsed\"]", "day = [\"elapsed\", \"end-of-day\"]");
    let from = utc_datetime!(2027-03-01 9:00);
    let all = parse(&page)?.timeline(Lifecycle::Database, from);
    let state = all
        .iter()
        .find(|one| one.mark == Mark::State(State::Unreadable));
    let state = state.ok_or("it has no state")?;
    assert_eq!(state.latest, Some(utc_datetime!(2027-03-02 9:00)));
    Ok(())
}

// clause: P-15, P-18
#[test]
fn backups_are_counted_as_promised_not_as_the_stores_make_them() -> Result<(), Failure> {
    let body = "[[class]]\nid = \"record\"\n[[store]]\nid = \"rows\"\nkind = \"sql\"\n\
        classes = [\"record\"]\nerase = []\n[[store]]\nid = \"vaults\"\nkind = \"epoch\"\n\
        classes = [\"record\"]\nfed_by = \"rows\"\nevery = \"PT2H\"\nepoch = \"P1D\"\nerase = []\n"
        .to_owned()
        + &bound(
            "A-01",
            1,
            "exact",
            "from = \"backup.completed\"\nto = \"backup.purged\"\nmin = \"P30D\"\nmax = \"P30D\"\n\
             [clause.declared]\nearly = { period = \"P2D\", why = \"a sweep\" }",
        );
    let rhythm = bound(
        "A-02",
        2,
        "every",
        "to = \"backup.completed\"\nmax = \"PT1H\"",
    );
    let count = |text: &str| {
        let found = findings(&document("acme", 2, text)?, FindingCode::ZeroWidth);
        Ok::<_, Failure>(found.concat())
    };
    assert!(count(&format!("{body}{rhythm}"))?.ends_with("; 720 backups at a time"));
    let silent = clause("A-02", &[2], "");
    assert!(count(&format!("{body}{silent}"))?.ends_with("; 360 backups at a time"));
    Ok(())
}

// clause: P-49, P-60
#[test]
fn a_start_is_missed_only_where_the_page_gives_a_figure() -> Result<(), Failure> {
    let start = "from = { event = \"record.purged\", why = \"ours\" }";
    let stated = format!("to = \"backup.purged\"\nmax = \"P6M\"\n[clause.declared]\n{start}");
    let silent = format!(
        "to = \"backup.purged\"\n[clause.declared]\n{start}\nmax = {{ period = \"P6M\", why = \"ours\" }}"
    );
    let unstated = |rest: &str| {
        let document = document("acme", 1, &bound("A-01", 1, "ceiling", rest))?;
        Ok::<_, Failure>(findings(&document, FindingCode::StartUnstated).len())
    };
    assert_eq!(unstated(&stated)?, 1);
    assert_eq!(unstated(&silent)?, 0);
    Ok(())
}

// clause: P-08
#[test]
fn a_heading_over_a_title_claims_nothing() -> Result<(), Failure> {
    let heading = clause("A-01", &[1], "heading = true\n");
    let below = |reason: &str| {
        let ignore = format!("[[ignore]]\nlines = [2]\nreason = \"{reason}\"\n");
        let document = document("acme", 2, &format!("{heading}{ignore}"))?;
        Ok::<_, Failure>(findings(&document, FindingCode::EmptyClaim).len())
    };
    assert_eq!(below("title")?, 1);
    assert_eq!(below("heading")?, 1);
    assert_eq!(below("introduction")?, 0);
    Ok(())
}

// clause: P-34
#[test]
fn the_rights_of_a_person_are_articles_15_to_22() -> Result<(), Failure> {
    let against = |article: &str| {
        let denies =
            format!("denies = [\"deletion\"]\n[clause.controls]\ngdpr = [\"{article}\"]\n");
        let body = clause("A-01", &[1], &denies) + &clause("A-02", &[2], "does = [\"deletion\"]\n");
        let found = findings(&document("acme", 2, &body)?, FindingCode::NeverAgainstDoes);
        Ok::<_, Failure>(found.concat().contains("stands against"))
    };
    assert!(against("15")?);
    assert!(against("22")?);
    assert!(!against("23")?);
    assert!(!against("14")?);
    Ok(())
}

// clause: P-39
#[test]
fn a_state_is_no_end_and_one_end_is_enough_to_ask_for_all_stores() -> Result<(), Failure> {
    let hidden = bound(
        "A-01",
        1,
        "ceiling",
        "from = \"record.deleted\"\nstate = \"invisible\"\nmax = \"PT0S\"",
    );
    let silent = findings(&document("acme", 1, &hidden)?, FindingCode::Uncovered);
    assert!(
        silent[0].contains("after a deletion or after the contract"),
        "{silent:?}"
    );
    let purged = bound(
        "A-01",
        1,
        "ceiling",
        "from = \"record.deleted\"\nto = \"record.purged\"\nmax = \"P30D\"",
    );
    let stores = "[[class]]\nid = \"image\"\n[[store]]\nid = \"objects\"\nkind = \"object\"\n\
                  classes = [\"image\"]\nerase = []\n";
    let found = findings(
        &document("acme", 1, &format!("{stores}{purged}"))?,
        FindingCode::Uncovered,
    );
    assert!(
        found
            .iter()
            .any(|f| f.ends_with("when data goes after the contract")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|f| f.ends_with("these go: image in objects")),
        "{found:?}"
    );
    Ok(())
}

// clause: P-30
#[test]
fn to_confirm_a_breach_tells_nobody_of_it() -> Result<(), Failure> {
    let uncovered = |to: &str| {
        let rest = format!("from = \"incident.suspected\"\nto = \"{to}\"\nmax = \"PT72H\"");
        let found = findings(
            &document("acme", 1, &bound("A-01", 1, "ceiling", &rest))?,
            FindingCode::Uncovered,
        );
        Ok::<_, Failure>(found.iter().any(|finding| finding.contains("breach")))
    };
    assert!(uncovered("incident.confirmed")?);
    assert!(!uncovered("notice.queued")?);
    assert!(!uncovered("notice.delivered")?);
    Ok(())
}

// clause: P-39, R-23
#[test]
fn data_outside_goes_with_the_rest_and_a_backup_with_its_bytes() -> Result<(), Failure> {
    let stores = "[[class]]\nid = \"record\"\n[[store]]\nid = \"support\"\nkind = \"external\"\n\
        classes = [\"record\"]\nerase = []\n[[store]]\nid = \"vaults\"\nkind = \"epoch\"\n\
        classes = [\"record\"]\nfed_by = \"support\"\nepoch = \"P1D\"\nerase = []\n";
    let body = bound(
        "A-01",
        1,
        "ceiling",
        "from = \"record.deleted\"\nto = \"record.purged\"\nmax = \"P3D\"",
    ) + &bound(
        "A-02",
        2,
        "floor",
        "from = \"backup.completed\"\nto = \"backup.unrestorable\"\nmin = \"P1D\"",
    ) + &bound(
        "A-03",
        3,
        "ceiling",
        "from = \"backup.completed\"\nto = \"backup.purged\"\nmax = \"P5D\"",
    );
    let document = document("acme", 3, &format!("{stores}{body}"))?;
    let rows = document.residency();
    let of = |store: &str, from: Action| {
        let mut rows = rows.iter().filter(|row| row.from == from);
        let row = rows.find(|row| row.stores.iter().any(|id| id.as_str() == store));
        row.map(|row| (row.to, row.stays()))
    };
    let three = (Action::RecordPurged, "at most 3 days".to_owned());
    assert_eq!(of("support", Action::RecordDeleted), Some(three));
    let five = (Action::BackupPurged, "1 to 5 days".to_owned());
    assert_eq!(of("vaults", Action::BackupCompleted), Some(five));
    assert_eq!(of("support", Action::BackupCompleted), None);
    Ok(())
}
