//! Rules that customers set for themselves: stricter ones count, and are carried out; weaker ones, and
//! those that contradict, are refused with the names of both sides, and change nothing.

use covenant_core::{BoxFuture, Period};
use time::{Duration, UtcDateTime};

use super::bin::nothing_left;
use super::steps::{Put, TENANT, put, second_after, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{
    Act, ActKind, Asks, Matter, OwnRule, Person, Record, RuleSeen, Seen, Tenant, Whose,
};
use crate::canary::Store;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// The neighbour who sets no rules.
const NEIGHBOUR: Tenant = Tenant(2);
/// Seconds by which the readings of one period in days may differ.
const READINGS_SECS: u64 = 86_400;

/// Of a tenant's rules those that narrow are in force until it changes them, also after its store was
/// replaced by a backup; no other changes anything.
pub(super) const TENANT_RULES_ONLY_NARROW: Scenario = Scenario {
    id: "database::tenant_rules_only_narrow",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::DeleteDatabase,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::RestoreInPlace,
        ActKind::SetRules,
        ActKind::ListRules,
    ],
    kills: &[Sabotage::TenantWeakens],
    run: only_narrow,
};

fn only_narrow<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        for tenant in [TENANT, NEIGHBOUR] {
            tenant_alone(stage, tenant).await?;
        }
        let own = put(stage, TENANT, Record(1)).await?;
        let others = put(stage, NEIGHBOUR, Record(1)).await?;
        let last = put(stage, TENANT, Record(2)).await?;
        let backup = stage.back_up(TENANT).await?;
        let vendor = rules(stage, TENANT).await?;
        let strict = stricter(&vendor);
        let narrows = u64::try_from(strict.len()).unwrap_or(u64::MAX);
        stage.premise_some("rules that narrow", narrows)?;

        refused(stage, &vendor, &vendor).await?;
        for person in [
            Person::Member,
            Person::Reader,
            Person::Stranger,
            Person::Staff,
        ] {
            let denied = set(stage, strict.clone(), person).await?.is_err();
            let seen = if denied { "refused" } else { "accepted" };
            stage.check(format!("rules set by a {person}"), "refused", seen)?;
        }
        let accepted = set(stage, strict.clone(), Person::DatabaseAdministrator).await?;
        let seen = accepted.err().unwrap_or_else(|| "accepted".to_owned());
        stage.check("rules that narrow", "accepted".to_owned(), seen)?;
        let in_force = rules(stage, TENANT).await?;
        check_own(stage, &in_force, &strict)?;
        refused(stage, &vendor, &in_force).await?;
        let act = Act::RestoreInPlace {
            tenant: TENANT,
            snapshot: backup.id,
        };
        stage.done(act).await?;
        let after = rules(stage, TENANT).await?;
        check_own(stage, &after, &strict)?;
        let neighbours = rules(stage, NEIGHBOUR).await?;
        check_own(stage, &neighbours, &[])?;

        binned(stage, &in_force, (&own, &others)).await?;
        deleted(stage, &in_force, &last).await
    })
}

/// A record that is deleted is there for as long as the longest rule says, and gone when the shortest
/// does.
async fn binned(
    stage: &mut Stage<'_>,
    in_force: &[RuleSeen],
    (own, others): (&Put, &Put),
) -> Result<(), Stop> {
    let from = stage.now();
    for (tenant, put) in [(TENANT, own), (NEIGHBOUR, others)] {
        let record = put.record;
        stage.done(Act::DeleteRecord { tenant, record }).await?;
    }
    if let Some(floor) = floor(stage, in_force, from)? {
        stage.pass_until(floor - Duration::SECOND).await?;
        let found = stage.search(&own.body).await?.anything(Store::Rows);
        let found = if found > 0 { "there" } else { "gone" };
        stage.check("a record within its tenant's floor", "there", found)?;
    }
    if let Some(ceiling) = ceiling(stage, in_force, Matter::Record, from)? {
        stage.pass_until(second_after(ceiling)).await?;
        for (whose, put) in [("the tenant's record", own), ("its neighbour's", others)] {
            nothing_left(stage, &format!("{whose} past the ceiling"), &put.body).await?;
        }
    }
    Ok(())
}

/// A deleted database is gone when the shortest rule says so.
async fn deleted(stage: &mut Stage<'_>, in_force: &[RuleSeen], put: &Put) -> Result<(), Stop> {
    let before = stage.search(&put.body).await?.anything(Store::Rows);
    stage.premise_some("a body in a database that is not deleted", before)?;
    let from = stage.now();
    stage.done(Act::DeleteDatabase { tenant: TENANT }).await?;
    if let Some(ceiling) = ceiling(stage, in_force, Matter::Database, from)? {
        stage.pass_until(second_after(ceiling)).await?;
        let what = "a database past its tenant's ceiling";
        nothing_left(stage, what, &put.body).await?;
        nothing_left(stage, what, &put.attachment).await?;
    }
    Ok(())
}

/// Checks that whatever weakens or contradicts is refused with both names, and changes nothing.
async fn refused(
    stage: &mut Stage<'_>,
    vendor: &[RuleSeen],
    in_force: &[RuleSeen],
) -> Result<(), Stop> {
    let wrong = wrong(vendor);
    let count = u64::try_from(wrong.len()).unwrap_or(u64::MAX);
    stage.premise_some("rules that weaken or contradict", count)?;
    for (rule, against) in wrong {
        let told = set(stage, vec![rule.clone()], Person::DatabaseAdministrator).await?;
        let told = match told {
            Ok(()) => "accepted",
            Err(text) if text.contains(&rule.name) && text.contains(&against) => "refused",
            Err(_) => "refused without the names of both rules",
        };
        stage.check(format!("{rule}, against {against}"), "refused", told)?;
        let now = rules(stage, TENANT).await?;
        let same = if now == in_force {
            "the same"
        } else {
            "others"
        };
        stage.check("the rules in force after it", "the same", same)?;
    }
    Ok(())
}

