//! The figures of each document become the settings of the crates, as a text that a person can
//! compare with the page; a document without what is needed gives no profile, and one without a
//! figure gives ours.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use backup_engine::{Cadence, Keeping};
use covenant::{CLASS_DATABASE, CLASS_RECORD, Profile, ProfileError};
use covenant_core::{ItemId, RegionSet, TenantId};
use policy_document::{Document, ErrorKind};
use retention_policy::{HoldView, Item, KeepUntil, Limit, Moment, Occurrence, Retention as _};
use time::{Duration, UtcDateTime};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn read(id: &str) -> Outcome<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../policies/{id}.toml"));
    Ok(std::fs::read_to_string(file)?)
}

fn profile(toml: &str) -> Outcome<Result<Profile, ProfileError>> {
    let document = Document::parse(toml).map_err(|errors| format!("{errors:?}"))?;
    let regions = RegionSet::new(["us-chicago"])?;
    Ok(Profile::from_document(&document, regions))
}

/// An hour after which a day, a month and a year end: 29 February 2028, 10:00 UTC.
const SAMPLE: i64 = 1_835_431_200;

/// What the rules say of an item of this class to which this happened at the sample instant.
fn verdict(profile: &Profile, class: &str, event: &str, at: UtcDateTime) -> String {
    let events = [Occurrence::new(event, at)];
    let tenant = TenantId::from_bytes([1; 16]);
    let item = Item::new(tenant, class, ItemId::from(1_i64), &events).in_store(&profile.rows);
    let verdict = profile
        .rules
        .evaluate(&item, &HoldView::none(), &Moment::at(at));
    let keep = match verdict.keep_until {
        KeepUntil::At(until) => until.to_string(),
        other => format!("{other:?}"),
    };
    let gone = verdict
        .gone_by
        .map_or("never".to_owned(), |gone| gone.to_string());
    format!("{class} at {at}: kept until {keep}, gone by {gone}")
}

fn print(profile: &Profile) -> Outcome<String> {
    let mut text = String::new();
    let at = UtcDateTime::from_unix_timestamp(SAMPLE)?;
    writeln!(text, "{}", profile.document)?;
    writeln!(text, "  zone {}", profile.zone)?;
    for rule in profile.rules.rules() {
        let clause = rule
            .clause()
            .map_or("ours".to_owned(), |clause| clause.to_string());
        let limit = match rule.limit() {
            Limit::Floor {
                from,
                period,
                early_secs,
            } => format!("kept {period} from {from}, early {early_secs} s"),
            Limit::Ceiling {
                from,
                period,
                late_secs,
            } => format!("gone {period} from {from}, late {late_secs} s"),
            Limit::Until { event } => format!("kept until {event}"),
        };
        writeln!(
            text,
            "  rule {} ({clause}): {limit}, {:?}",
            rule.id(),
            rule.act()
        )?;
    }
    writeln!(
        text,
        "  {}",
        verdict(profile, CLASS_RECORD, "record.deleted", at)
    )?;
    writeln!(
        text,
        "  {}",
        verdict(profile, CLASS_DATABASE, "database.deleted", at)
    )?;
    let backup = &profile.backup;
    match &backup.cadence {
        Cadence::Every(gap) => writeln!(text, "  backup every {gap}")?,
        Cadence::CivilNight { at } => writeln!(text, "  backup every civil night at {at}")?,
        other => return Err(format!("{other:?}").into()),
    }
    match &backup.keeping {
        Keeping::Bounded {
            ceiling,
            late,
            floor,
            early,
        } => writeln!(
            text,
            "  backups restorable {floor} less {early}, gone by {ceiling} and {late}"
        )?,
        Keeping::Kept { after_end, floor } => writeln!(
            text,
            "  backups restorable {floor}, kept {after_end} after their epoch"
        )?,
        other => return Err(format!("{other:?}").into()),
    }
    let dies = backup.destroy_at(backup.epoch_at(at))?;
    writeln!(
        text,
        "  epochs of {} days; that of {at} dies at {dies}",
        backup.epoch_days
    )?;
    let roots = profile
        .tenant_roots
        .map_or("with the last vault".to_owned(), |after| {
            format!("{after} after the purge")
        });
    writeln!(text, "  roots of a purged tenant die {roots}")?;
    Ok(text)
}

#[test]
fn the_figures_are_as_reviewed() -> Outcome {
    let mut said = String::new();
    for id in ["immidb", "prodb", "protopie"] {
        said.push_str(&print(&profile(&read(id)?)??)?);
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/profiles.txt");
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&golden, &said)?;
    }
    let expect = std::fs::read_to_string(&golden)?;
    assert_eq!(said, expect, "BLESS=1 accepts the new text");
    Ok(())
}

