//! `covenant retention rules`: the rules that a tenant of a deployment set for itself. They only narrow
//! those of everybody; `check` says what they would do, `set` and `remove` change them. Exit 1 says that
//! rules cannot be set as they are, 4 that nothing was changed by somebody who may not.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::ServiceHost;
use covenant::{Covenant, Error, Preview, Profile, Settings, Wraps};
use covenant_core::{RegionSet, SystemClock, SystemRandom, TenantId, UserId};
use policy_document::{DOCUMENT_LEN_BYTES_MAX, Document};
use retention_policy::{FILE_LEN_BYTES_MAX, Limit, Rule, RuleSpec, RulesFile};
use serde_json::{Value, json};
use sql_store::Durability;
use tenant_isolation::Caller;

use super::check::parsed;
use super::shown;
use crate::command::key_place::{chain, waited};
use crate::input;
use crate::output::{FALSE, Failure, GOOD, Report, Table};

/// Seconds of an hour.
const HOUR_SECS: u64 = 3_600;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Own {
    /// Says whether rules could be set, and what they would do to live records: how many would go into
    /// the bin at once, how many bytes, and when the first is due. Changes nothing.
    Check {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        by: By,
        /// The rules: a rule file (TOML or JSON) with rules alone.
        file: PathBuf,
    },
    /// Removes all rules of the tenant; those of everybody count alone then.
    Remove {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        by: By,
    },
    /// Sets rules in the place of those that the tenant had.
    Set {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        by: By,
        /// The rules: a rule file (TOML or JSON) with rules alone.
        file: PathBuf,
    },
    /// Shows the rules that the tenant's items are under.
    Show {
        #[command(flatten)]
        of: Of,
    },
}

/// Whose rules, and of which deployment.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The folder of the deployment; the service may run.
    #[arg(long, value_name = "FOLDER")]
    deployment: PathBuf,
    /// The policy file that the deployment follows.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The region of the deployment.
    #[arg(long, value_name = "NAME")]
    region: String,
    /// The name of the service, as its log carries it.
    #[arg(long, value_name = "NAME")]
    host: ServiceHost,
    /// The tenant.
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
}

/// Who asks.
#[derive(Debug, clap::Args)]
pub(crate) struct By {
    /// The administrator of the database who asks.
    #[arg(long, value_name = "UUID")]
    by: UserId,
    /// The address that the request comes from, as the tenant's log shows it.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
}

impl Own {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(async {
            match self {
                Self::Check { of, by, file } => check(&of, &by, &file).await,
                Self::Remove { of, by } => set(&of, &by, None).await,
                Self::Set { of, by, file } => set(&of, &by, Some(&file)).await,
                Self::Show { of } => show(&of).await,
            }
        })
    }
}

impl Of {
    /// What the deployment follows.
    fn profile(&self) -> Result<Profile, Failure> {
        let text = input::text(&self.policy, DOCUMENT_LEN_BYTES_MAX)?;
        let document = Document::parse(&text).map_err(|errors| {
            let place = self.policy.display();
            let lines = errors.iter().map(|error| format!("{place}:{error}"));
            Failure::usage_lines(lines.collect())
        })?;
        let usage = |error: &dyn std::error::Error| Failure::usage(chain(error));
        let regions = RegionSet::new([self.region.as_str()]).map_err(|error| usage(&error))?;
        Profile::from_document(&document, regions).map_err(|error| usage(&error))
    }

    async fn open(&self, profile: Profile) -> Result<Covenant, Failure> {
        if !self.deployment.is_dir() {
            let folder = self.deployment.display();
            return Err(Failure::unreachable(format!("{folder}: no such folder")));
        }
        let opened = Covenant::open(Settings {
            folder: self.deployment.clone(),
            profile,
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom::new()),
            durability: Durability::Full,
            host: self.host.clone(),
            sites: Vec::new(),
            wraps: Wraps::default(),
        });
        let opened = opened.await;
        opened.map_err(|error| Failure::unreachable(chain(&error)))
    }

    fn caller(&self, by: &By) -> Caller {
        Caller::member(self.tenant, by.by, by.address)
    }
}

