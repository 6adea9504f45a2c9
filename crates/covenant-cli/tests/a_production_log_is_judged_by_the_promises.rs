//! `covenant policy verify-log`: a late purge is told with its case; several logs are one history;
//! what is out of order, changed, unsigned or missing is never good.

#[cfg(test)]
mod common;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use audit_log::bundle;
use audit_log::checkpoint::Checkpoint;
use audit_log::leaf::{Leaf, LeafActor, LeafSource, LeafTarget};
use audit_log::merkle::{MerkleTree, leaf_hash};
use covenant_core::event::{ActorKind, Path as Way};
use covenant_core::note::Ed25519Signer;
use covenant_core::{Action, Id, ItemId, Outcome as Ended};
use time::{Duration, UtcDateTime};

type Outcome = Result<(), Box<dyn Error>>;

/// The log of the tenant in these tests, as checkpoints and leaves spell it.
const LOG: &str = "0198c0de000070008000000000000001";
const ORIGIN: &str = "logs.example/audit/0198c0de000070008000000000000001";

/// A line of another system: hours since the beginning of 2027, an action, a record.
fn line(hours: i64, action: &str, record: &str) -> Result<String, Box<dyn Error>> {
    let at = UtcDateTime::from_unix_timestamp(1_798_761_600)? + Duration::hours(hours);
    let (date, time) = (at.date(), at.time());
    Ok(format!(
        "{{\"at\":\"{date}T{:02}:00:00Z\",\"action\":\"{action}\",\"tenant\":\"{LOG}\",\
         \"target\":{{\"id\":\"{record}\"}}}}\n",
        time.hour()
    ))
}

fn check(folder: &Path, args: &str, code: i32, says: &[&str]) -> Outcome {
    let mut all = vec!["policy", "verify-log"];
    all.extend(args.split_whitespace());
    let output = common::covenant(folder, &all)?;
    let said = [output.stdout, output.stderr].concat();
    let said = str::from_utf8(&said)?;
    assert_eq!(output.status.code(), Some(code), "{args}: {said}");
    for says in says {
        assert!(said.contains(says), "{args}: {says}: {said}");
    }
    Ok(())
}

/// A folder with the small policy, and a record that was purged after this many days.
fn folder(days: i64) -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let policy = common::documents().join("notes.toml");
    fs::copy(policy, folder.path().join("notes.toml"))?;
    let events = [
        line(0, "record.deleted", "01")?,
        line(days * 24, "record.purged", "01")?,
    ];
    fs::write(folder.path().join("log"), events.concat())?;
    Ok(folder)
}

#[test]
fn a_floor_is_kept_or_not_and_nothing_seen_is_not_good() -> Outcome {
    let good = folder(31)?;
    check(
        good.path(),
        "log --policy notes.toml",
        0,
        &["1 held", "0 s to spare"],
    )?;
    check(
        good.path(),
        "--events log --policy notes.toml",
        0,
        &["1 held"],
    )?;
    let json = "--json log --policy notes.toml";
    check(
        good.path(),
        json,
        0,
        &["\"state\": \"held\"", "\"events\": 2"],
    )?;
    let early = folder(29)?;
    let says = [
        "1 violated",
        "early: record.purged",
        "thing 01",
        LOG.get(..8).unwrap_or(""),
    ];
    check(early.path(), "log --policy notes.toml", 1, &says)?;
    fs::write(good.path().join("empty"), "\n\n")?;
    check(
        good.path(),
        "empty --policy notes.toml",
        1,
        &["events       none"],
    )?;
    let other = line(0, "record.created", "01")?;
    fs::write(good.path().join("other"), other)?;
    check(good.path(), "other --policy notes.toml", 1, &["1 unseen"])
}

#[test]
fn usage() -> Outcome {
    let folder = folder(31)?;
    let check = |args, code, says| check(folder.path(), args, code, &[says]);
    check("--policy notes.toml", 2, "LOG")?;
    check("log", 2, "--policy")?;
    check("absent --policy notes.toml", 2, "no such file")?;
    check(". --policy notes.toml", 2, "folder")?;
    check("log --policy absent.toml", 2, "no such file")?;
    check("log --policy log", 3, "log:1:")?;
    check("log --policy notes.toml --until yesterday", 2, "2026-01-31")?;
    check(
        "log --policy notes.toml --from 2027-02-01 --until 2027-01-01",
        2,
        "--until is before",
    )?;
    check("--audit-bundle . --policy notes.toml", 2, "--key")?;
    check("--audit-bundle . --policy notes.toml --key x", 2, "key 1:")
}

