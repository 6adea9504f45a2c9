//! Questions and answers in JSON, for services that are not written in Rust: one function from text
//! to text, without state, clock, file or network.
//!
//! A request is one object: `ask`, one of `check`, `residency`, `explain`, `simulate`; `rules`, a rule
//! file (`covenant/rules/v1`) as an object; for `explain` also `items` and `at`; for `simulate`
//! `items`, `from` and `until`; for both, if wanted, `hold`, a matter for which everything is held.
//! The answer is one object with either `ok` or `errors`, a list of `line`, `column` and `message`
//! that point into the request.

use std::collections::BTreeSet;

use covenant_core::{HoldId, PrincipalId, TenantId, Zone};
use time::UtcDateTime;

use crate::error::whole;
use crate::file::{
    Fields, FileErrorKind, FileErrors, Mistakes, Value, in_places, parse_json, rules_of,
};
use crate::items::{instant, shown};
use crate::{
    Effect, Hold, HoldMode, HoldScope, HoldView, Items, KeepUntil, Later, Matter, Moment,
    Residency, Retention as _, RuleSet, Slack, Span, Verdict, per_day,
};

/// Longest request in bytes: 64 MiB, a bound of ours.
pub const REQUEST_LEN_BYTES_MAX: usize = 64 << 20;

/// Most changes that a simulation answers; more are an error, which says to ask for less.
pub const CHANGES_MAX: usize = 1_000_000;

/// Answers one request; never fails, and says of a bad request what is wrong with it.
///
/// ```
/// let request = r#"{
///   "ask": "explain",
///   "rules": {
///     "format": "covenant/rules/v1",
///     "reading": { "zones": ["UTC"] },
///     "class": [{ "id": "invoice" }],
///     "store": [{ "id": "main", "kind": "sql" }],
///     "rule": [{ "id": "tax", "class": ["invoice"], "bound": "floor",
///                "from": "invoice.issued", "period": "P7Y", "authority": "law" }]
///   },
///   "at": "2026-11-22T10:00:00Z",
///   "items": [{ "id": "42", "class": "invoice",
///               "tenant": "0192f3c4-0000-7000-8000-000000000001",
///               "events": [{ "name": "invoice.issued", "at": "2026-01-01T00:00:00Z" }] }]
/// }"#;
/// let answer = retention_policy::answer(request);
/// assert!(answer.starts_with(r#"{"ok":[{"id":"3432","#), "{answer}");
/// assert!(answer.contains(r#""state":"keep","keep_until":"2033-01-02T00:00:00Z""#), "{answer}");
/// assert!(retention_policy::answer("{").starts_with(r#"{"errors":[{"line":1,"column":2,"#));
/// ```
#[must_use]
pub fn answer(request: &str) -> String {
    let answer = match answered(request) {
        Ok(value) => Value::table([("ok", value)]),
        Err(errors) => Value::table([("errors", told(&errors))]),
    };
    answer.to_string()
}

fn told(errors: &FileErrors) -> Value {
    Value::list(errors.as_slice().iter().map(|error| {
        Value::table([
            ("line", Value::count(error.line)),
            ("column", Value::count(error.column)),
            ("message", Value::Text(whole(&error.kind))),
        ])
    }))
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Check,
    Residency,
    Explain,
    Simulate,
}

const ASKS: [(&str, Ask); 4] = [
    ("check", Ask::Check),
    ("residency", Ask::Residency),
    ("explain", Ask::Explain),
    ("simulate", Ask::Simulate),
];

