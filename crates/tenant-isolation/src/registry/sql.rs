//! The registry over a control database. The outbox and the due-queue are tables of the same
//! database, so that decision, event, change and reminder are one commit.

use std::fmt;

use covenant_core::{BoxFuture, DecisionId, OutboxTx, RegionSet, TenantId, TxTag, TxnId, UserId};
use sql_store::due::{self, Due};
use sql_store::{Args, Constraint, Db, DbError, Migrations, Mode, Row, Tx};

use super::{DecisionRow, Registry, RegistryError, RegistryTx};
use crate::{
    AccessLevel, Decision, Effect, Principal, Role, RuleId, RuleSet, TenantEpoch, TenantRecord,
    TenantSnapshot,
};

/// Makes the registry's tables.
pub const REGISTRY: Migrations = Migrations {
    crate_name: "tenant-isolation",
    steps: &[(
        "0001_registry",
        include_str!("../../migrations/0001_registry.sql"),
    )],
};

const READ_SNAPSHOT: &str = include_str!("../../sql/read_snapshot.sql");
const READ_EPOCH: &str = include_str!("../../sql/read_epoch.sql");
const INSERT_TENANT: &str = include_str!("../../sql/insert_tenant.sql");
const UPDATE_TENANT: &str = include_str!("../../sql/update_tenant.sql");
const LIST_TENANTS: &str = include_str!("../../sql/list_tenants.sql");
const PUT_MEMBER: &str = include_str!("../../sql/put_member.sql");
const DELETE_MEMBER: &str = include_str!("../../sql/delete_member.sql");
const LIST_MEMBERS: &str = include_str!("../../sql/list_members.sql");
const COUNT_ADMINS: &str = include_str!("../../sql/count_admins.sql");
const INSERT_DECISION: &str = include_str!("../../sql/insert_decision.sql");
const READ_DECISION: &str = include_str!("../../sql/read_decision.sql");
const COUNT_DECISIONS: &str = include_str!("../../sql/count_decisions.sql");

/// Facts in a control database.
#[derive(Debug, Clone)]
pub struct SqlRegistry {
    db: Db,
    regions: RegionSet,
}

impl SqlRegistry {
    /// The registry in this database, where [`REGISTRY`], the outbox and the due-queue have been
    /// migrated; a tenant of a region outside the set cannot be read.
    #[must_use]
    pub const fn new(db: Db, regions: RegionSet) -> Self {
        Self { db, regions }
    }

    /// The control database.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    async fn rows(&self, sql: &'static str, args: Args) -> Result<Vec<Row>, RegistryError> {
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        let mut tx = self.db.begin_with(Mode::ReadOnly, tag).await?;
        let rows = tx.rows(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }

    fn record(&self, row: &Row) -> Result<TenantRecord, RegistryError> {
        Ok(TenantRecord {
            region: self
                .regions
                .region(row.text("region")?)
                .or(Err(RegistryError::Corrupt("region")))?,
            state: row
                .text("state")?
                .parse()
                .or(Err(RegistryError::Corrupt("state")))?,
            epoch: TenantEpoch::new(unsigned(row, "epoch")?),
            store: row.id("store")?,
            generation: unsigned(row, "generation")?,
            created: row.instant("created_at")?,
        })
    }
}

impl Registry for SqlRegistry {
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
        Box::pin(async move {
            let rows = self
                .rows(READ_SNAPSHOT, Args::new().bind(tenant).bind(member))
                .await?;
            let Some(row) = rows.first() else {
                return Ok(TenantSnapshot::absent(tenant));
            };
            let role = row.opt_text("role")?.map(read_role).transpose()?;
            let role = member.and_then(|user| Some((user, role?)));
            Ok(TenantSnapshot {
                tenant,
                record: Some(self.record(row)?),
                role,
            })
        })
    }

    fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>> {
        Box::pin(async move {
            let tx = self.db.begin_with(Mode::ReadWrite, tag).await?;
            Ok(Box::new(SqlTx(tx)) as Box<dyn RegistryTx>)
        })
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<(TenantId, TenantRecord)>, RegistryError>> {
        Box::pin(async move {
            let rows = self.rows(LIST_TENANTS, Args::new()).await?;
            rows.iter()
                .map(|row| Ok((row.id("id")?, self.record(row)?)))
                .collect()
        })
    }

    fn members(
        &self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Vec<(UserId, Role)>, RegistryError>> {
        Box::pin(async move {
            let rows = self.rows(LIST_MEMBERS, Args::new().bind(tenant)).await?;
            rows.iter()
                .map(|row| Ok((row.id("member")?, read_role(row.text("role")?)?)))
                .collect()
        })
    }

    fn decision(
        &self,
        tenant: TenantId,
        id: DecisionId,
    ) -> BoxFuture<'_, Result<Option<Decision>, RegistryError>> {
        Box::pin(async move {
            let rows = self
                .rows(READ_DECISION, Args::new().bind(tenant).bind(id))
                .await?;
            rows.first().map(read_decision).transpose()
        })
    }

    fn decisions(&self, tenant: TenantId) -> BoxFuture<'_, Result<u64, RegistryError>> {
        Box::pin(async move {
            let rows = self.rows(COUNT_DECISIONS, Args::new().bind(tenant)).await?;
            rows.first().map_or(Ok(0), |row| unsigned(row, "n"))
        })
    }
}

struct SqlTx(Tx);