/// The rules of a file that has nothing else. Periods are read as the page's are, whether the file
/// says so or nothing.
fn rules(file: &Path, profile: &Profile) -> Result<Vec<RuleSpec>, Failure> {
    let text = input::text(file, FILE_LEN_BYTES_MAX)?;
    let page = RulesFile {
        reading: profile.rules.reading().clone(),
        ..RulesFile::default()
    };
    let reading = parsed(&page.to_json());
    let reading = reading.get("reading");
    let read = if text.trim_start().starts_with('{') {
        let mut object = serde_json::from_str(&text).unwrap_or(Value::Null);
        let whole = match (object.as_object_mut(), reading) {
            (Some(object), Some(reading)) if !object.contains_key("reading") => {
                object.insert("reading".to_owned(), reading.clone());
                Value::Object(object.clone()).to_string()
            }
            // with its mistakes, or complete
            _ => text,
        };
        RulesFile::from_json(&whole)
    } else if text.lines().any(|line| line.trim() == "[reading]") {
        RulesFile::from_toml(&text)
    } else {
        // at the end, so that mistakes keep their lines; lists and texts of JSON are TOML too
        let fields = reading.and_then(Value::as_object).into_iter().flatten();
        let fields = fields.map(|(name, value)| format!("{name} = {value}\n"));
        let fields: String = fields.collect();
        RulesFile::from_toml(&format!("{text}\n[reading]\n{fields}"))
    };
    let name = file.display().to_string();
    let read = read.map_err(|errors| {
        let lines = errors.as_slice().iter();
        Failure::usage_lines(lines.map(|error| format!("{name}:{error}")).collect())
    })?;
    let alone = RulesFile {
        rules: read.rules.clone(),
        ..page
    };
    if alone != read {
        let why =
            "rules of a tenant are rules alone: classes, stores, keys and readings are the page's";
        return Err(Failure::usage(format!("{name}: {why}")));
    }
    if read.rules.is_empty() {
        let why = "it has no rules; `covenant retention rules remove` removes them";
        return Err(Failure::usage(format!("{name}: {why}")));
    }
    Ok(read.rules)
}

/// Why rules cannot be set as they are; `None` when they are not what is wrong.
fn findings(error: &Error) -> Option<Vec<String>> {
    match error {
        Error::Rules(errors) => Some(errors.as_slice().iter().map(ToString::to_string).collect()),
        Error::NotCarriedOut(_) | Error::TooShort(_) => Some(vec![error.to_string()]),
        _ => None,
    }
}

fn failed(error: &Error) -> Failure {
    match error {
        Error::Denied(_) | Error::Revoked => Failure::refused(chain(error)),
        _ => Failure::unreachable(chain(error)),
    }
}

fn unsound(lines: &[String]) -> Report {
    let mut text = Table::default();
    for line in lines {
        text.line(line);
    }
    text.row("result", "not set: what was in force stays");
    Report {
        code: FALSE,
        text,
        json: json!({ "findings": lines, "exit": FALSE }),
    }
}

async fn check(of: &Of, by: &By, file: &Path) -> Result<Report, Failure> {
    let profile = of.profile()?;
    let rules = rules(file, &profile)?;
    let count = rules.len();
    let covenant = of.open(profile).await?;
    let checked = covenant.check_rules(&of.caller(by), of.tenant, rules).await;
    let preview = match checked {
        Ok(preview) => preview,
        Err(error) => {
            let lines = findings(&error).ok_or_else(|| failed(&error))?;
            return Ok(unsound(&lines));
        }
    };
    let mut text = Table::default();
    text.row("rules", &count.to_string());
    previewed(&mut text, &preview);
    text.row("result", "they narrow, and can all be carried out");
    Ok(Report {
        code: GOOD,
        text,
        json: json!({
            "rules": count,
            "at_once": { "records": preview.records, "bytes": preview.bytes },
            "first_due": preview.first_due.map(shown),
            "lead_hours": preview.lead.map(|lead| lead.as_secs().div_ceil(HOUR_SECS)),
            "findings": [],
            "exit": GOOD,
        }),
    })
}

