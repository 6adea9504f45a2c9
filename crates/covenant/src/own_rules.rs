//! The rules that tenants set for themselves. They lie in the control database, where no restore of a
//! tenant's store reaches them; they are held against the rules of everybody before they are, and
//! count from their commit on.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use covenant_core::digest::Digest;
use covenant_core::event::Datum;
use covenant_core::{Action, ItemId, Target, TenantId, TxTag};
use retention_policy::{
    Authority, Bound, HoldView, Item, Moment, Retention, Rule, RuleErrors, RuleSet, RuleSpec,
    RulesFile, Verdict,
};
use sql_store::{Args, Db, DbError, Mode, Tx};
use tenant_isolation::level::{Maintain, Metadata};
use tenant_isolation::{AccessAction, Caller, ServiceKind};
use time::UtcDateTime;

use crate::aged::Ceilings;
use crate::assembly::Covenant;
use crate::control;
use crate::error::Error;
use crate::profile::{CLASS_DATABASE, CLASS_RECORD, Profile};

/// The table of the rules of tenants, as events name it.
const TABLE: &str = "covenant_rules";
/// Most rules that one tenant has: ours.
pub const OWN_RULES_MAX: usize = 32;

/// What a rule of a tenant may say here: class, kind, the event that it counts from, and that which
/// it is about. Everything else would be accepted and done by nobody.
const CARRIED_OUT: [(&str, Bound, Action, Action); 6] = [
    (
        CLASS_RECORD,
        Bound::Floor,
        Action::RecordDeleted,
        Action::RecordPurged,
    ),
    (
        CLASS_RECORD,
        Bound::Ceiling,
        Action::RecordDeleted,
        Action::RecordPurged,
    ),
    (
        CLASS_RECORD,
        Bound::Ceiling,
        Action::RecordCreated,
        Action::RecordPurged,
    ),
    (
        CLASS_RECORD,
        Bound::Ceiling,
        Action::ChangeRecorded,
        Action::RecordPurged,
    ),
    (
        CLASS_DATABASE,
        Bound::Ceiling,
        Action::DatabaseDeleted,
        Action::DatabasePurged,
    ),
    (
        CLASS_DATABASE,
        Bound::Ceiling,
        Action::TrialEnded,
        Action::DatabaseDeleted,
    ),
];

/// Rules of tenants, each tenant's as it wrote them.
pub type TenantRules = BTreeMap<TenantId, Vec<RuleSpec>>;

/// Holds the rules of tenants against those of everybody.
///
/// # Contract
/// What comes back has the rules of everybody, and for each tenant its own on top; where they weaken
/// or contradict, nothing comes back.
///
/// # Errors
/// [`RuleErrors`], which name rules of both sides.
///
/// # Implementing
/// [`OnlyNarrower`] is the implementation; others wrap it.
pub trait Narrowing: Debug + Send + Sync {
    /// The rules, given those that are in force.
    ///
    /// # Errors
    /// [`RuleErrors`]: all of them.
    fn narrowed(&self, in_force: &RuleSet, all: &TenantRules) -> Result<RuleSet, RuleErrors>;
}

/// Tenants only ever add rules that narrow.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnlyNarrower;

impl Narrowing for OnlyNarrower {
    // clause: P-46
    fn narrowed(&self, in_force: &RuleSet, all: &TenantRules) -> Result<RuleSet, RuleErrors> {
        in_force.with_tenants(all)
    }
}

/// The rules in force: those of everybody, and those of tenants as they were last read.
#[derive(Debug)]
pub(crate) struct OwnRules {
    check: Arc<dyn Narrowing>,
    in_force: RwLock<Arc<InForce>>,
}

#[derive(Debug)]
pub(crate) struct InForce {
    revision: i64,
    pub(crate) rules: RuleSet,
}

/// What rules of a tenant would do to its live records, as they are now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preview {
    /// Live records that would go into the bin at once, when their plan is approved; none that a hold
    /// keeps.
    pub records: u64,
    /// Bytes of these as they are stored, files included.
    pub bytes: u64,
    /// When the first of the live records must go into the bin, which may have passed; `None` where
    /// none is under a ceiling.
    pub first_due: Option<UtcDateTime>,
    /// How long before a ceiling on live records a record goes into the bin; `None` without any.
    pub lead: Option<Duration>,
}

/// What is stored.
struct Stored {
    revision: i64,
    all: TenantRules,
}

impl OwnRules {
    /// The rules of everybody alone.
    pub(crate) fn new(base: RuleSet, check: Arc<dyn Narrowing>) -> Self {
        let rules = Arc::new(InForce {
            revision: 0,
            rules: base,
        });
        Self {
            check,
            in_force: RwLock::new(rules),
        }
    }

