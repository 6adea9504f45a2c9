//! The files of a store of rows and of its ledger, and what happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration as Wait;

use covenant_core::event::ActorContext;
use covenant_core::{
    Action, BoxFuture, EventId, HoldId, ItemId, ManualClock, OutboxTx as _, PrincipalId, TenantId,
    TxTag, TxnId,
};
use retention_policy::apply::{Certifier, DisposeError, Disposer, Ended, Flush as _, Joints};
use retention_policy::hold::sql::SqlHolds;
use retention_policy::ledger::SqlLedger;
use retention_policy::ledger::sql::outbox_row;
use retention_policy::rows::{
    Order, RowDisposer, RowJournal, Rows, RowsUnder, Seen, Underneath, carry_out, catch_up,
};
use retention_policy::{
    Disposal, Entry, GateOutcome, GateStep, Head, Hold, HoldAct, HoldMode, HoldScope, HoldView,
    Holds as _, Item, ItemFate, ItemList, KeepUntil, Later, Ledger as _, LedgerKey, Moment,
    Occurrence, PlanContext, Probe, RestoreGate, Retention as _, RuleSet, SchemaAge, Slack,
    SqliteFlush, overdue, plan,
};
use sql_store::{Args, Db, Durability, Mode, SqliteOptions, SqliteProfile, Tx};
use time::{Duration, UtcDateTime};

pub(super) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// When three rows are deleted: an afternoon, so that the floor and the ceiling end apart.
pub(super) const DELETED: UtcDateTime = match UtcDateTime::from_unix_timestamp(1_772_550_000) {
    Ok(at) => at,
    Err(_) => UtcDateTime::UNIX_EPOCH,
};
pub(super) const SECOND: Duration = Duration::SECOND;
/// Of these the second to the fourth are deleted, the third is restored from the bin, the fourth is
/// held, and the fifth loses its name.
pub(super) const ROWS: [&str; 5] = ["as-is", "due", "back", "held", "erased"];

const RULES: &str = r#"
format = "covenant/rules/v1"
reviewed = 2026-11-22
[reading]
zones = ["+00:00"]
[[class]]
id = "note"
[[store]]
id = "main"
kind = "sql"
[[rule]]
id = "bin"
class = ["note"]
store = ["main"]
bound = "floor"
from = "note.deleted"
to = "note.purged"
period = "P30D"
[[rule]]
id = "emptied"
class = ["note"]
store = ["main"]
bound = "ceiling"
from = "note.deleted"
to = "note.purged"
period = "P30D"
late = "PT25H"
"#;

pub(super) fn tenant() -> TenantId {
    TenantId::from_bytes([7; 16])
}

pub(super) fn salt(row: &str) -> Outcome<Probe> {
    Ok(Probe::new(
        <[u8; 24]>::try_from(format!("salt of the row {row:-<8}").as_bytes())
            .or(Err("a probe has 24 bytes"))?,
    ))
}

pub(super) fn rules() -> Outcome<Arc<RuleSet>> {
    Ok(Arc::new(
        RuleSet::from_toml(RULES).map_err(|errors| errors.to_string())?,
    ))
}

/// The end of the floor and the ceiling of what was deleted.
pub(super) fn bounds() -> Outcome<[UtcDateTime; 2]> {
    let events = [Occurrence::new("note.deleted", DELETED)];
    let item = Item::new(tenant(), "note", ItemId::try_from("due")?, &events);
    let verdict = rules()?.evaluate(&item, &HoldView::none(), &Moment::at(DELETED));
    match (verdict.keep_until, verdict.gone_by) {
        (KeepUntil::At(floor), Some(ceiling)) => Ok([floor, ceiling]),
        other => Err(format!("{other:?}").into()),
    }
}

/// What happens at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Delete,
    Erase,
    Hold,
    TakeBack,
    Release,
    Sweep,
    Nothing,
}

/// The files of a store and of its ledger, open.
pub(super) struct World {
    folder: PathBuf,
    pub(super) rows: Rows,
    pub(super) ledger: SqlLedger,
    ledger_db: Db,
    rules: Arc<RuleSet>,
}

/// What can be read of a store: rows with the instant of their deletion and their names, and holds.
pub(super) type Readable = (Vec<(String, Option<UtcDateTime>, String)>, HoldView);