#[test]
fn what_cannot_be_judged_is_told_with_its_position() -> Outcome {
    let folder = folder(31)?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    let (early, late) = (
        line(0, "record.deleted", "01")?,
        line(9, "record.deleted", "02")?,
    );
    write("swapped", &format!("{late}\n{early}"))?;
    write("broken", &format!("{early}{{\"at\":}}\n"))?;
    write(
        "timeless",
        &format!("{early}{{\"action\":\"record.purged\"}}"),
    )?;
    write("unknown", &early.replace("deleted", "eaten"))?;
    write("long", &"x".repeat(65_536))?;
    let check = |name: &str, says: &str| {
        check(
            folder.path(),
            &format!("{name} --policy notes.toml"),
            1,
            &[says],
        )
    };
    check("swapped", "swapped:3: an event of 2027-01-01 0:00:00")?;
    check("broken", "broken:2: the line is no json object")?;
    check("timeless", "timeless:2: the event lacks at")?;
    check(
        "unknown",
        "unknown:1: the event has an action that no table has",
    )?;
    check("long", "long:1: a line has at most 65535 bytes")
}

#[test]
fn several_logs_are_one_history() -> Outcome {
    let folder = folder(31)?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    // the purge of the one log belongs to the deletion of the other
    write("deletions", &line(0, "record.deleted", "01")?)?;
    write("purges", &line(29 * 24, "record.purged", "01")?)?;
    let path = folder.path();
    check(
        path,
        "purges deletions --policy notes.toml",
        1,
        &["1 violated", "events       2"],
    )?;
    check(path, "purges --policy notes.toml", 1, &["1 unseen"])
}

#[test]
fn a_period_of_a_history() -> Outcome {
    let folder = folder(29)?;
    let path = folder.path();
    check(
        path,
        "log --policy notes.toml --from 2027-01-30",
        1,
        &["1 violated"],
    )?;
    check(
        path,
        "log --policy notes.toml --from 2027-01-31",
        0,
        &["1 held"],
    )?;
    check(
        path,
        "log --policy notes.toml --until 2027-01-29",
        1,
        &["events       1", "pending"],
    )
}

/// The log's own word for a gap: what it may hide is not decided, and the history is not good.
#[test]
fn a_log_that_names_a_gap_decides_nothing_over_it() -> Outcome {
    let folder = folder(31)?;
    let events = [
        line(0, "record.deleted", "01")?,
        line(24, "record.deleted", "02")?,
        line(48, "log.gap", "00")?,
        line(29 * 24, "record.purged", "01")?,
    ];
    fs::write(folder.path().join("log"), events.concat())?;
    let says = [
        "nothing is known from 2027-01-02T00:00:00Z to 2027-01-03T00:00:00Z",
        "gap",
    ];
    check(folder.path(), "log --policy notes.toml", 1, &says)
}

fn leaf(hours: i64, action: Action) -> Result<Vec<u8>, Box<dyn Error>> {
    let at = UtcDateTime::from_unix_timestamp(1_798_761_600)? + Duration::hours(hours);
    let leaf = Leaf {
        log: Id::from_uuid(LOG.parse()?),
        event: Id::from_uuid(LOG.parse()?),
        at,
        recorded_at: Some(at),
        txn: Some(Id::from_uuid(LOG.parse()?)),
        action,
        outcome: Ended::Ok,
        code: None,
        actor: LeafActor {
            kind: ActorKind::System,
            id: None,
        },
        on_behalf_of: None,
        source: LeafSource {
            path: Way::System,
            address: None,
        },
        target: LeafTarget {
            kind: "record".to_owned(),
            table: None,
            id: Some(ItemId::from(1_i64)),
        },
        decision: None,
        changes: Vec::new(),
        rows: None,
        fields: Vec::new(),
        clauses: Vec::new(),
        data: BTreeMap::new(),
    };
    Ok(leaf.encode()?)
}

/// Writes a log of these leaves as static files, signed.
fn export(folder: &Path, leaves: &[Vec<u8>], signer: &Ed25519Signer) -> Outcome {
    let mut tree = MerkleTree::new();
    for leaf in leaves {
        tree.push(leaf_hash(leaf));
    }
    let size = u64::try_from(leaves.len())?;
    for (number, part) in (0_u64..).zip(leaves.chunks(256)) {
        let path = folder.join(bundle::entries_path(number, size).ok_or("no such bundle")?);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, bundle::encode(part.iter().map(Vec::as_slice))?)?;
        let hashes: Vec<u8> = part
            .iter()
            .flat_map(|leaf| *leaf_hash(leaf).as_bytes())
            .collect();
        let path = folder.join(bundle::hashes_path(number, size).ok_or("no such tile")?);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, hashes)?;
    }
    let checkpoint = Checkpoint::new(ORIGIN, tree.head())?.encode();
    fs::write(
        folder.join("checkpoint"),
        common::signed(&checkpoint, &[signer])?,
    )?;
    Ok(())
}