fn previewed(text: &mut Table, preview: &Preview) {
    let Some(lead) = preview.lead else {
        text.row("live", "no ceiling on live records");
        return;
    };
    let (records, bytes) = (preview.records, preview.bytes);
    let now = if records == 0 {
        "nothing".to_owned()
    } else {
        format!("{records} records, {bytes} bytes, once their plan is approved")
    };
    text.row("at once", &now);
    let due = preview.first_due.map(shown);
    text.row("first due", due.as_deref().unwrap_or("none"));
    let hours = lead.as_secs().div_ceil(HOUR_SECS);
    let (days, hours) = (hours / 24, hours % 24);
    text.row(
        "lead",
        &format!("{days} d {hours} h before the ceiling, into the bin"),
    );
}

/// Sets the rules of a file, or none.
async fn set(of: &Of, by: &By, file: Option<&Path>) -> Result<Report, Failure> {
    let profile = of.profile()?;
    let rules = match file {
        Some(file) => rules(file, &profile)?,
        None => Vec::new(),
    };
    let covenant = of.open(profile).await?;
    let set = covenant.set_rules(&of.caller(by), of.tenant, rules).await;
    match set {
        Ok(()) => listed(of, &covenant).await,
        Err(error) => {
            let lines = findings(&error).ok_or_else(|| failed(&error))?;
            Ok(unsound(&lines))
        }
    }
}

async fn show(of: &Of) -> Result<Report, Failure> {
    let covenant = of.open(of.profile()?).await?;
    listed(of, &covenant).await
}

/// The rules as they are in force now.
async fn listed(of: &Of, covenant: &Covenant) -> Result<Report, Failure> {
    let rules = covenant.rules_of(of.tenant).await;
    let rules = rules.map_err(|error| failed(&error))?;
    let mut text = Table::default();
    let mut whose: BTreeMap<&str, Vec<Value>> =
        BTreeMap::from([("everybodys", Vec::new()), ("own", Vec::new())]);
    for rule in &rules {
        let (label, list) = match rule.tenant() {
            Some(_) => ("own", "own"),
            None => ("everybody's", "everybodys"),
        };
        text.row(label, &line(rule));
        if let Some(list) = whose.get_mut(list) {
            list.push(object(rule));
        }
    }
    Ok(Report {
        code: GOOD,
        text,
        json: json!({
            "own": whose.remove("own"),
            "everybodys": whose.remove("everybodys"),
            "exit": GOOD,
        }),
    })
}

/// What a rule says: its kind, the event that it counts from or waits for, and how long.
fn said(rule: &Rule) -> (&'static str, &str, Option<String>) {
    match rule.limit() {
        Limit::Floor { from, period, .. } => ("floor", from.as_str(), Some(period.to_string())),
        Limit::Ceiling { from, period, .. } => ("ceiling", from.as_str(), Some(period.to_string())),
        Limit::Until { event } => ("until", event.as_str(), None),
    }
}

fn line(rule: &Rule) -> String {
    let (bound, event, period) = said(rule);
    let classes: Vec<&str> = rule.classes().iter().map(|class| class.as_str()).collect();
    let classes = classes.join(", ");
    let id = rule.id();
    match period {
        Some(period) => format!("{id}  {classes}: {bound} {period} from {event}"),
        None => format!("{id}  {classes}: {bound} {event}"),
    }
}

fn object(rule: &Rule) -> Value {
    let (bound, event, period) = said(rule);
    let classes: Vec<&str> = rule.classes().iter().map(|class| class.as_str()).collect();
    let stores: Vec<&str> = rule.stores().iter().map(|store| store.as_str()).collect();
    json!({
        "id": rule.id().as_str(),
        "clause": rule.clause().map(|clause| clause.to_string()),
        "class": classes,
        "store": stores,
        "bound": bound,
        "event": event,
        "period": period,
    })
}
