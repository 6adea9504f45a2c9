//! What a sweep would dispose of, in one canonical text that a person or a limit can approve.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::{ItemId, TenantId, canon};
use time::UtcDateTime;

use crate::rule::Method;
use crate::{HoldView, Item, KeepUntil, Retention, RuleId, RuleSet, StoreName, Verdict};

mod shared;

use shared::Shared;

/// Opens the bytes of a plan.
const FORMAT: &str = "covenant/plan/v1";
/// Longest name of a store or class in a plan: as long as rules allow.
const NAME_MAX: usize = crate::NAME_LEN_BYTES_MAX;

/// Items that are written, and hashed, in one piece.
const PIECE_ITEMS: usize = 256;
/// About as long as such a piece is.
const PIECE_LEN_BYTES: usize = 32 << 10;

/// What a plan is made under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanContext {
    /// Digest of the rules, from [`crate::Retention::digest`]; without one the plan cannot be
    /// approved.
    pub rules: Option<Digest>,
    /// How the bytes of each store are removed; a store that is not here is deleted from.
    pub methods: BTreeMap<StoreName, Method>,
    /// Tenants that were looked at, whether or not anything of them goes, and the generation of the
    /// holds that were looked at with them.
    pub tenants: BTreeMap<TenantId, u64>,
}

impl PlanContext {
    /// The context of this rule set: its digest and its stores.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        let methods = rules.stores().clone();
        Self {
            rules: rules.rules_digest(),
            methods,
            tenants: BTreeMap::new(),
        }
    }

    /// Adds a tenant that was looked at, under the holds of this view.
    #[must_use]
    pub fn with_tenant(mut self, tenant: TenantId, holds: &HoldView) -> Self {
        self.tenants.insert(tenant, holds.generation(tenant));
        self
    }
}

/// One item that goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanItem {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its store; items of one plan share the text.
    pub store: Arc<str>,
    /// Its class; items of one plan share the text.
    pub class: Arc<str>,
    /// Its id.
    pub id: ItemId,
    /// Its size in bytes.
    pub bytes: u64,
    /// How its bytes are removed.
    pub method: Method,
    /// Until when it was kept, in seconds since 1970, rounded up; `i64::MIN` when nothing kept it.
    pub keep_until: i64,
    /// By when it must be gone, in seconds since 1970, rounded down; `i64::MAX` without a ceiling.
    pub gone_by: i64,
    /// The rules that decided or were waived, in order of their ids; items of one plan share the list.
    pub rules: Arc<[RuleId]>,
}

/// What a sweep would dispose of: sorted, each item once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    made_at: UtcDateTime,
    rules: Option<Digest>,
    tenants: BTreeMap<TenantId, u64>,
    items: Vec<PlanItem>,
}

/// Bytes are not those of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not those of a plan")]
pub struct PlanBytesError;

/// What a sweep may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a sweep plans, or it plans and applies"
)]
pub enum SweepMode {
    /// Plan, show, and remember the rules: nothing goes.
    PlanOnly,
    /// Plan, and apply what the limits allow.
    Apply,
}

/// What the next sweep may do: the first one after the rules changed, or after sweeping was enabled,
/// only plans. `planned` is the digest of the rules that the last sweep planned under; `None` before
/// the first.
#[must_use]
pub fn sweep_mode(planned: Option<&Digest>, rules: &dyn Retention) -> SweepMode {
    match (planned, rules.digest()) {
        (Some(planned), Some(now)) if *planned == now => SweepMode::Apply,
        _ => SweepMode::PlanOnly,
    }
}