    /// The rules in force.
    pub(crate) fn now(&self) -> Arc<InForce> {
        let guard = self.in_force.read();
        Arc::clone(&guard.unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what is stored, when it is newer than what is in force.
    pub(crate) async fn refresh(&self, control: &Db) -> Result<(), Error> {
        let mut tx = control::begin(control, Mode::ReadOnly).await?;
        if newest(&mut tx).await? == self.now().revision {
            return Ok(());
        }
        let stored = read(&mut tx).await?;
        let now = self.now();
        let rules = self.check.narrowed(&now.rules, &stored.all)?;
        self.put_in_force(stored.revision, rules);
        Ok(())
    }

    /// From now on these count, unless newer ones do.
    fn put_in_force(&self, revision: i64, rules: RuleSet) {
        let guard = self.in_force.write();
        let mut in_force = guard.unwrap_or_else(PoisonError::into_inner);
        if in_force.revision < revision {
            *in_force = Arc::new(InForce { revision, rules });
        }
    }
}

impl Retention for OwnRules {
    fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict {
        self.now().rules.evaluate(item, holds, moment)
    }

    fn digest(&self) -> Option<Digest> {
        self.now().rules.digest()
    }
}

impl Covenant {
    /// Sets the tenant's own retention rules, in the place of those it had: floors on records in its
    /// bin, and ceilings on these, on its live records by their age (from `record.created`, or from
    /// `change.recorded`, the last change), on its database once deleted, and on a trial that has
    /// ended. A live record goes into the bin so early that it has left it by its ceiling; what was
    /// too old for that when the rule was set is planned, and waits for [`Covenant::approve_plan`]. They
    /// only ever narrow the rules of everybody, and count from now on; without any, those of
    /// everybody count alone. What a rule leaves open (authority, `to`, store) is filled in, and a floor
    /// is waived by whatever waives that of everybody.
    ///
    /// # Errors
    /// [`Error::Denied`] to everybody but an administrator of the database; [`Error::Rules`] when one
    /// is weaker than a rule of everybody or contradicts some, with the names of both;
    /// [`Error::NotCarriedOut`] for one that nothing here would carry out; [`Error::TooShort`] for a
    /// ceiling on live records that their way through the bin does not fit in. What was in force stays
    /// so.
    // clause: P-46
    pub async fn set_rules(
        &self,
        caller: &Caller,
        tenant: TenantId,
        rules: Vec<RuleSpec>,
    ) -> Result<(), Error> {
        let parts = self.parts();
        let scope = self
            .enter::<Metadata>(caller, tenant, AccessAction::RulesSet)
            .await?;
        let rules = self.carried_out(rules)?;
        let rows = &parts.profile.rows;
        let count = u64::try_from(rules.len()).unwrap_or(u64::MAX);
        parts.own_rules.refresh(&parts.control).await?;
        let text = RulesFile {
            rules: rules.clone(),
            ..RulesFile::default()
        };
        let target = Target {
            tenant: Some(tenant),
            kind: "rules",
            table: Some(TABLE),
            id: Some(ItemId::from(tenant.as_uuid())),
        };
        let event = self.row_event(caller, scope.decision(), Action::ChangeRecorded, target)?;
        let event = event
            .with("op", Datum::Token("update"))
            .with("rules", Datum::Count(count));
        let prepared = parts.sink.prepare(event).await?;
        let tag = TxTag {
            txn: self.mint()?,
            tenant: None,
            decision: Some(scope.decision()),
        };
        // Others that write wait from here on: what is read stays so until the commit.
        let mut tx = parts.control.begin_with(Mode::ReadWrite, tag).await?;
        let mut stored = read(&mut tx).await?;
        let revision = stored.revision.saturating_add(1);
        if rules.is_empty() {
            stored.all.remove(&tenant);
        } else {
            stored.all.insert(tenant, rules);
        }
        let now = parts.own_rules.now();
        let narrowed = parts.own_rules.check.narrowed(&now.rules, &stored.all)?;
        let ceilings = Ceilings::of(&narrowed, tenant, rows)?;
        let args = Args::new().bind(tenant).bind(text.to_json()).bind(revision);
        tx.execute(include_str!("../sql/put_rules.sql"), args)
            .await?;
        parts.sink.record(&mut tx, prepared).await?;
        tx.commit().await?;
        parts.own_rules.put_in_force(revision, narrowed);
        // What is in the bin may be due at another time now.
        self.plan_bin(tenant).await?;
        match ceilings {
            // a sweep that has nothing to do yet knows these from then on
            Some(_) => {
                self.put_due(&self.live_row(tenant, parts.clock.now()))
                    .await
            }
            None => Ok(()),
        }
    }

    /// Holds rules of the tenant against those of everybody as [`Covenant::set_rules`] does, and says
    /// what they would do to its live records. Nothing is changed.
    ///
    /// # Errors
    /// As [`Covenant::set_rules`].
    // clause: P-46
    pub async fn check_rules(
        &self,
        caller: &Caller,
        tenant: TenantId,
        rules: Vec<RuleSpec>,
    ) -> Result<Preview, Error> {
        let parts = self.parts();
        let _allowed = self
            .enter::<Metadata>(caller, tenant, AccessAction::RulesSet)
            .await?;
        let rules = self.carried_out(rules)?;
        self.refresh_rules().await?;
        let mut tx = control::begin(&parts.control, Mode::ReadOnly).await?;
        let mut stored = read(&mut tx).await?;
        drop(tx);
        stored.all.remove(&tenant);
        if !rules.is_empty() {
            stored.all.insert(tenant, rules);
        }
        let now = parts.own_rules.now();
        let narrowed = parts.own_rules.check.narrowed(&now.rules, &stored.all)?;
        let Some(ceilings) = Ceilings::of(&narrowed, tenant, &parts.profile.rows)? else {
            return Ok(Preview::default());
        };
        let service = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&service, tenant, AccessAction::StoreSweep)
            .await?;
        let mut tx = scope.begin(parts.tenants.as_ref()).await?;
        let lent = tx.tx().await?;
        let holds = parts.holds.view(lent, tenant, Mode::ReadOnly).await?;
        let rows = &parts.profile.rows;
        ceilings
            .preview(lent, &narrowed, &holds, rows, parts.clock.now())
            .await
    }

    /// The rules that the tenant's items are under: those of everybody, and its own.
    ///
    /// # Errors
    /// [`Error`] when the control database cannot be read.
    pub async fn rules_of(&self, tenant: TenantId) -> Result<Vec<Rule>, Error> {
        self.refresh_rules().await?;
        Ok(self.parts().own_rules.now().rules.rules_of(tenant).to_vec())
    }

    /// Takes over rules that another process set.
    pub(crate) async fn refresh_rules(&self) -> Result<(), Error> {
        let parts = self.parts();
        parts.own_rules.refresh(&parts.control).await
    }

    /// The rules with everything that goes without saying.
    fn carried_out(&self, rules: Vec<RuleSpec>) -> Result<Vec<RuleSpec>, Error> {
        if rules.len() > OWN_RULES_MAX {
            return Err(Error::NotCarriedOut(
                "more rules than a tenant may have".to_owned(),
            ));
        }
        let Profile {
            rows,
            bin_floor,
            rules: base,
            ..
        } = &self.parts().profile;
        // what ends the bin of everybody ends a tenant's too: nobody's erasure waits for it
        let bin = base
            .rules()
            .iter()
            .find(|rule| rule.id().as_str() == bin_floor);
        let waivers: Vec<String> = bin
            .iter()
            .flat_map(|rule| rule.waived_by())
            .map(ToString::to_string)
            .collect();
        let fill = |mut rule: RuleSpec| {
            let fits = CARRIED_OUT.iter().find(|(class, bound, from, to)| {
                rule.classes.iter().all(|one| one == class)
                    && !rule.classes.is_empty()
                    && rule.bound == *bound
                    && rule.from.as_deref() == Some(from.name())
                    && rule.to.as_deref().is_none_or(|about| about == to.name())
            });
            let here = rule.stores.iter().all(|store| store == rows);
            let Some((_, _, _, to)) = fits.filter(|_| here) else {
                return Err(Error::NotCarriedOut(rule.id));
            };
            rule.to = Some(to.name().to_owned());
            rule.stores = vec![rows.clone()];
            if rule.bound == Bound::Floor {
                rule.waived_by.extend(waivers.iter().cloned());
            }
            // who asks for another authority is refused by the check
            if rule.authority == Authority::default() {
                rule.authority = Authority::Tenant;
            }
            // nothing keeps a live record, and yet it does not go before it must
            if rule.bound == Bound::Ceiling
                && rule.from.as_deref() != Some(Action::RecordDeleted.name())
            {
                rule.act = retention_policy::Act::Late;
            }
            Ok(rule)
        };
        rules.into_iter().map(fill).collect()
    }
}

/// The newest revision.
async fn newest(tx: &mut Tx) -> Result<i64, DbError> {
    let sql = include_str!("../sql/newest_rules.sql");
    let row = tx.row(sql, Args::new()).await?;
    row.map_or(Ok(0), |row| row.int("revision"))
}

/// Every tenant's rules as they are stored.
async fn read(tx: &mut Tx) -> Result<Stored, Error> {
    let mut stored = Stored {
        revision: 0,
        all: TenantRules::new(),
    };
    let sql = include_str!("../sql/list_rules.sql");
    for row in tx.rows(sql, Args::new()).await? {
        let tenant = TenantId::from_bytes(row.array("tenant")?);
        let file = RulesFile::from_json(row.text("rules")?).map_err(Error::unavailable)?;
        stored.revision = stored.revision.max(row.int("revision")?);
        if !file.rules.is_empty() {
            stored.all.insert(tenant, file.rules);
        }
    }
    Ok(stored)
}