impl fmt::Debug for SqlTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlTx").field(&self.0).finish()
    }
}

impl RegistryTx for SqlTx {
    fn epoch(
        &mut self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Option<TenantEpoch>, RegistryError>> {
        Box::pin(async move {
            let row = self.0.row(READ_EPOCH, Args::new().bind(tenant)).await?;
            row.map(|row| unsigned(&row, "epoch").map(TenantEpoch::new))
                .transpose()
        })
    }

    fn record(&mut self, row: DecisionRow) -> BoxFuture<'_, Result<(), RegistryError>> {
        let DecisionRow {
            id,
            at,
            request,
            decision,
        } = row;
        let (principal, principal_id) = match request.caller().principal() {
            Principal::Member { user, .. } => ("member", Some(user.as_uuid())),
            Principal::Staff { staff } => ("staff", Some(staff.as_uuid())),
            Principal::Service { kind } => (kind.name(), None),
        };
        let args = Args::new()
            .bind(request.tenant())
            .bind(id)
            .bind(at)
            .bind(decision.effect().name())
            .bind(decision.rule().name())
            .bind(decision.also().to_string())
            .bind(principal)
            .bind(principal_id)
            .bind(request.action().name())
            .bind(request.level().map(AccessLevel::name));
        Box::pin(async move { Ok(self.0.execute(INSERT_DECISION, args).await.map(drop)?) })
    }

    fn create(
        &mut self,
        tenant: TenantId,
        record: TenantRecord,
        admin: UserId,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        let TenantRecord {
            region,
            state,
            epoch,
            store,
            generation,
            created,
        } = record;
        Box::pin(async move {
            let args = Args::new()
                .bind(tenant)
                .bind(region.as_str())
                .bind(state.name())
                .bind(signed(epoch.number(), "epoch")?)
                .bind(store)
                .bind(signed(generation, "generation")?)
                .bind(created);
            match self.0.execute(INSERT_TENANT, args).await {
                Ok(_) => {}
                Err(DbError::Constraint {
                    kind: Constraint::Unique,
                    ..
                }) => {
                    return Err(RegistryError::Exists(tenant));
                }
                Err(other) => return Err(other.into()),
            }
            put_member(&mut self.0, tenant, admin, Role::Admin).await
        })
    }

    fn update(
        &mut self,
        tenant: TenantId,
        expected: TenantEpoch,
        record: TenantRecord,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        let TenantRecord {
            region: _,
            state,
            epoch,
            store: _,
            generation,
            created: _,
        } = record;
        Box::pin(async move {
            let args = Args::new()
                .bind(tenant)
                .bind(signed(expected.number(), "epoch")?)
                .bind(state.name())
                .bind(signed(epoch.number(), "epoch")?)
                .bind(signed(generation, "generation")?);
            match self.0.execute(UPDATE_TENANT, args).await? {
                1 => Ok(()),
                _ => Err(RegistryError::Stale(tenant)),
            }
        })
    }

    fn set_member(
        &mut self,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            match role {
                Some(role) => put_member(&mut self.0, tenant, user, role).await?,
                None => {
                    let args = Args::new().bind(tenant).bind(user);
                    self.0.execute(DELETE_MEMBER, args).await?;
                }
            }
            let args = Args::new().bind(tenant).bind(Role::Admin.name());
            let row = self.0.row(COUNT_ADMINS, args).await?;
            match row.map_or(Ok(0), |row| unsigned(&row, "n"))? {
                0 => Err(RegistryError::LastAdmin(tenant)),
                _ => Ok(()),
            }
        })
    }

    fn put_due(&mut self, due: Due) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move { Ok(due::put(&mut self.0, &due).await?) })
    }

    fn outbox(&mut self) -> &mut dyn OutboxTx {
        &mut self.0
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), RegistryError>> {
        Box::pin(async move { Ok(self.0.commit().await?) })
    }
}

async fn put_member(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    role: Role,
) -> Result<(), RegistryError> {
    let args = Args::new().bind(tenant).bind(user).bind(role.name());
    Ok(tx.execute(PUT_MEMBER, args).await.map(drop)?)
}

fn read_role(name: &str) -> Result<Role, RegistryError> {
    name.parse().or(Err(RegistryError::Corrupt("role")))
}

fn read_decision(row: &Row) -> Result<Decision, RegistryError> {
    let corrupt = || RegistryError::Corrupt("decision");
    let rule = |name: &str| RuleId::ALL.into_iter().find(|rule| rule.name() == name);
    let decisive = rule(row.text("rule")?).ok_or_else(corrupt)?;
    let effect = row.text("effect")?;
    if effect == Effect::Allow.name() {
        return Ok(Decision::allow(decisive));
    }
    if effect != Effect::Deny.name() {
        return Err(corrupt());
    }
    let also = row.text("also")?.split_whitespace();
    let also: RuleSet = also
        .map(|name| rule(name).ok_or_else(corrupt))
        .try_fold(RuleSet::EMPTY, |set, rule| rule.map(|rule| set.with(rule)))?;
    Ok(Decision::deny(also.with(decisive)))
}

fn unsigned(row: &Row, name: &'static str) -> Result<u64, RegistryError> {
    u64::try_from(row.int(name)?).or(Err(RegistryError::Corrupt(name)))
}

fn signed(value: u64, name: &'static str) -> Result<i64, RegistryError> {
    i64::try_from(value).or(Err(RegistryError::Corrupt(name)))
}