fn answered(request: &str) -> Result<Value, FileErrors> {
    let mut mistakes = Mistakes::new(request);
    if request.len() > REQUEST_LEN_BYTES_MAX {
        mistakes.push(0, FileErrorKind::TooLong);
        return Err(mistakes.into_errors());
    }
    let Some(root) = parse_json(request, &mut mistakes) else {
        return Err(mistakes.into_errors());
    };
    let Some(mut fields) = Fields::of(&root, "a request", &mut mistakes) else {
        return Err(mistakes.into_errors());
    };
    if fields.take("ask").is_none() {
        fields.missing("ask", &mut mistakes);
    }
    let ask = fields.word("ask", &ASKS, &mut mistakes);
    let rules = fields.take("rules");
    if rules.is_none() {
        fields.missing("rules", &mut mistakes);
    }
    let rules = rules.and_then(|node| rules_of(node, &mut mistakes));
    let judged = matches!(ask, Some(Ask::Explain | Ask::Simulate));
    let items = judged.then(|| Items::in_table(&mut fields, &mut mistakes));
    let items = items.unwrap_or_default();
    let moment = |key: &'static str, fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>| {
        if fields.take(key).is_none() {
            fields.missing(key, mistakes);
        }
        fields.take(key).and_then(|node| instant(node, mistakes))
    };
    let begin = match ask {
        Some(Ask::Explain) => moment("at", &mut fields, &mut mistakes),
        Some(Ask::Simulate) => moment("from", &mut fields, &mut mistakes),
        _ => Some(UtcDateTime::UNIX_EPOCH),
    };
    let until = match ask {
        Some(Ask::Simulate) => moment("until", &mut fields, &mut mistakes),
        _ => begin,
    };
    let hold = judged.then(|| fields.take("hold")).flatten();
    let matter = hold.and_then(|node| {
        let text = crate::file::node_text(node, "hold", &mut mistakes)?;
        let matter = text.parse::<Matter>();
        matter
            .map_err(|error| mistakes.shape(node.at, error.to_string()))
            .ok()
    });
    fields.finish(&mut mistakes);
    let (Some(ask), Some((file, places)), Some(begin), Some(until), true) =
        (ask, rules, begin, until, mistakes.is_empty())
    else {
        return Err(mistakes.into_errors());
    };
    let set = RuleSet::load(file).map_err(|errors| in_places(request, errors, &places))?;
    let holds = matter.map_or_else(HoldView::none, |matter| what_if(&items, &matter, begin));
    Ok(match ask {
        Ask::Check => checked(&set),
        Ask::Residency => residency(&set),
        Ask::Explain => explained(&set, &items, &holds, begin),
        Ask::Simulate => {
            let span = Span { from: begin, until };
            let simulated = simulated(&set, &items, &holds, span);
            simulated.ok_or_else(|| {
                let mut mistakes = Mistakes::new(request);
                mistakes.shape(0, format!("more than {CHANGES_MAX} changes: ask for less"));
                mistakes.into_errors()
            })?
        }
    })
}

/// Holds on everything of each tenant among the items, from this instant on.
#[must_use]
pub fn what_if(items: &Items, matter: &Matter, placed_at: UtcDateTime) -> HoldView {
    let tenants: BTreeSet<TenantId> = items.as_slice().iter().map(|item| item.tenant).collect();
    let nobody = PrincipalId::from_bytes([0; 16]);
    tenants.into_iter().fold(HoldView::none(), |view, tenant| {
        let Ok(reason) = "what-if".parse() else {
            return view;
        };
        let hold = Hold {
            id: HoldId::from_bytes([0; 16]),
            tenant,
            matter: matter.clone(),
            scope: HoldScope::Tenant,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: nobody,
            reason,
            placed_at,
        };
        view.with(HoldView::of(tenant, 0, [hold]))
    })
}

fn checked(set: &RuleSet) -> Value {
    let undecided = set.undecided().iter();
    Value::table([
        ("rules", Value::count(set.rules().len())),
        ("classes", Value::count(set.classes().len())),
        ("stores", Value::count(set.stores().len())),
        ("keys", Value::count(set.keys().len())),
        ("undecided", Value::list(undecided.map(Value::texts))),
    ])
}

fn residency(set: &RuleSet) -> Value {
    let rows = set
        .classes()
        .into_iter()
        .flat_map(|class| set.residency(class));
    Value::list(rows.map(|row| row.as_value()))
}

fn explained(set: &RuleSet, items: &Items, holds: &HoldView, at: UtcDateTime) -> Value {
    let occurrences = items.occurrences();
    let views = items.views(&occurrences);
    Value::list(views.iter().map(|item| {
        let verdict = set.evaluate(item, holds, &Moment::at(at));
        Value::table([
            ("id", Value::Text(item.id.hex())),
            ("class", Value::text(item.class)),
            ("store", Value::text(item.store)),
            ("verdict", verdict.as_value()),
        ])
    }))
}