/// Rules that say less than a rule of the vendor, or that cannot be kept together with it, each with
/// the name of that rule.
fn wrong(vendor: &[RuleSeen]) -> Vec<(OwnRule, String)> {
    let mut wrong = Vec::new();
    for RuleSeen { rule, .. } in vendor {
        if let (Asks::Gone, Some(double)) = (rule.asks, times(rule.period, 2, 1)) {
            let weaker = OwnRule {
                name: "own-weaker".to_owned(),
                period: double,
                ..rule.clone()
            };
            wrong.push((weaker, rule.name.clone()));
        }
        if let (Asks::Keep, Some(half)) = (rule.asks, times(rule.period, 1, 2)) {
            let against = OwnRule {
                name: "own-against".to_owned(),
                asks: Asks::Gone,
                period: half,
                ..rule.clone()
            };
            wrong.push((against, rule.name.clone()));
        }
    }
    wrong
}

/// Rules that ask for more than the vendor's, and can be kept together with them: a database gone in
/// half the time; a record kept for half of what lies between its floor and its ceiling.
fn stricter(vendor: &[RuleSeen]) -> Vec<OwnRule> {
    let mut strict = Vec::new();
    let of = |matter, asks| {
        let mut rules = vendor.iter().map(|seen| &seen.rule);
        rules.find(move |rule| rule.matter == matter && rule.asks == asks)
    };
    if let Some(gone) = of(Matter::Database, Asks::Gone)
        && let Some(half) = times(gone.period, 1, 2)
    {
        strict.push(OwnRule {
            name: "own-database".to_owned(),
            period: half,
            late_secs: 0,
            ..gone.clone()
        });
    }
    let pair = of(Matter::Record, Asks::Keep).zip(of(Matter::Record, Asks::Gone));
    if let Some((keep, gone)) = pair
        && keep.period == gone.period
        && let Some(room) = gone.late_secs.checked_sub(READINGS_SECS)
        && room > 1
        && times(keep.period, 1, 1).is_some()
        && let Ok(longer) = Period::new(0, keep.period.day_part(), room / 2)
    {
        strict.push(OwnRule {
            name: "own-bin".to_owned(),
            period: longer,
            ..keep.clone()
        });
    }
    strict
}

/// So many times as many days; `None` for a period that is not in days.
fn times(period: Period, by: u32, of: u32) -> Option<Period> {
    if period.month_part() > 0 || period.sec_part() > 0 {
        return None;
    }
    let days = period.day_part().checked_mul(by)?.checked_div(of)?;
    (days > 0).then(|| Period::days(days))
}

/// The latest end of all floors over a record that was deleted at this instant.
fn floor(
    stage: &Stage<'_>,
    rules: &[RuleSeen],
    from: UtcDateTime,
) -> Result<Option<UtcDateTime>, Stop> {
    let mut floor = None;
    for RuleSeen { rule, .. } in rules {
        if rule.matter == Matter::Record && rule.asks == Asks::Keep {
            let window = stage.brief().resolve(rule.period, from)?;
            floor = floor.max(Some(window.latest));
        }
    }
    Ok(floor)
}

/// The earliest of all ceilings over something that was deleted at this instant.
fn ceiling(
    stage: &Stage<'_>,
    rules: &[RuleSeen],
    matter: Matter,
    from: UtcDateTime,
) -> Result<Option<UtcDateTime>, Stop> {
    let mut ceiling: Option<UtcDateTime> = None;
    for RuleSeen { rule, .. } in rules {
        if rule.matter == matter && rule.asks == Asks::Gone {
            let late = i64::try_from(rule.late_secs).unwrap_or(i64::MAX);
            let window = stage.brief().resolve(rule.period, from)?;
            let by = window.earliest.saturating_add(Duration::seconds(late));
            ceiling = Some(ceiling.map_or(by, |known| known.min(by)));
        }
    }
    Ok(ceiling)
}

/// Checks that the tenant's own rules among these are just those.
fn check_own(stage: &mut Stage<'_>, seen: &[RuleSeen], own: &[OwnRule]) -> Result<(), Stop> {
    let named = |rules: Vec<&OwnRule>| {
        let mut named: Vec<String> = rules
            .iter()
            .map(|rule| format!("{} {rule}", rule.name))
            .collect();
        named.sort();
        named.join(", ")
    };
    let tenants = seen.iter().filter(|seen| seen.whose == Whose::Tenant);
    let found = named(tenants.map(|seen| &seen.rule).collect());
    stage.check("the tenant's own rules", named(own.iter().collect()), found)
}

async fn rules(stage: &mut Stage<'_>, tenant: Tenant) -> Result<Vec<RuleSeen>, Stop> {
    match stage.act(Act::ListRules { tenant }).await? {
        Seen::Rules(rules) => Ok(rules),
        _ => Err(Stop::WrongAnswer(ActKind::ListRules)),
    }
}

/// What setting these says; the inner error is the refusal.
async fn set(
    stage: &mut Stage<'_>,
    rules: Vec<OwnRule>,
    by: Person,
) -> Result<Result<(), String>, Stop> {
    let act = Act::SetRules {
        tenant: TENANT,
        rules,
        by,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Done) => Ok(Ok(())),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::SetRules)),
        Err(rule) => Ok(Err(rule)),
    }
}
