//! The life of a key: that it can be switched off.

use covenant_core::{BoxFuture, KeyId};
use time::Duration;

use super::steps::{Put, Reach, TENANT, put, reach, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{
    Act, ActKind, KeyRole, KeySeen, KeyStanding, KeyUse, KeyVerb, Reader, Record, Seen,
};
use crate::canary::occurrences;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// How long an unwrapped key may be kept in memory, as `crypto-envelope` declares (4.9): the bound by
/// which every process has stopped.
pub(super) const CACHE_BOUND: Duration = Duration::seconds(60);

/// A key that is switched off, or scheduled for its destruction, by hand opens nothing: at once where
/// that was done, and everywhere within the bound of the caches; switched on again, it opens all.
pub(super) const DISABLE_WORKS: Scenario = Scenario {
    id: "keys::disable_works",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::SetCadence,
        ActKind::ListKeys,
        ActKind::AdministerKey,
    ],
    kills: &[Sabotage::DisabledKeyWorks],
    run: disable_works,
};

fn disable_works<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let put = put(stage, TENANT, Record(1)).await?;
        let contents = key_of(stage, KeyUse::Contents(TENANT)).await?.id;
        let sensitive = key_of(stage, KeyUse::Sensitive(TENANT)).await?.id;
        works(stage, &put).await?;

        switch(stage, contents, KeyVerb::Disable).await?;
        opens_nothing(stage, contents, &put, KeyStanding::Disabled).await?;
        switch(stage, contents, KeyVerb::Enable).await?;
        stage.pass(CACHE_BOUND).await?;
        works(stage, &put).await?;

        switch(stage, sensitive, KeyVerb::Disable).await?;
        for wait in [Duration::ZERO, CACHE_BOUND] {
            stage.pass(wait).await?;
            let seen = revealed(stage, &put).await?;
            let what = format!("the sensitive field, {wait} after its key was switched off");
            stage.check(what, Reach::Unreadable, seen)?;
        }
        switch(stage, sensitive, KeyVerb::Enable).await?;
        works(stage, &put).await?;

        let days = KeyVerb::Schedule { days: 30 };
        switch(stage, contents, days).await?;
        opens_nothing(stage, contents, &put, KeyStanding::Waiting).await?;
        switch(stage, contents, KeyVerb::Cancel).await?;
        opens_nothing(stage, contents, &put, KeyStanding::Disabled).await?;
        switch(stage, contents, KeyVerb::Enable).await?;
        stage.pass(CACHE_BOUND).await?;
        works(stage, &put).await
    })
}

/// All of the record can be had, here and in another process, which keeps the key from now on.
async fn works(stage: &mut Stage<'_>, put: &Put) -> Result<(), Stop> {
    for reader in [Reader::Front, Reader::SecondProcess] {
        let seen = reach_by(stage, put, reader).await?;
        let what = format!("the record by {reader:?} while its key is on");
        stage.check(what, Reach::Readable, seen.unwrap_or(Reach::Readable))?;
    }
    let seen = revealed(stage, put).await?;
    stage.check(
        "the sensitive field while its key is on",
        Reach::Readable,
        seen,
    )
}

/// Nothing of the record can be had: here at once, and by no way once the caches are over.
async fn opens_nothing(
    stage: &mut Stage<'_>,
    key: KeyId,
    put: &Put,
    expected: KeyStanding,
) -> Result<(), Stop> {
    standing(stage, key, expected).await?;
    let seen = reach(stage, TENANT, put).await?;
    stage.check("the record at once", Reach::Unreadable, seen)?;
    stage.pass(CACHE_BOUND).await?;
    for reader in Reader::ALL {
        let seen = reach_by(stage, put, *reader).await?;
        let what = format!("the record by {reader:?} after the bound of the caches");
        stage.check(what, Reach::Unreadable, seen.unwrap_or(Reach::Unreadable))?;
    }
    let seen = revealed(stage, put).await?;
    stage.check("the sensitive field", Reach::Unreadable, seen)
}

/// What this way gives of the record; `None` when there is no such way.
async fn reach_by(stage: &mut Stage<'_>, put: &Put, reader: Reader) -> Result<Option<Reach>, Stop> {
    let act = Act::ReadFrom {
        tenant: TENANT,
        record: put.record,
        reader,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Absent) => Ok(None),
        Ok(Seen::Record(seen)) => Ok(Some(Reach::of(Some(&seen), put))),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::ReadFrom)),
        Err(_) => Ok(Some(Reach::Unreadable)),
    }
}

pub(super) async fn revealed(stage: &mut Stage<'_>, put: &Put) -> Result<Reach, Stop> {
    let act = Act::RevealSensitive {
        tenant: TENANT,
        record: put.record,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Revealed(plain)) if occurrences(&plain, put.sensitive.marker()) > 0 => {
            Ok(Reach::Readable)
        }
        Ok(Seen::Revealed(_)) => Ok(Reach::Altered),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::RevealSensitive)),
        Err(_) => Ok(Reach::Unreadable),
    }
}

/// All keys, as the administrator of the system sees them.
pub(super) async fn keys(stage: &mut Stage<'_>) -> Result<Vec<KeySeen>, Stop> {
    let role = KeyRole::SystemAdministrator;
    match stage.act(Act::ListKeys { role }).await? {
        Seen::Keys(keys) => Ok(keys),
        _ => Err(Stop::WrongAnswer(ActKind::ListKeys)),
    }
}

/// The one key that serves this.
pub(super) async fn key_of(stage: &mut Stage<'_>, serves: KeyUse) -> Result<KeySeen, Stop> {
    let mut keys = keys(stage).await?;
    keys.retain(|key| key.serves == serves);
    stage.premise(format!("keys of {serves:?}"), 1, keys.len())?;
    keys.pop().ok_or(Stop::WrongAnswer(ActKind::ListKeys))
}

async fn standing(stage: &mut Stage<'_>, key: KeyId, expected: KeyStanding) -> Result<(), Stop> {
    let keys = keys(stage).await?;
    let seen = keys.into_iter().find(|seen| seen.id == key);
    let seen = seen.ok_or(Stop::WrongAnswer(ActKind::ListKeys))?.standing;
    stage.check("the key of the record", expected, seen)
}

/// What comes of a verb in the role that may.
pub(super) async fn administered(
    stage: &mut Stage<'_>,
    key: KeyId,
    verb: KeyVerb,
) -> Result<&'static str, Stop> {
    let role = KeyRole::SystemAdministrator;
    let done = stage
        .try_act(Act::AdministerKey { role, key, verb })
        .await?;
    Ok(if done.is_ok() { "done" } else { "denied" })
}

/// A verb that can be done by hand.
async fn switch(stage: &mut Stage<'_>, key: KeyId, verb: KeyVerb) -> Result<(), Stop> {
    let seen = administered(stage, key, verb).await?;
    stage.check(format!("to {verb} by hand"), "done", seen)
}
