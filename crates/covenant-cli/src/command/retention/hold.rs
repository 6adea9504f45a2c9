//! `covenant retention hold`: what must not be disposed of, whatever the rules say. Placing a hold
//! exits with 1 when it came too late for something, lists what is not there, or covers nothing that is:
//! the hold stands, and says so.

use std::collections::BTreeSet;
use std::str::FromStr;

use covenant_core::{HoldId, ItemId, PrincipalId, TenantId};
use retention_policy::{
    Hold as Placing, HoldAct, HoldMode, HoldRecord, HoldScope, Holds as _, ItemList, Later, Matter,
    ReasonCode, Release,
};
use serde_json::{Value, json};
use time::UtcDateTime;

use super::store::{Needs, Opened, StorePlace, held, staff};
use super::{instant, shown};
use crate::command::key_place::{chain, waited};
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Hold {
    /// Moves the end of a compliance hold later.
    Extend {
        #[command(flatten)]
        of: Of,
        /// The hold.
        id: HoldId,
        /// The new end.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        until: UtcDateTime,
        /// Who extends it.
        #[arg(long, value_name = "UUID")]
        by: PrincipalId,
    },
    /// Shows every hold of a tenant, those that have ended too.
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Places a hold.
    Place(Box<Place>),
    /// Asks for the release of a governance hold: it ends when two different principals have.
    Release {
        #[command(flatten)]
        of: Of,
        /// The hold.
        id: HoldId,
        /// Who asks; given twice, both of them do.
        #[arg(long, value_name = "UUID", required = true)]
        by: Vec<PrincipalId>,
    },
}

/// Whose holds, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    #[command(flatten)]
    place: StorePlace,
    /// The tenant.
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    of: Of,
    /// What the hold serves.
    #[arg(long)]
    matter: Matter,
    /// `tenant`, `class:NAME`, `items:CLASS:ID,ID`, or `subject:ID`.
    #[arg(long)]
    scope: Scope,
    /// `governance`: two principals release it; `compliance`: it ends at `--until`.
    #[arg(long)]
    mode: ModeName,
    /// The first instant at which a compliance hold no longer holds.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<UtcDateTime>,
    /// Who places it.
    #[arg(long, value_name = "UUID")]
    by: PrincipalId,
    /// Why, as a code.
    #[arg(long, value_name = "CODE")]
    reason: ReasonCode,
    /// Leaves out items that are made after the hold.
    #[arg(long)]
    not_later: bool,
}

/// Which items.
#[derive(Debug, Clone)]
struct Scope(HoldScope);

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ModeName {
    Compliance,
    Governance,
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = |id: &str| ItemId::try_from(id).map_err(|error| error.to_string());
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let scope = match kind {
            "tenant" if rest.is_empty() => HoldScope::Tenant,
            "class" => HoldScope::Class(rest.parse().map_err(|error| format!("{error}"))?),
            "subject" => HoldScope::Subject(id(rest)?),
            "items" => {
                let (class, ids) = rest.split_once(':').unwrap_or((rest, ""));
                let ids: BTreeSet<ItemId> = ids.split(',').map(id).collect::<Result<_, _>>()?;
                HoldScope::Items {
                    class: class.parse().map_err(|error| format!("{error}"))?,
                    ids: ItemList::try_from(ids).map_err(|error| error.to_string())?,
                }
            }
            _ => return Err("tenant, class:NAME, items:CLASS:ID,ID or subject:ID".to_owned()),
        };
        Ok(Self(scope))
    }
}

impl Hold {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(async {
            match self {
                Self::Extend { of, id, until, by } => extend(&of, id, until, by).await,
                Self::List { of } => list(&of).await,
                Self::Place(place) => place.answer().await,
                Self::Release { of, id, by } => release(&of, id, &by).await,
            }
        })
    }
}

