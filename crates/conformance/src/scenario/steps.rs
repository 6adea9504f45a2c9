//! What several scenarios do alike: a tenant with a record, instants around a civil midnight, and
//! words for what was seen.

use std::fmt;

use covenant_core::{Action, Event, ItemId};
use time::{Duration, UtcDateTime};

use crate::act::{Act, ActKind, Cadence, Reader, Record, RecordSeen, Seen, Tenant};
use crate::canary::{Canary, occurrences};
use crate::stage::{Stage, Stop};

/// The tenant of a scenario that needs only one.
pub(super) const TENANT: Tenant = Tenant(1);

/// A record that was put, with its canaries and their salts.
#[derive(Debug, Clone)]
pub(super) struct Put {
    pub(super) record: Record,
    pub(super) item: ItemId,
    pub(super) body: Canary,
    pub(super) sensitive: Canary,
    pub(super) attachment: Canary,
}

/// Whether something can be had; printed in evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Readable,
    Altered,
    Unreadable,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readable => "readable",
            Self::Altered => "readable, with other content",
            Self::Unreadable => "unreadable",
        })
    }
}

impl Reach {
    /// What a read gave, compared with what was put.
    pub(super) fn of(seen: Option<&RecordSeen>, put: &Put) -> Self {
        let Some(seen) = seen else {
            return Self::Unreadable;
        };
        let body = occurrences(&seen.body, put.body.marker()) > 0;
        let attachment = seen
            .attachment
            .as_ref()
            .is_some_and(|bytes| occurrences(bytes, put.attachment.marker()) > 0);
        if body && attachment {
            Self::Readable
        } else {
            Self::Altered
        }
    }
}

/// Checks that at least as many of so many are so as the clause's share asks for.
pub(super) fn as_many(
    stage: &mut Stage<'_>,
    what: impl fmt::Display,
    whole: u64,
    have: u64,
) -> Result<(), Stop> {
    let least = stage.brief().least_of(whole);
    stage.check(format!("{what}, of {whole}"), least, have.min(least))
}

/// Creates a tenant that is backed up only on demand.
pub(super) async fn tenant_alone(stage: &mut Stage<'_>, tenant: Tenant) -> Result<(), Stop> {
    stage
        .done(Act::SetCadence {
            cadence: Cadence::Off,
        })
        .await?;
    stage.done(Act::CreateTenant { tenant }).await
}

/// Puts a record with a body, a sensitive field and an attachment.
pub(super) async fn put(
    stage: &mut Stage<'_>,
    tenant: Tenant,
    record: Record,
) -> Result<Put, Stop> {
    let (body, sensitive, attachment) = (stage.canary(), stage.canary(), stage.canary());
    let seen = stage
        .put(Act::PutRecord {
            tenant,
            record,
            body: body.clone(),
            sensitive: Some(sensitive.clone()),
            attachment: Some(attachment.clone()),
        })
        .await?;
    Ok(Put {
        record,
        item: seen.item,
        body: body.with_salts(seen.body),
        sensitive: sensitive.with_salts(seen.sensitive),
        attachment: attachment.with_salts(seen.attachment),
    })
}

/// What a fresh request reads of the record.
pub(super) async fn reach(stage: &mut Stage<'_>, tenant: Tenant, put: &Put) -> Result<Reach, Stop> {
    let seen = stage
        .read(Act::ReadRecord {
            tenant,
            record: put.record,
        })
        .await?;
    Ok(Reach::of(seen.as_ref(), put))
}

/// Whether normal lists show the record: 1 or 0.
pub(super) async fn listed(
    stage: &mut Stage<'_>,
    tenant: Tenant,
    record: Record,
) -> Result<u64, Stop> {
    match stage.try_act(Act::ListRecords { tenant }).await? {
        Ok(Seen::Records(records)) => Ok(u64::from(records.contains(&record))),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::ListRecords)),
        Err(_) => Ok(0),
    }
}