/// Takes parts; what they say is another test's.
#[derive(Debug, Default)]
struct Desk(Mutex<u32>);

impl Certifier for Desk {
    fn certify<'a>(&'a self, _disposal: &'a Disposal) -> BoxFuture<'a, Result<(), DisposeError>> {
        if let Ok(mut parts) = self.0.lock() {
            *parts += 1;
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn open(file: &Path) -> Outcome<Db> {
    let options = SqliteOptions::new(file, SqliteProfile::Tenant).durability(Durability::Off);
    let clock = Arc::new(ManualClock::at(DELETED));
    Ok(if file.exists() {
        Db::open_sqlite(options, clock).await?
    } else {
        Db::create_sqlite(options, clock).await?
    })
}

pub(super) async fn begin(db: &Db) -> Outcome<Tx> {
    let tag = TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: Some(tenant()),
        decision: None,
    };
    Ok(db.begin_with(Mode::ReadWrite, tag).await?)
}

impl World {
    pub(super) async fn open(folder: &Path) -> Outcome<Self> {
        let rows = Rows::open(open(&folder.join("rows.db")).await?).await?;
        let ledger_db = open(&folder.join("ledger.db")).await?;
        let ledger = SqlLedger::open(ledger_db.clone()).await?;
        Ok(Self {
            folder: folder.to_owned(),
            rows,
            ledger,
            ledger_db,
            rules: rules()?,
        })
    }

    pub(super) async fn create(folder: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(folder)?;
        let world = Self::open(folder).await?;
        let of = tenant();
        let mut tx = begin(world.rows.db()).await?;
        for sql in [
            "CREATE TABLE note (id TEXT PRIMARY KEY, name TEXT, salt BLOB, deleted_at INTEGER)"
                .to_owned(),
            format!(
                "CREATE VIEW retention_item AS SELECT '{of}' AS tenant, 'main' AS store, \
                 'note' AS class, id, 100 AS bytes, 0 AS made_at FROM note"
            ),
            format!(
                "CREATE VIEW retention_event AS SELECT '{of}' AS tenant, 'note' AS class, id, \
                 'note.deleted' AS name, deleted_at AS happened_at FROM note \
                 WHERE deleted_at IS NOT NULL"
            ),
            format!(
                "CREATE VIEW retention_probe AS SELECT '{of}' AS tenant, 'note' AS class, id, \
                 salt AS probe FROM note"
            ),
            "CREATE TRIGGER goes INSTEAD OF DELETE ON retention_item BEGIN \
             DELETE FROM note WHERE id = OLD.id; END"
                .to_owned(),
        ] {
            tx.execute(Box::leak(sql.into_boxed_str()), Args::new())
                .await?;
        }
        for row in ROWS {
            let sql = "INSERT INTO note (id, name, salt) VALUES ($1, 'somebody', $2)";
            let args = Args::new().bind(row).bind(salt(row)?.as_bytes().as_slice());
            tx.execute(sql, args).await?;
        }
        tx.commit().await?;
        Ok(world)
    }

    /// Closes the store, and opens a copy of its files in this folder beside it.
    pub(super) async fn fork(self, to: &Path) -> Outcome<(Self, Self)> {
        let folder = self.close().await;
        copy(&folder, to, &["rows.db", "ledger.db"])?;
        Ok((Self::open(&folder).await?, Self::open(to).await?))
    }

    pub(super) async fn close(self) -> PathBuf {
        self.rows.db().close().await;
        self.ledger_db.close().await;
        self.folder
    }

    async fn note(&self, at: UtcDateTime, action: Action, row: &str, sql: &'static str) -> Outcome {
        let mut tx = begin(self.rows.db()).await?;
        let args = Args::new().bind(row);
        let args = if action == Action::RecordDeleted {
            args.bind(at)
        } else {
            args
        };
        tx.execute(sql, args).await?;
        let mut event = [0; 16];
        event[..8].copy_from_slice(&at.unix_timestamp().to_be_bytes());
        event[8..].copy_from_slice(format!("{row:-<8}").as_bytes());
        let entry = Entry {
            seq: 0,
            event: EventId::from_bytes(event),
            at,
            action,
            key: LedgerKey::Item {
                class: "note".to_owned(),
                id: ItemId::try_from(row)?,
            },
            hold: None,
        };
        tx.put(outbox_row(tenant(), &entry)).await?;
        Ok(tx.commit().await?)
    }

    async fn holds(&self) -> Outcome<SqlHolds> {
        let ledger = Arc::new(self.ledger.clone());
        Ok(SqlHolds::open(self.rows.db().clone(), ledger).await?)
    }

    pub(super) async fn act(&self, act: Act, at: UtcDateTime) -> Outcome {
        let hold = HoldId::from_bytes([8; 16]);
        match act {
            Act::Delete => {
                let sql = "UPDATE note SET deleted_at = $2 WHERE id = $1";
                for row in ["due", "back", "held"] {
                    self.note(at, Action::RecordDeleted, row, sql).await?;
                }
            }
            Act::Erase => {
                let sql = "UPDATE note SET name = '' WHERE id = $1";
                self.note(at, Action::ErasureCompleted, "erased", sql)
                    .await?;
            }
            Act::TakeBack => {
                let sql = "UPDATE note SET deleted_at = NULL WHERE id = $1";
                self.note(at, Action::RecordRestored, "back", sql).await?;
            }
            Act::Hold => {
                let ids = ItemList::try_from(BTreeSet::from([ItemId::try_from("held")?]))?;
                let hold = Hold {
                    id: hold,
                    tenant: tenant(),
                    matter: "case-1".parse()?,
                    scope: HoldScope::Items {
                        class: "note".parse()?,
                        ids,
                    },
                    later: Later::Covered,
                    mode: HoldMode::Governance,
                    placed_by: PrincipalId::from_bytes([1; 16]),
                    reason: "litigation".parse()?,
                    placed_at: at,
                };
                let holds = self.holds().await?;
                holds.place(&hold, ActorContext::system()).await?;
            }
            Act::Release => {
                for by in [1, 2] {
                    let act = HoldAct {
                        by: PrincipalId::from_bytes([by; 16]),
                        at,
                        actor: ActorContext::system(),
                    };
                    self.holds().await?.release(tenant(), hold, act).await?;
                }
            }
            Act::Sweep => drop(self.sweep(at).await?),
            Act::Nothing => {}
        }
        catch_up(&self.rows, &self.ledger, tenant()).await?;
        Ok(())
    }

    /// Disposes of all that goes by now; says how many.
    pub(super) async fn sweep(&self, now: UtcDateTime) -> Outcome<usize> {
        let Seen { items, holds } = self.rows.seen(tenant()).await?;
        let occurrences = items.occurrences();
        let views = items.views(&occurrences);
        let go = overdue(self.rules.as_ref(), &views, &holds, now);
        let judged: Vec<_> = views
            .into_iter()
            .map(|item| {
                let verdict = self.rules.evaluate(&item, &holds, &Moment::at(now));
                (item, verdict)
            })
            .collect();
        let plan = plan(&judged, now, &PlanContext::of(&self.rules));
        assert_eq!(plan.items().len(), go.len());
        if go.is_empty() {
            return Ok(0);
        }
        let order = Order::new(tenant(), plan.hash(), [9; 32]);
        let probes = self.rows.probes(tenant(), plan.items()).await?;
        let mut disposals = match self.rows.order(tenant(), order.id()).await? {
            // what an earlier sweep began
            Some((_, disposals)) => disposals,
            None => {
                let made = order.disposals(&plan, &self.rules, &probes, |_, _| None);
                let made = made.ok_or("no disposals")?;
                self.rows.admit(&order, &made, now).await?;
                made
            }
        };
        let flush = Arc::new(flush());
        let files = Underneath {
            place: self.file(),
            flush: Arc::clone(&flush) as _,
            verify: flush,
            wait: Wait::from_secs(5),
        };
        let db = self.rows.db().clone();
        let rules = Arc::clone(&self.rules);
        let under = RowsUnder::new(db.clone(), rules, Slack::NONE, order.id(), Some(files));
        under.expect(&disposals);
        let disposer = RowDisposer::new("main".parse()?, under);
        let (holds, desk) = (self.holds().await?, Desk::default());
        let joints = Joints {
            disposers: BTreeMap::from([(disposer.store().clone(), &disposer as &dyn Disposer)]),
            holds: &holds,
            certifier: &desk,
        };
        let ended = carry_out(&mut disposals, &joints, &RowJournal::new(db), now).await?;
        assert!(ended.iter().all(|end| *end == Ended::Done), "{ended:?}");
        assert_eq!(desk.0.lock().map_or(0, |n| *n), u32::try_from(go.len())?);
        Ok(go.len())
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("rows.db")
    }

    pub(super) async fn readable(&self) -> Outcome<Readable> {
        let mut tx = begin(self.rows.db()).await?;
        let sql = "SELECT id, deleted_at, name FROM note ORDER BY id";
        let mut notes = Vec::new();
        for row in tx.rows(sql, Args::new()).await? {
            let name = row.text("name")?.to_owned();
            notes.push((
                row.text("id")?.to_owned(),
                row.opt_instant("deleted_at")?,
                name,
            ));
        }
        drop(tx);
        let holds = self.rows.seen(tenant()).await?.holds;
        let standing = holds.holds(tenant()).cloned().collect::<Vec<_>>();
        Ok((notes, HoldView::of(tenant(), 0, standing)))
    }

    /// Brings a file that was put back to what it would be now; `head` is the copy's.
    pub(super) async fn reopen(&self, head: Head, now: UtcDateTime) -> Outcome {
        let newest = [self.ledger.head(tenant()).await?];
        let entries = self.ledger.since(tenant(), head, &newest).await;
        let mut gate = RestoreGate::begin(entries, SchemaAge::Same)?;
        while gate.next() != GateStep::Open {
            let step = gate.next();
            let count = match step {
                GateStep::TakeHolds => {
                    catch_up(&self.rows, &self.ledger, tenant()).await?;
                    gate.replay().holds.ids().count()
                }
                GateStep::ReplayItems => {
                    let items = gate.replay().items.clone();
                    for ((_, id), fate) in &items {
                        let id = std::str::from_utf8(id.as_bytes())?;
                        let mut tx = begin(self.rows.db()).await?;
                        let (sql, at) = match fate {
                            ItemFate::Live => {
                                ("UPDATE note SET deleted_at = $2 WHERE id = $1", None)
                            }
                            ItemFate::Binned { deleted_at } => {
                                let sql = "UPDATE note SET deleted_at = $2 WHERE id = $1";
                                (sql, Some(*deleted_at))
                            }
                            ItemFate::Purged { .. } => {
                                ("DELETE FROM note WHERE id = $1 AND $2 IS NULL", None)
                            }
                        };
                        tx.execute(sql, Args::new().bind(id).bind(at)).await?;
                        tx.commit().await?;
                    }
                    items.len()
                }
                GateStep::RunErasures => {
                    let erasures = gate.replay().erasures.clone();
                    for erasure in &erasures {
                        let LedgerKey::Item { id, .. } = &erasure.key else {
                            return Err("an erasure of no item".into());
                        };
                        let mut tx = begin(self.rows.db()).await?;
                        let sql = "UPDATE note SET name = '' WHERE id = $1";
                        let id = std::str::from_utf8(id.as_bytes())?;
                        tx.execute(sql, Args::new().bind(id)).await?;
                        tx.commit().await?;
                    }
                    erasures.len()
                }
                GateStep::Evaluate => self.sweep(now).await?,
                _ => {
                    let quiet = self.rows.db().quiesce(Wait::from_secs(5)).await?;
                    flush().flush(&self.file()).await?;
                    drop(quiet);
                    0
                }
            };
            assert!(gate.report().is_none(), "shut before the last step");
            gate.observe(step, GateOutcome::Done(u64::try_from(count)?))?;
        }
        Ok(())
    }
}

pub(super) const fn flush() -> SqliteFlush {
    SqliteFlush::new(Durability::Off)
}

pub(super) fn copy(from: &Path, to: &Path, names: &[&str]) -> Outcome {
    std::fs::create_dir_all(to)?;
    for name in names {
        std::fs::copy(from.join(name), to.join(name))?;
        // nobody has it open: the log beside it belongs to it
        let log = format!("{name}-wal");
        if from.join(&log).exists() {
            std::fs::copy(from.join(&log), to.join(&log))?;
        }
    }
    Ok(())
}