impl Place {
    async fn answer(self) -> Result<Report, Failure> {
        let mode = match (self.mode, self.until) {
            (ModeName::Governance, None) => HoldMode::Governance,
            (ModeName::Compliance, Some(until)) => HoldMode::Compliance { until },
            (ModeName::Governance, Some(_)) => {
                return Err(Failure::usage("a governance hold has no --until"));
            }
            (ModeName::Compliance, None) => {
                return Err(Failure::usage("a compliance hold needs --until"));
            }
        };
        let tenant = self.of.tenant;
        let opened = self.of.place.current(Needs::Ledger, tenant).await?;
        if mode.ends().is_some_and(|until| until <= opened.clock.now()) {
            return Err(Failure::usage(
                "--until has passed: the hold would hold nothing",
            ));
        }
        let id = HoldId::mint(&*opened.clock, &*opened.random);
        let hold = Placing {
            id: id.map_err(|error| Failure::unreachable(error.to_string()))?,
            tenant,
            matter: self.matter,
            scope: self.scope.0,
            later: if self.not_later {
                Later::Free
            } else {
                Later::Covered
            },
            mode,
            placed_by: self.by,
            reason: self.reason,
            placed_at: opened.clock.now(),
        };
        let holds = opened.holds().await?;
        let placed = holds.place(&hold, staff(self.by)).await;
        let placed = placed.map_err(|error| held(&error))?;
        opened.catch_up(tenant).await?;
        let reach = Reach::of(&opened, &hold).await;
        let mut text = Table::default();
        text.row("hold", &hold.id.to_string());
        text.row("generation", &placed.generation.to_string());
        reach.tell(&mut text);
        let beyond = placed.beyond.iter();
        text.rows(
            "too late",
            beyond.map(|item| format!("{} {} in {}", item.class, name(&item.id), item.store)),
        );
        let beyond = placed.beyond.iter().map(|item| {
            json!({
                "class": item.class.as_str(),
                "id": name(&item.id),
                "store": item.store.as_str(),
            })
        });
        let beyond: Vec<Value> = beyond.collect();
        let code = if beyond.is_empty() && reach.is_sound(&hold.scope) {
            GOOD
        } else {
            FALSE
        };
        Ok(Report {
            code,
            text,
            json: json!({
                "hold": hold.id.to_string(),
                "generation": placed.generation,
                "covers": reach.seen.as_ref().ok().map(|seen| seen.covered),
                "there": reach.seen.as_ref().ok().map(|seen| seen.there),
                "not_there": reach.missing(),
                "too_late": beyond,
                "exit": code,
            }),
        })
    }
}

/// What a hold covers of what is there now: one that covers nothing may be meant for something else.
struct Reach {
    /// Why it is not known, where the views do not say it.
    seen: Result<Covered, String>,
}

struct Covered {
    covered: usize,
    there: usize,
    /// Items that the hold lists and that are not there.
    missing: Vec<String>,
}

impl Reach {
    async fn of(opened: &Opened, hold: &Placing) -> Self {
        let seen = match opened.rows.seen(hold.tenant).await {
            Ok(seen) => seen.items,
            Err(error) => {
                return Self {
                    seen: Err(chain(&error)),
                };
            }
        };
        let occurrences = seen.occurrences();
        let views = seen.views(&occurrences);
        let covered = views.iter().filter(|item| hold.covers(item));
        let mut missing = Vec::new();
        if let HoldScope::Items { class, ids } = &hold.scope {
            let there = views.iter().filter(|item| item.class == class.as_str());
            let there: BTreeSet<&ItemId> = there.map(|item| &item.id).collect();
            let listed = ids.ids().iter().filter(|id| !there.contains(*id));
            missing.extend(listed.map(|id| format!("{class} {}", name(id))));
        }
        Self {
            seen: Ok(Covered {
                covered: covered.count(),
                there: views.len(),
                missing,
            }),
        }
    }

    /// Whether it covers what it says: all of a list, something of a class or person. A tenant may be
    /// held before it has anything.
    fn is_sound(&self, scope: &HoldScope) -> bool {
        let tenant = matches!(scope, HoldScope::Tenant);
        let seen = self.seen.as_ref();
        seen.is_ok_and(|seen| seen.missing.is_empty() && (tenant || seen.covered > 0))
    }

    fn missing(&self) -> &[String] {
        self.seen.as_ref().map_or(&[], |seen| &seen.missing)
    }

    fn tell(&self, text: &mut Table) {
        match &self.seen {
            Ok(seen) => {
                let Covered { covered, there, .. } = seen;
                text.row("covers", &format!("{covered} of {there} items"));
            }
            Err(why) => text.row("covers", &format!("not known: {why}")),
        }
        text.rows("not there", self.missing().iter().cloned());
    }
}

fn name(id: &ItemId) -> String {
    String::from_utf8_lossy(id.as_bytes()).into_owned()
}