fn simulated(set: &RuleSet, items: &Items, holds: &HoldView, span: Span) -> Option<Value> {
    let occurrences = items.occurrences();
    let views = items.views(&occurrences);
    let changes = set.simulate(&views, holds, Slack::NONE, span);
    let changes: Vec<_> = changes.take(CHANGES_MAX.saturating_add(1)).collect();
    if changes.len() > CHANGES_MAX {
        return None;
    }
    let zone = set.reading().zones().first().cloned().unwrap_or(Zone::UTC);
    let timeline = changes.iter().filter_map(|change| {
        let item = views.get(change.item)?;
        Some(Value::table([
            ("at", shown(change.at)),
            ("id", Value::Text(item.id.hex())),
            ("class", Value::text(item.class)),
            ("store", Value::text(item.store)),
            (
                "before",
                Value::optional(change.before.map(|state| state.name())),
            ),
            ("state", Value::text(change.verdict.state.name())),
            ("gone_by", change.verdict.gone_by.map_or(Value::Null, shown)),
        ]))
    });
    let timeline: Vec<Value> = timeline.collect();
    let days = per_day(&views, changes, &zone)
        .into_iter()
        .map(|(day, count)| {
            let pair = |count: crate::Count| {
                Value::table([
                    ("items", Value::count(count.items)),
                    ("bytes", Value::count(count.bytes)),
                ])
            };
            let entered = count
                .entered
                .iter()
                .map(|(state, count)| (state.name(), pair(*count)));
            Value::table([
                ("day", Value::text(day)),
                ("entered", Value::table(entered)),
                ("goes", pair(count.goes)),
            ])
        });
    Some(Value::table([
        ("timeline", Value::list(timeline)),
        ("days", Value::list(days)),
    ]))
}

impl Verdict {
    /// The verdict as JSON on one line, as [`answer`] gives it.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.as_value().to_string()
    }

    fn as_value(&self) -> Value {
        let optional = |at: Option<UtcDateTime>| at.map_or(Value::Null, shown);
        let keep = match self.keep_until {
            KeepUntil::Free => Value::text("free"),
            KeepUntil::Open => Value::text("open"),
            KeepUntil::At(at) => shown(at),
        };
        let rules = self.because.rules().map(|reason| {
            let (effect, at) = match reason.effect {
                Effect::KeepsUntil(at) => ("keeps-until", Some(at)),
                Effect::KeepsOpen => ("keeps-open", None),
                Effect::Ended => ("ended", None),
                Effect::Waived(at) => ("waived", Some(at)),
                Effect::GoneBy(at) => ("gone-by", Some(at)),
                Effect::NotStarted => ("not-started", None),
            };
            Value::table([
                ("rule", Value::text(reason.rule)),
                ("clause", Value::optional(reason.clause)),
                ("counts_from", optional(reason.anchor)),
                ("period", Value::optional(reason.period)),
                (
                    "earliest",
                    optional(reason.window.map(|window| window.earliest)),
                ),
                (
                    "latest",
                    optional(reason.window.map(|window| window.latest)),
                ),
                ("effect", Value::text(effect)),
                ("effect_at", optional(at)),
                ("decided", Value::Truth(reason.decided)),
            ])
        });
        let holds = self.because.holds().iter().map(|hold| {
            Value::table([
                ("hold", Value::text(hold.hold)),
                ("matter", Value::text(&hold.matter)),
                ("ends", optional(hold.mode.ends())),
            ])
        });
        Value::table([
            ("state", Value::text(self.state.name())),
            ("keep_until", keep),
            ("gone_by", optional(self.gone_by)),
            ("start_by", optional(self.start_by)),
            ("suspended", optional(self.suspended)),
            ("next_change", optional(self.next_change)),
            ("act", Value::text(self.act.name())),
            ("rules", Value::list(rules)),
            ("holds", Value::list(holds)),
            ("unclassified", Value::optional(self.because.unclassified())),
        ])
    }
}

impl Residency {
    /// The residency as JSON on one line, as [`answer`] gives it.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.as_value().to_string()
    }

    fn as_value(&self) -> Value {
        let side = |stay: &crate::Stay| {
            Value::table([
                ("secs", Value::count(stay.secs)),
                ("tolerance_secs", Value::count(stay.tolerance_secs)),
                ("because", Value::texts(&stay.because)),
            ])
        };
        Value::table([
            ("class", Value::text(&self.class)),
            ("store", Value::text(&self.store)),
            ("from", Value::text(&self.from)),
            ("to", Value::optional(self.to.as_ref())),
            ("min_days", Value::count(self.min_days())),
            (
                "max_days",
                self.max_days().map_or(Value::Null, Value::count),
            ),
            ("shortest", side(&self.shortest)),
            ("longest", self.longest.as_ref().map_or(Value::Null, side)),
        ])
    }
}
