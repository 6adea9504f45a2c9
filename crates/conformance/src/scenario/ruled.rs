//! Every store under the rules: wherever something of a tenant lies, each class in it has rules, and a
//! system whose rules say nothing of one does not start.

use covenant_core::BoxFuture;

use super::steps::{Reach, TENANT, as_many, put, reach, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Lacking, Record, Seen, StoreSeen};
use crate::canary::Store;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Of every store in which bytes of a record are found there are rules; without them, or with a store
/// too many, no deployment starts.
pub(super) const EVERY_STORE_RULED: Scenario = Scenario {
    id: "privacy::every_store_ruled",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::ListStores,
        ActKind::StartAnother,
    ],
    kills: &[Sabotage::StoreSkipped],
    run: every_store_ruled,
};

/// Where something of a record lies in the end.
const PLACES: [Store; 3] = [Store::Rows, Store::Objects, Store::Backups];

fn every_store_ruled<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let record = put(stage, TENANT, Record(1)).await?;
        stage.back_up(TENANT).await?;
        let stores = match stage.act(Act::ListStores).await? {
            Seen::Stores(stores) => stores,
            _ => return Err(Stop::WrongAnswer(ActKind::ListStores)),
        };
        for place in PLACES {
            let mut bytes = 0;
            for canary in [&record.body, &record.sensitive, &record.attachment] {
                bytes += stage.search(canary).await?.anything(place);
            }
            stage.premise_some(format!("bytes of a record in {place}"), bytes)?;
            let known = stores.iter().find(|store| store.lies == Some(place));
            let seen = known.map_or("unknown to the rules", |_| "ruled");
            stage.check(format!("the store {place}"), "ruled", seen)?;
        }
        let (mut all, mut ruled) = (0_u64, 0_u64);
        for store in &stores {
            let name = &store.name;
            let missing = unruled(store);
            stage.check(format!("classes in {name} without a rule"), 0, missing)?;
            let classes = u64::try_from(store.classes.len()).unwrap_or(u64::MAX);
            stage.premise_some(format!("classes in {name}"), classes)?;
            all = all.saturating_add(classes);
            ruled = ruled.saturating_add(classes.saturating_sub(missing));
        }
        as_many(stage, "classes in stores, under a rule", all, ruled)?;
        whole_starts(stage).await?;
        for lacking in stores.iter().flat_map(lacking) {
            let what = format!("a deployment whose rules lack {lacking:?}");
            let seen = starts(stage, lacking).await?;
            stage.check(what, "does not start", seen)?;
        }
        let seen = starts(stage, Lacking::Unknown).await?;
        let what = "a deployment with a store that nobody ruled";
        stage.check(what, "does not start", seen)?;
        let reach = reach(stage, TENANT, &record).await?;
        stage.check("the record here", Reach::Readable, reach)
    })
}

/// Everything that rules can lack of a store.
fn lacking(store: &StoreSeen) -> Vec<Lacking> {
    let name = || store.name.clone();
    let mut all = vec![Lacking::Store(name())];
    for class in store.classes.keys() {
        let class = || class.clone();
        all.push(Lacking::Class {
            store: name(),
            class: class(),
        });
        all.push(Lacking::Rules {
            store: name(),
            class: class(),
        });
    }
    all
}

async fn whole_starts(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let whole = starts(stage, Lacking::Nothing).await?;
    stage.premise("a deployment that lacks nothing", "starts", whole)
}

/// Checks that no deployment starts whose store of attachments keeps what is deleted: of that no search
/// of this one could find anything.
pub(super) async fn keeps_no_versions(stage: &mut Stage<'_>) -> Result<(), Stop> {
    whole_starts(stage).await?;
    let seen = starts(stage, Lacking::Removal).await?;
    let what = "a deployment whose store of attachments keeps every version";
    stage.check(what, "does not start", seen)
}

async fn starts(stage: &mut Stage<'_>, lacking: Lacking) -> Result<&'static str, Stop> {
    let started = stage.try_act(Act::StartAnother { lacking }).await?;
    Ok(if started.is_ok() {
        "starts"
    } else {
        "does not start"
    })
}

/// How many of the classes in a store have no rule.
fn unruled(store: &StoreSeen) -> u64 {
    let rules = store.classes.values();
    let missing = rules.filter(|rules| rules.is_empty()).count();
    u64::try_from(missing).unwrap_or(u64::MAX)
}