// clause: P-51, P-52
#[test]
fn a_changed_figure_changes_the_profile() -> Outcome {
    let toml = read("prodb")?;
    let at = toml.find("id = \"P-51\"").ok_or("no P-51")?;
    let (head, tail) = toml.split_at(at);
    let changed = profile(&format!("{head}{}", tail.replacen("P30D", "P20D", 1)))??;
    let at = UtcDateTime::from_unix_timestamp(SAMPLE)?;
    let before = verdict(&profile(&toml)??, CLASS_RECORD, "record.deleted", at);
    let after = verdict(&changed, CLASS_RECORD, "record.deleted", at);
    assert_ne!(before, after);
    let kept = |text: &str| {
        let until = text.split("kept until ").nth(1);
        until.and_then(|until| until.split(' ').next().map(str::to_owned))
    };
    assert_eq!(kept(&before), Some("2028-03-30".to_owned()), "{before}");
    assert_eq!(kept(&after), Some("2028-03-20".to_owned()), "{after}");
    Ok(())
}

#[test]
fn a_document_without_a_zone_is_refused() -> Outcome {
    let toml = read("prodb")?;
    let without = toml.replacen("zones = [\"+09:00\"]", "zones = []", 1);
    assert_ne!(without, toml);
    let document = Document::parse(&without);
    match document {
        // The document itself may refuse it; a profile never guesses.
        Err(errors) => assert!(format!("{errors:?}").contains("zone"), "{errors:?}"),
        Ok(document) => {
            let refused = Profile::from_document(&document, RegionSet::new(["us-chicago"])?);
            assert!(
                matches!(refused, Err(ProfileError::NoZone(_))),
                "{refused:?}"
            );
        }
    }
    Ok(())
}

/// The clauses of the only mistake of a text: they cannot all be kept.
fn infeasible(toml: &str) -> Outcome<Vec<String>> {
    let errors = Document::parse(toml).err().ok_or("it was accepted")?;
    let [error] = errors.as_slice() else {
        return Err(format!("{errors:?}").into());
    };
    assert_eq!(error.kind, ErrorKind::Infeasible, "{error}");
    Ok(error.clauses.iter().map(ToString::to_string).collect())
}

// No profile is ever made of figures that exclude each other: such a document does not load.
// clause: P-51, P-52
#[test]
fn a_floor_above_its_ceiling_is_refused() -> Outcome {
    let toml = read("prodb")?;
    let at = toml.find("id = \"P-51\"").ok_or("no P-51")?;
    let (head, tail) = toml.split_at(at);
    let clauses = infeasible(&format!("{head}{}", tail.replacen("P30D", "P90D", 1)))?;
    assert_eq!(clauses, ["P-51", "P-52"]);
    Ok(())
}

// clause: P-18
#[test]
fn backups_whose_floor_leaves_no_room_for_a_sweep_are_refused() -> Outcome {
    let toml = read("prodb")?;
    let at = toml.find("id = \"P-18\"").ok_or("no P-18")?;
    let (head, tail) = toml.split_at(at);
    let tight = tail.replacen("PT49H", "PT1H", 1);
    assert_ne!(tight, tail);
    assert_eq!(infeasible(&format!("{head}{tight}"))?, ["P-18"]);
    Ok(())
}

#[test]
fn our_own_figures_are_within_what_the_pages_allow() -> Outcome {
    for id in ["immidb", "prodb", "protopie"] {
        let profile = profile(&read(id)?)??;
        assert!(profile.backup.sweep >= Duration::minutes(15), "{id}");
        assert!(
            profile.clock_step_max <= std::time::Duration::from_secs(3_600),
            "{id}"
        );
        profile.backup.validate(
            time::Date::from_ordinal_date(2027, 1)?,
            400 / u32::from(profile.backup.epoch_days),
        )?;
    }
    Ok(())
}

/// What is said of an altered text, by the document or else by the profile.
fn refusal(toml: &str) -> Outcome<String> {
    let document = match Document::parse(toml) {
        Err(errors) => return Ok(format!("does not load: {errors:?}")),
        Ok(document) => document,
    };
    let regions = RegionSet::new(["us-chicago"])?;
    Ok(match Profile::from_document(&document, regions) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("no profile: {error}"),
    })
}

// clause: R-23, P-60
#[test]
fn a_key_that_would_die_before_a_floor_is_refused_with_both_names() -> Outcome {
    let immidb = read("immidb")?;
    let short = immidb.replacen("kept = \"P35D\"", "kept = \"P20D\"", 1);
    assert_ne!(short, immidb);
    assert_eq!(refusal(&immidb)?, "accepted");
    let said = refusal(&short)?;
    assert!(
        said.starts_with("does not load") && said.contains("R-23"),
        "{said}"
    );

    let prodb = read("prodb")?;
    let at = prodb.find("id = \"tenant-roots\"").ok_or("no key")?;
    let (head, tail) = prodb.split_at(at);
    let early = tail.replacen("after = \"P6M\"", "after = \"P5M\"", 1);
    assert_ne!(early, tail);
    let said = refusal(&format!("{head}{early}"))?;
    assert!(said.starts_with("does not load"), "{said}");
    assert!(said.contains("tenant-roots"), "{said}");

    // a document that does not say what the key seals still gives no profile
    let silent = early.replacen("seals = [\"rows\", \"objects\"]", "seals = [\"audit\"]", 1);
    assert_ne!(silent, early);
    let said = refusal(&format!("{head}{silent}"))?;
    let expect = "no profile: the key dies by tenant-roots, before P-18 lets it go";
    assert_eq!(said, expect);
    Ok(())
}