/// The ways by which the record can be read now; a fresh request and an open session must be there.
pub(super) async fn ways(
    stage: &mut Stage<'_>,
    tenant: Tenant,
    put: &Put,
) -> Result<Vec<Reader>, Stop> {
    let mut ways = Vec::new();
    for reader in Reader::ALL {
        if let Some(reach) = read_by(stage, tenant, put, *reader).await? {
            stage.premise(format!("read by {reader:?}"), Reach::Readable, reach)?;
            ways.push(*reader);
        }
    }
    for way in [Reader::Front, Reader::OpenSession] {
        let has = if ways.contains(&way) {
            "there"
        } else {
            "missing"
        };
        stage.premise(format!("a way to read by {way:?}"), "there", has)?;
    }
    Ok(ways)
}

/// Checks that nothing of the record is read: by any of the ways, by list or by reveal.
pub(super) async fn unreadable(
    stage: &mut Stage<'_>,
    what: &str,
    tenant: Tenant,
    put: &Put,
    ways: &[Reader],
) -> Result<(), Stop> {
    for reader in ways {
        let reach = read_by(stage, tenant, put, *reader).await?;
        stage.check(
            format!("{what} read by {reader:?}"),
            "unreadable",
            word(reach),
        )?;
    }
    let count = listed(stage, tenant, put.record).await?;
    stage.check(format!("{what} in lists"), 0, count)?;
    let act = Act::RevealSensitive {
        tenant,
        record: put.record,
    };
    let revealed = stage.try_act(act).await?;
    let observed = if matches!(revealed, Ok(Seen::Revealed(_))) {
        "revealed"
    } else {
        "refused"
    };
    stage.check(
        format!("the sensitive field of {what}"),
        "refused",
        observed,
    )
}

/// What one way of reading gives; `None` when the system has no such way.
pub(super) async fn read_by(
    stage: &mut Stage<'_>,
    tenant: Tenant,
    put: &Put,
    reader: Reader,
) -> Result<Option<Reach>, Stop> {
    let act = Act::ReadFrom {
        tenant,
        record: put.record,
        reader,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Record(seen)) => Ok(Some(Reach::of(Some(&seen), put))),
        Ok(Seen::Absent) => Ok(None),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::ReadFrom)),
        Err(_) => Ok(Some(Reach::Unreadable)),
    }
}

/// Whether something was read.
pub(super) const fn word(reach: Option<Reach>) -> &'static str {
    match reach {
        Some(Reach::Readable | Reach::Altered) => "readable",
        Some(Reach::Unreadable) | None => "unreadable",
    }
}

/// Three instants around a bound: now, just before the next midnight of the document's zone, and
/// that midnight (the last instant of one civil day and the first of another). `before` is how long
/// before midnight the second one lies.
pub(super) fn around_midnight(stage: &Stage<'_>, before: Duration) -> [UtcDateTime; 3] {
    let now = stage.now();
    let midnight = stage.brief().zone().midnight_after(now);
    let second = midnight.checked_sub(before).unwrap_or(midnight);
    if second > now {
        [now, second, midnight]
    } else {
        [
            now,
            midnight,
            midnight.checked_add(Duration::HOUR).unwrap_or(midnight),
        ]
    }
}

/// One second before the instant.
pub(super) fn second_before(at: UtcDateTime) -> UtcDateTime {
    at.checked_sub(Duration::SECOND).unwrap_or(at)
}

/// One second after the instant.
pub(super) fn second_after(at: UtcDateTime) -> UtcDateTime {
    at.checked_add(Duration::SECOND).unwrap_or(at)
}

/// The events of these actions on the item, in order.
pub(super) fn events_on<'e>(
    events: &'e [Event],
    item: &'e ItemId,
    actions: &'e [Action],
) -> impl Iterator<Item = &'e Event> {
    events.iter().filter(move |event| {
        event.target.id.as_ref() == Some(item) && actions.contains(&event.action)
    })
}