/// Picks what goes now among what was found, by each verdict's [`Verdict::disposes`]. A tenant that
/// the context does not name counts as looked at without its holds: if it has any, the plan is
/// refused.
#[must_use]
pub fn plan(found: &[(Item<'_>, Verdict)], made_at: UtcDateTime, context: &PlanContext) -> Plan {
    let PlanContext {
        rules,
        methods,
        tenants,
    } = context;
    let mut tenants = tenants.clone();
    for (item, _) in found {
        tenants.entry(item.tenant).or_insert(0);
    }
    let going = || found.iter().filter(|(_, verdict)| verdict.disposes());
    let (mut names, mut sets) = (Shared::new(), Shared::new());
    let mut items = Vec::with_capacity(going().count());
    for (item, verdict) in going() {
        items.push(PlanItem {
            tenant: item.tenant,
            store: names.text(item.store),
            class: names.text(item.class),
            id: item.id.clone(),
            bytes: item.bytes,
            method: methods.get(item.store).copied().unwrap_or_default(),
            keep_until: match verdict.keep_until {
                KeepUntil::Free => i64::MIN,
                KeepUntil::At(at) => ceil(at),
                KeepUntil::Open => i64::MAX,
            },
            gone_by: verdict
                .gone_by
                .map_or(i64::MAX, UtcDateTime::unix_timestamp),
            rules: sets.rules(verdict.because.deciding()),
        });
    }
    // most stores tell of their items in order
    if !items.is_sorted_by(|a, b| place(a) < place(b)) {
        items.sort_unstable();
        items.dedup_by(|a, b| place(a) == place(b));
    }
    Plan {
        made_at,
        rules: *rules,
        tenants,
        items,
    }
}

impl Plan {
    /// When it was made.
    #[must_use]
    pub const fn made_at(&self) -> UtcDateTime {
        self.made_at
    }

    /// Digest of the rules it was made under.
    #[must_use]
    pub const fn rules(&self) -> Option<Digest> {
        self.rules
    }

    /// Tenants that were looked at, and the generation of their holds then.
    #[must_use]
    pub const fn tenants(&self) -> &BTreeMap<TenantId, u64> {
        &self.tenants
    }

    /// What goes, sorted by tenant, store, class and id.
    #[must_use]
    pub fn items(&self) -> &[PlanItem] {
        &self.items
    }

    /// Whether both let go of the same items under the same rules and holds, whenever they were made: a
    /// plan that waits keeps its hash while a newer one would say nothing else.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let Self {
            made_at: _,
            rules,
            tenants,
            items,
        } = self;
        *rules == other.rules && *tenants == other.tenants && *items == other.items
    }

    /// Reads the bytes of a plan.
    ///
    /// # Errors
    /// [`PlanBytesError`] for bytes that [`Plan::bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanBytesError> {
        let plan = decode(bytes).ok_or(PlanBytesError)?;
        let sorted = plan.items.windows(2).all(|pair| match pair {
            [a, b] => place(a) < place(b),
            _ => true,
        });
        if sorted && plan.bytes() == bytes {
            Ok(plan)
        } else {
            Err(PlanBytesError)
        }
    }

    /// The canonical bytes, version 1: `FORMAT.md`, "Plan".
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        self.pieces(|piece| all.extend_from_slice(piece));
        all
    }

    /// SHA-256 of [`Plan::bytes`]: what a person approves. The bytes are never in memory at once.
    #[cfg(feature = "digest")]
    #[must_use]
    pub fn hash(&self) -> Digest {
        let mut hasher = covenant_core::digest::Hasher::new();
        self.pieces(|piece| hasher.update(piece));
        hasher.finish()
    }

    /// The canonical bytes in pieces, one after the other.
    fn pieces(&self, mut take: impl FnMut(&[u8])) {
        let Self {
            made_at,
            rules,
            tenants,
            items,
        } = self;
        let mut w = canon::Writer::new();
        w.text(FORMAT)
            .instant(*made_at)
            .fixed(rules.map_or([0; 32], |rules| *rules.as_bytes()).as_slice());
        w.u32(count(tenants.len()));
        for (tenant, generation) in tenants {
            w.fixed(tenant.as_bytes()).u64(*generation);
        }
        w.u32(count(items.len()));
        take(w.as_bytes());
        for some in items.chunks(PIECE_ITEMS) {
            let mut w = canon::Writer::with_capacity(PIECE_LEN_BYTES);
            for item in some {
                put(&mut w, item);
            }
            take(w.as_bytes());
        }
    }
}

fn put(w: &mut canon::Writer, item: &PlanItem) {
    let PlanItem {
        tenant,
        store,
        class,
        id,
        bytes,
        method,
        keep_until,
        gone_by,
        rules,
    } = item;
    w.fixed(tenant.as_bytes())
        .text(store)
        .text(class)
        .bytes(id.as_bytes())
        .u64(*bytes)
        .u8(method.byte())
        .i64(*keep_until)
        .i64(*gone_by)
        .u32(count(rules.len()));
    for rule in rules.iter() {
        w.text(rule.as_str());
    }
}

/// What a plan is sorted by, and names once.
fn place(item: &PlanItem) -> (&TenantId, &str, &str, &ItemId) {
    (&item.tenant, &item.store, &item.class, &item.id)
}

fn decode(bytes: &[u8]) -> Option<Plan> {
    let mut r = canon::Reader::new(bytes);
    if r.text(64).ok()? != FORMAT {
        return None;
    }
    let made_at = r.instant().ok()?;
    let rules = Digest::from_bytes(r.array().ok()?);
    let mut tenants = BTreeMap::new();
    for _ in 0..r.u32().ok()? {
        let tenant = TenantId::from_bytes(r.array().ok()?);
        tenants.insert(tenant, r.u64().ok()?);
    }
    let mut items = Vec::new();
    let (mut names, mut sets) = (Shared::new(), Shared::new());
    for _ in 0..r.u32().ok()? {
        items.push(decode_item(&mut r, &mut names, &mut sets)?);
    }
    r.end().ok()?;
    Some(Plan {
        made_at,
        rules: (*rules.as_bytes() != [0; 32]).then_some(rules),
        tenants,
        items,
    })
}

fn decode_item(
    r: &mut canon::Reader<'_>,
    names: &mut Shared<str>,
    sets: &mut Shared<[RuleId]>,
) -> Option<PlanItem> {
    let tenant = TenantId::from_bytes(r.array().ok()?);
    let store = names.text(r.text(NAME_MAX).ok()?);
    let class = names.text(r.text(NAME_MAX).ok()?);
    let id = ItemId::try_from(r.bytes(64).ok()?).ok()?;
    let bytes = r.u64().ok()?;
    let method = r.u8().ok()?;
    let mut methods = Method::ALL.into_iter();
    let method = methods.find(|known| known.byte() == method)?;
    let (keep_until, gone_by) = (r.i64().ok()?, r.i64().ok()?);
    let mut rules: Vec<RuleId> = Vec::new();
    for _ in 0..r.u32().ok()? {
        rules.push(r.text(NAME_MAX).ok()?.parse().ok()?);
    }
    let rules = sets.rules(rules.iter());
    Some(PlanItem {
        tenant,
        store,
        class,
        id,
        bytes,
        method,
        keep_until,
        gone_by,
        rules,
    })
}

/// Whole seconds since 1970, rounded up.
fn ceil(at: UtcDateTime) -> i64 {
    let seconds = at.unix_timestamp();
    if at.nanosecond() == 0 {
        seconds
    } else {
        seconds.saturating_add(1)
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
