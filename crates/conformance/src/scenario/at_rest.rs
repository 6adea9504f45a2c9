//! Data at rest: no stored byte shows content, under keys of the promised length.
//!
//! The marker is searched as it would lie there in clear. That the search looks at the right bytes
//! is shown by the salts of the sealed values, which it must find in the same place.

use std::collections::BTreeSet;

use covenant_core::BoxFuture;

use super::steps::{Put, TENANT, as_many, put, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, KeysAtHand, Opening, Record, SealingSeen, Seen};
use crate::canary::{Canary, Sight, Sightings, Store, occurrences};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// The first bytes of every SQLite database file: a copy left in clear carries them.
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";

/// No text or blob column shows content, and none is undeclared; each value has a salt of its own and
/// opens under one key, of the promised length.
pub(super) const ROWS: Scenario = Scenario {
    id: "at_rest::rows",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::ReadRecord,
        ActKind::DescribeSealing,
    ],
    kills: &[Sabotage::FieldPlain, Sabotage::Aes128],
    run: rows,
};

/// No object shows the content of an attached file.
pub(super) const ATTACHMENTS: Scenario = Scenario {
    id: "at_rest::attachments",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DescribeSealing,
    ],
    kills: &[Sabotage::FieldPlain, Sabotage::Aes128],
    run: attachments,
};

/// No byte of the depot shows content, sealed values or the database file, and without keys nothing
/// is restored.
pub(super) const BACKUPS: Scenario = Scenario {
    id: "at_rest::backups",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::BackUp,
        ActKind::RestoreSnapshot,
        ActKind::SetCadence,
    ],
    kills: &[Sabotage::BackupPlaintext],
    run: backups,
};

/// An especially sensitive field is sealed in so many layers, each under a root of its own, and the
/// outer root alone shows nothing.
pub(super) const SECOND_LAYER: Scenario = Scenario {
    id: "at_rest::second_layer",
    shape: Shape::Count,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::RevealSensitive,
        ActKind::DescribeSealing,
    ],
    kills: &[Sabotage::OneLayer],
    run: second_layer,
};

fn rows<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let kept = put(stage, TENANT, Record(1)).await?;
        let changed = put(stage, TENANT, Record(2)).await?;
        let body = stage.canary();
        let act = Act::ChangeRecord {
            tenant: TENANT,
            record: Record(2),
            body: body.clone(),
        };
        let seen = stage.put(act).await?;
        let new_body = body.with_salts(seen.body);
        for canary in [
            &kept.body,
            &kept.sensitive,
            &changed.body,
            &changed.sensitive,
            &new_body,
        ] {
            let sightings = stage.search(canary).await?;
            no_marker(
                stage,
                &sightings,
                &[Store::Rows, Store::Audit, Store::Other],
            )?;
        }
        for canary in [&kept.body, &kept.sensitive, &new_body] {
            search_sees(stage, canary, Store::Rows).await?;
        }
        let mut planted = BTreeSet::new();
        let mut sealed = BTreeSet::new();
        let mut content = BTreeSet::new();
        for (record, canary) in [
            (Record(1), &kept.body),
            (Record(1), &kept.sensitive),
            (Record(2), &new_body),
        ] {
            let sealing = sealed_as_promised(stage, record, canary).await?;
            let undeclared = sealing.undeclared_columns.join(", ");
            stage.check("columns that nothing declares", String::new(), undeclared)?;
            if !sealing.layers.is_empty() {
                sealed.insert(sealing.column.clone());
            }
            planted.insert(sealing.column);
            content.extend(sealing.content_columns);
        }
        let bare: Vec<_> = content.difference(&planted).cloned().collect();
        stage.premise(
            "columns of content without a canary",
            String::new(),
            bare.join(", "),
        )?;
        let count = |columns: usize| u64::try_from(columns).unwrap_or(u64::MAX);
        let (all, sealed) = (content.len(), content.intersection(&sealed).count());
        let what = "columns of content with sealed values";
        as_many(stage, what, count(all), count(sealed))?;
        let all = [
            &kept.body,
            &kept.sensitive,
            &changed.body,
            &changed.sensitive,
            &new_body,
        ];
        let salts: Vec<_> = all.iter().flat_map(|canary| canary.salts()).collect();
        let distinct: BTreeSet<_> = salts.iter().collect();
        stage.check(
            "distinct salts of so many sealed values",
            salts.len(),
            distinct.len(),
        )
    })
}

fn attachments<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let kept = put(stage, TENANT, Record(1)).await?;
        let sightings = stage.search(&kept.attachment).await?;
        no_marker(
            stage,
            &sightings,
            &[Store::Objects, Store::Rows, Store::Audit, Store::Other],
        )?;
        search_sees(stage, &kept.attachment, Store::Objects).await?;
        sealed_as_promised(stage, Record(1), &kept.attachment).await?;
        Ok(())
    })
}

