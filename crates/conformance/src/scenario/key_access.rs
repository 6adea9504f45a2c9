//! Access to keys: the role that may, and a record of everything.

use covenant_core::{Action, BoxFuture, ItemId, KeyId, Outcome};
use time::Duration;

use super::key_life::{CACHE_BOUND, key_of, keys, revealed};
use super::steps::{Put, Reach, TENANT, put, reach, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Cadence, KeyRole, KeyUse, KeyVerb, Record};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Everything that can be done to a key by hand.
const VERBS: [KeyVerb; 5] = [
    KeyVerb::Disable,
    KeyVerb::Enable,
    KeyVerb::Schedule { days: 30 },
    KeyVerb::Cancel,
    KeyVerb::Rotate,
];
/// By then the background work, once a day here, has told the log what happened to keys.
const TOLD: Duration = Duration::days(2);

/// The roles that the words name reach the keys and no other does; every refusal is on record, and
/// so is every unwrap that a read needed.
pub(super) const ADMIN_ONLY: Scenario = Scenario {
    id: "keys::admin_only",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::RevealSensitive,
        ActKind::SetCadence,
        ActKind::ListKeys,
        ActKind::AdministerKey,
    ],
    kills: &[Sabotage::MemberUnwraps, Sabotage::UnwrapUnlogged],
    run: admin_only,
};

fn admin_only<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let may = stage.brief().words(|word| {
            let mut roles = KeyRole::ALL.into_iter();
            roles.find(|role| role.to_string() == word)
        });
        let named = u64::try_from(may.len()).unwrap_or(u64::MAX);
        stage.premise_some("roles that are named", named)?;
        tenant_alone(stage, TENANT).await?;
        let put = put(stage, TENANT, Record(1)).await?;
        let contents = key_of(stage, KeyUse::Contents(TENANT)).await?.id;
        let sensitive = key_of(stage, KeyUse::Sensitive(TENANT)).await?.id;
        for role in &may {
            let listed = stage.try_act(Act::ListKeys { role: *role }).await?;
            stage.premise(format!("{role} lists keys"), true, listed.is_ok())?;
            for verb in [KeyVerb::Disable, KeyVerb::Enable] {
                let seen = tried(stage, *role, contents, verb).await?;
                stage.premise(format!("{role}: {verb}"), "done", seen)?;
            }
        }
        let others = KeyRole::ALL.into_iter().filter(|role| !may.contains(role));
        let refused = refused(stage, others, [contents, sensitive]).await?;
        unwraps(stage, &put, [contents, sensitive]).await?;
        let events = stage.events().await?;
        let on_record = events
            .iter()
            .filter(|event| event.target.kind == "key" && event.outcome == Outcome::Denied);
        stage.check("refusals on record", refused, on_record.count())
    })
}

/// Every verb is refused to each of these roles, and changes nothing; returns how many were.
async fn refused(
    stage: &mut Stage<'_>,
    roles: impl Iterator<Item = KeyRole> + Send,
    targets: [KeyId; 2],
) -> Result<usize, Stop> {
    let before = keys(stage).await?;
    let mut refused: usize = 0;
    for role in roles {
        let listed = stage.try_act(Act::ListKeys { role }).await?;
        let seen = if listed.is_ok() { "done" } else { "denied" };
        stage.check(format!("{role} lists keys"), "denied", seen)?;
        refused = refused.saturating_add(1);
        for key in targets {
            for verb in VERBS {
                let seen = tried(stage, role, key, verb).await?;
                stage.check(format!("{role}: {verb}"), "denied", seen)?;
                refused = refused.saturating_add(1);
            }
        }
    }
    let seen = if keys(stage).await? == before {
        "as before"
    } else {
        "changed"
    };
    stage.check("keys after what was refused", "as before", seen)?;
    Ok(refused)
}

/// With no key in memory, a read unwraps the keys that it needs, and the log tells of each.
async fn unwraps(stage: &mut Stage<'_>, put: &Put, needed: [KeyId; 2]) -> Result<(), Stop> {
    stage.pass(CACHE_BOUND).await?;
    let from = stage.now();
    let read = reach(stage, TENANT, put).await?;
    stage.premise("the record", Reach::Readable, read)?;
    let shown = revealed(stage, put).await?;
    stage.premise("the sensitive field", Reach::Readable, shown)?;
    let cadence = Cadence::Daily;
    stage.done(Act::SetCadence { cadence }).await?;
    stage.pass(TOLD).await?;
    let events = stage.events().await?;
    for key in needed {
        let item = ItemId::from(key.as_uuid());
        let unwrapped = events.iter().any(|event| {
            event.action == Action::KeyUnwrapped
                && event.target.id.as_ref() == Some(&item)
                && event.at == from
        });
        let seen = if unwrapped { "on record" } else { "unknown" };
        stage.check("the unwrap that the read needed", "on record", seen)?;
    }
    Ok(())
}

async fn tried(
    stage: &mut Stage<'_>,
    role: KeyRole,
    key: KeyId,
    verb: KeyVerb,
) -> Result<&'static str, Stop> {
    let done = stage
        .try_act(Act::AdministerKey { role, key, verb })
        .await?;
    Ok(if done.is_ok() { "done" } else { "denied" })
}