#[test]
fn a_bundle_is_judged_when_it_is_authentic_and_whole() -> Outcome {
    let folder = folder(31)?;
    let at = |name: &str| folder.path().join(name);
    let signer = common::signer(ORIGIN, 1)?;
    let vkey = signer.vkey().to_string();
    let stranger = common::signer("stranger.example", 2)?.vkey().to_string();
    let mut leaves = vec![leaf(0, Action::RecordDeleted)?];
    for hour in 1..600 {
        leaves.push(leaf(hour, Action::RecordCreated)?);
    }
    leaves.push(leaf(31 * 24, Action::RecordPurged)?);
    export(&at("bundle"), &leaves, &signer)?;
    let args = format!("--audit-bundle bundle --policy notes.toml --key {vkey}");
    let run = |code, says| check(folder.path(), &args, code, &[says]);
    run(0, "authentic, 601 entries")?;
    run(0, "1 held")?;
    let other = args.replace(&vkey, &stranger);
    check(folder.path(), &other, 1, &["not authentic"])?;

    let first = at("bundle/tile/entries/000");
    let entries = fs::read(&first)?;
    let last = at("bundle/tile/entries/002.p/89");
    assert!(last.exists());
    for (path, position) in [(&first, 40), (&last, 100)] {
        let good = fs::read(path)?;
        let mut changed = good.clone();
        changed
            .iter_mut()
            .skip(position)
            .take(1)
            .for_each(|byte| *byte ^= 1);
        fs::write(path, &changed)?;
        run(1, "its leaves are not those that the checkpoint covers")?;
        fs::write(path, good.strip_suffix(b"}").unwrap_or(&good))?;
        run(1, "not a bundle of that many entries")?;
        fs::write(path, &good)?;
    }
    let checkpoint = fs::read_to_string(at("bundle/checkpoint"))?;
    fs::write(
        at("bundle/checkpoint"),
        checkpoint.replace("\n601\n", "\n600\n"),
    )?;
    run(1, "not authentic")?;
    fs::write(at("bundle/checkpoint"), &checkpoint)?;

    // entries that were pruned, their hashes kept: authentic, and nothing is known of them
    fs::remove_file(at("bundle/tile/entries/001"))?;
    run(
        1,
        "nothing is known from 2027-01-11T15:00:00Z to 2027-01-22T08:00:00Z",
    )?;
    fs::remove_file(&first)?;
    run(1, "nothing is known from its beginning")?;
    fs::remove_file(at("bundle/tile/0/001"))?;
    run(1, "neither the entries nor their hashes are there")?;
    fs::write(&first, &entries)?;
    fs::remove_file(at("bundle/checkpoint"))?;
    run(2, "no such file")
}

#[test]
fn a_bundle_of_something_else_is_refused() -> Outcome {
    let folder = folder(31)?;
    let signer = common::signer(ORIGIN, 1)?;
    let args = format!(
        "--audit-bundle bundle --policy notes.toml --key {}",
        signer.vkey()
    );
    let run = |leaves: &[Vec<u8>], says| {
        export(&folder.path().join("bundle"), leaves, &signer)?;
        check(folder.path(), &args, 1, &[says])
    };
    run(&[b"no leaf".to_vec()], "entry 0: ")?;
    let other = String::from_utf8(leaf(0, Action::RecordDeleted)?)?;
    let other = other.replacen("\"log\":\"0198c0de", "\"log\":\"1198c0de", 1);
    run(
        &[leaf(0, Action::RecordDeleted)?, other.into_bytes()],
        "entry 1: the leaf is of another",
    )?;
    let swapped = [
        leaf(5, Action::RecordDeleted)?,
        leaf(0, Action::RecordDeleted)?,
    ];
    run(&swapped, "an event of 2027-01-01 0:00:00")
}

/// What is read from a leaf as JSON is what the leaf holds, and the operator's log has no tenant.
#[test]
fn the_names_of_logs_are_those_of_the_audit_log() {
    let operator = audit_log::operator_log();
    assert_eq!(operator.as_uuid(), policy_document::monitor::OPERATOR_LOG);
}