fn backups<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let kept = put(stage, TENANT, Record(1)).await?;
        let snapshot = stage.back_up(TENANT).await?;
        for canary in [&kept.body, &kept.sensitive, &kept.attachment] {
            let sightings = stage.search(canary).await?;
            for store in [Store::Backups, Store::Replica] {
                let raw = sightings.found(store, Sight::Marker);
                stage.check(format!("marker in {store}, raw"), 0, raw)?;
                let salts = sightings.found(store, Sight::Salt);
                stage.check(format!("salts of sealed values in {store}, raw"), 0, salts)?;
            }
            let scanned = sightings.scanned_bytes(Store::Backups);
            stage.premise_some("bytes searched in backups", scanned)?;
        }
        let header = stage.search(&Canary::of(SQLITE_HEADER)).await?;
        for store in [Store::Backups, Store::Replica] {
            let raw = header.found(store, Sight::Marker);
            stage.check(format!("header of a database file in {store}, raw"), 0, raw)?;
        }
        let act = |keys| Act::RestoreSnapshot {
            tenant: TENANT,
            snapshot: snapshot.id,
            keys,
        };
        let without = stage.try_act(act(KeysAtHand::None)).await?;
        let observed = if without.is_ok() {
            "restored"
        } else {
            "refused"
        };
        stage.check("restore without keys", "refused", observed)?;
        let Seen::Restored(records) = stage.act(act(KeysAtHand::All)).await? else {
            return Err(Stop::WrongAnswer(ActKind::RestoreSnapshot));
        };
        let whole = restored(&records, &kept);
        stage.premise("restore with keys", "gives the record", whole)
    })
}

fn second_layer<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let kept = put(stage, TENANT, Record(1)).await?;
        let reveal = Act::RevealSensitive {
            tenant: TENANT,
            record: Record(1),
        };
        let Seen::Revealed(content) = stage.act(reveal).await? else {
            return Err(Stop::WrongAnswer(ActKind::RevealSensitive));
        };
        let seen = occurrences(&content, kept.sensitive.marker());
        stage.premise("the field when revealed holds the marker", 1, seen.min(1))?;
        let count = stage.brief().count()?;
        let sealing = sealing(stage, Record(1), &kept.sensitive).await?;
        let layers = u64::try_from(sealing.layers.len()).unwrap_or(u64::MAX);
        stage.check("layers of the sensitive field", count, layers)?;
        let mut roots: Vec<_> = sealing.layers.iter().map(|layer| layer.root).collect();
        roots.sort_unstable();
        roots.dedup();
        let roots = u64::try_from(roots.len()).unwrap_or(u64::MAX);
        stage.check("roots of the sensitive field", count, roots)?;
        let outer = match sealing.outer_alone {
            Opening::Opened => "shows the content",
            Opening::Refused => "shows nothing",
        };
        stage.check("the outer root alone", "shows nothing", outer)
    })
}

fn restored(records: &std::collections::BTreeMap<Record, Vec<u8>>, put: &Put) -> &'static str {
    let found = records
        .get(&put.record)
        .is_some_and(|body| occurrences(body, put.body.marker()) > 0);
    if found {
        "gives the record"
    } else {
        "lacks the record"
    }
}

/// Checks that the marker lies in none of the stores as it is.
fn no_marker(stage: &mut Stage<'_>, seen: &Sightings, stores: &[Store]) -> Result<(), Stop> {
    for store in stores {
        let raw = seen.found(*store, Sight::Marker);
        stage.check(format!("marker in {store}, raw"), 0, raw)?;
    }
    Ok(())
}

/// States that the search finds the sealed value where it must be.
async fn search_sees(stage: &mut Stage<'_>, canary: &Canary, store: Store) -> Result<(), Stop> {
    let sightings = stage.search(canary).await?;
    stage.premise_some(
        format!("bytes searched in {store}"),
        sightings.scanned_bytes(store),
    )?;
    let salts = sightings.found(store, Sight::Salt);
    stage.premise_some(format!("salts of the sealed value found in {store}"), salts)
}

/// Checks that a stored value is sealed, and each layer under a key of the promised length.
async fn sealed_as_promised(
    stage: &mut Stage<'_>,
    record: Record,
    canary: &Canary,
) -> Result<SealingSeen, Stop> {
    let sealing = sealing(stage, record, canary).await?;
    let sealed = if sealing.layers.is_empty() {
        "in clear"
    } else {
        "sealed"
    };
    stage.check("the stored value", "sealed", sealed)?;
    stage.note_plain(sealing.plain_columns.iter().cloned());
    if let Some(bits) = stage.brief().key_bits() {
        for layer in &sealing.layers {
            stage.check("bits of the key", bits, layer.key_bits)?;
            stage.check("cipher", format!("aes-{bits}"), layer.cipher.clone())?;
        }
    }
    Ok(sealing)
}

async fn sealing(
    stage: &mut Stage<'_>,
    record: Record,
    canary: &Canary,
) -> Result<SealingSeen, Stop> {
    let act = Act::DescribeSealing {
        tenant: TENANT,
        record,
        canary: canary.clone(),
    };
    match stage.act(act).await? {
        Seen::Sealing(sealing) => Ok(sealing),
        _ => Err(Stop::WrongAnswer(ActKind::DescribeSealing)),
    }
}