async fn extend(
    of: &Of,
    id: HoldId,
    until: UtcDateTime,
    by: PrincipalId,
) -> Result<Report, Failure> {
    let opened = of.place.current(Needs::Ledger, of.tenant).await?;
    let act = HoldAct {
        by,
        at: opened.clock.now(),
        actor: staff(by),
    };
    let holds = opened.holds().await?;
    let extended = holds.extend(of.tenant, id, until, act).await;
    extended.map_err(|error| held(&error))?;
    opened.catch_up(of.tenant).await?;
    let until = shown(until);
    Ok(said(id, &[("until", &until)]))
}

async fn release(of: &Of, id: HoldId, by: &[PrincipalId]) -> Result<Report, Failure> {
    if by.len() > 2 {
        return Err(Failure::usage("two principals release a hold, not more"));
    }
    if let [one, other] = by
        && one == other
    {
        return Err(Failure::usage(
            "two different principals release a hold: --by names one twice",
        ));
    }
    let opened = of.place.current(Needs::Ledger, of.tenant).await?;
    let holds = opened.holds().await?;
    let mut state = "asked";
    for by in by {
        let act = HoldAct {
            by: *by,
            at: opened.clock.now(),
            actor: staff(*by),
        };
        let released = holds.release(of.tenant, id, act).await;
        if released.map_err(|error| held(&error))? == Release::Released {
            state = "released";
        }
    }
    opened.catch_up(of.tenant).await?;
    Ok(said(id, &[("state", state)]))
}

async fn list(of: &Of) -> Result<Report, Failure> {
    let opened = of.place.current(Needs::Rows, of.tenant).await?;
    let now = opened.clock.now();
    let listed = opened.rows.holds(of.tenant).await;
    let listed = listed.map_err(|error| super::store::unread(&error))?;
    let mut text = Table::default();
    for record in &listed {
        text.row(state(record, now), &line(record));
    }
    if listed.is_empty() {
        text.line("no holds");
    }
    let listed: Vec<Value> = listed.iter().map(|record| told(record, now)).collect();
    Ok(Report {
        code: GOOD,
        text,
        json: json!({ "holds": listed, "exit": GOOD }),
    })
}

fn said(id: HoldId, rows: &[(&str, &str)]) -> Report {
    let mut text = Table::default();
    text.row("hold", &id.to_string());
    let mut json = json!({ "hold": id.to_string(), "exit": GOOD });
    for (label, what) in rows {
        text.row(label, what);
        if let Some(object) = json.as_object_mut() {
            object.insert((*label).to_owned(), Value::from(*what));
        }
    }
    Report {
        code: GOOD,
        text,
        json,
    }
}

fn state(record: &HoldRecord, now: UtcDateTime) -> &'static str {
    if record.released_at().is_some() {
        "released"
    } else if !record.is_active(now) {
        "ended"
    } else if record.asked().is_some() {
        "asked"
    } else {
        "holds"
    }
}

fn scope(scope: &HoldScope) -> String {
    match scope {
        HoldScope::Tenant => "tenant".to_owned(),
        HoldScope::Class(class) => format!("class:{class}"),
        HoldScope::Items { class, ids } => {
            let ids: Vec<_> = ids
                .ids()
                .iter()
                .map(|id| String::from_utf8_lossy(id.as_bytes()))
                .collect();
            format!("items:{class}:{}", ids.join(","))
        }
        HoldScope::Subject(id) => format!("subject:{}", String::from_utf8_lossy(id.as_bytes())),
    }
}

fn line(record: &HoldRecord) -> String {
    let hold = record.hold();
    let ends = hold.mode.ends();
    let ends = ends.map_or_else(|| "two principals".to_owned(), shown);
    let (id, matter, scope) = (hold.id, &hold.matter, scope(&hold.scope));
    format!("{id}  {matter}  {scope}  until {ends}")
}

fn told(record: &HoldRecord, now: UtcDateTime) -> Value {
    let hold = record.hold();
    json!({
        "hold": hold.id.to_string(),
        "state": state(record, now),
        "matter": hold.matter.as_str(),
        "scope": scope(&hold.scope),
        "covers_later": hold.later == Later::Covered,
        "mode": match hold.mode {
            HoldMode::Governance => "governance",
            HoldMode::Compliance { .. } => "compliance",
        },
        "until": hold.mode.ends().map(shown),
        "reason": hold.reason.as_str(),
        "placed_by": hold.placed_by.to_string(),
        "placed_at": shown(hold.placed_at),
        "asked_by": record.asked().map(|asked| asked.by.to_string()),
        "released_at": record.released_at().map(shown),
    })
}
