//! `covenant keys`: administration of a key store in SQLite and its key-encryption keys in files.
//! Exit codes: 0 good, 1 checked and false, 2 usage or bad input, 3 unreachable, 4 refused, 5 the
//! key store is damaged or not replayed.

use std::path::PathBuf;
use std::sync::Arc;

use covenant_core::event::{ActorContext, ActorKind, Path};
use covenant_core::{Clock, KeyId, Owner, Random, SystemClock, SystemRandom};
use crypto_envelope::backend::{BackendError, FileBackend};
use crypto_envelope::record::KekRecord;
use crypto_envelope::store::{SqlStore, StoreError};
use crypto_envelope::{
    AdminCall, GroupName, KeyAdmin, KeyError, KeyRecordInfo, KeysOptions, PendingWindow, Role,
};
use serde_json::{Value, json};
use sql_store::{Db, SqliteOptions, SqliteProfile};
use uuid::Uuid;

use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Keys {
    /// The key store: an SQLite file.
    #[arg(long, value_name = "FILE", global = true)]
    store: Option<PathBuf>,
    /// The directory of key-encryption keys.
    #[arg(long, value_name = "DIR", global = true)]
    keys: Option<PathBuf>,
    /// Id of the administrator who acts.
    #[arg(long, value_name = "UUID", global = true)]
    actor: Option<Uuid>,
    /// The ticket or change on which the call rests; only its id is recorded.
    #[arg(long, value_name = "TICKET", global = true)]
    reason: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes an empty key store and key directory.
    Init,
    /// Shows every key.
    List,
    /// Shows one key.
    Show {
        /// The key.
        id: KeyId,
    },
    /// Makes the key-encryption key of a group.
    Create {
        /// `standard` or `sensitive`.
        group: GroupName,
    },
    /// Puts a new key in the place of this one.
    Rotate {
        /// The key.
        id: KeyId,
    },
    /// Switches a key on.
    Enable {
        /// The key.
        id: KeyId,
    },
    /// Switches a key off.
    Disable {
        /// The key.
        id: KeyId,
    },
    /// Makes a key unusable, and destroys it after whole days of waiting.
    ScheduleDestruction {
        /// The key.
        id: KeyId,
        /// Days to wait, 7 to 30, the last one to its end in UTC; 30 are 30 times 24 hours.
        #[arg(long, value_name = "N")]
        days: PendingWindow,
    },
    /// Takes a scheduled destruction back; the key is disabled then.
    CancelDestruction {
        /// The key.
        id: KeyId,
    },
    /// Destroys what is due.
    DestroyDue,
    /// Tries every key, and looks at the copies of the key store.
    Check,
}

impl Verb {
    /// Whether it changes a key, and so needs a reason.
    const fn changes(&self) -> bool {
        !matches!(
            self,
            Self::Init | Self::List | Self::Show { .. } | Self::Check
        )
    }
}

impl Keys {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Failure::unreachable(error.to_string()))?;
        runtime.block_on(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        let missing = |name: &str| Failure::usage(format!("{name} is needed"));
        let store = self.store.ok_or_else(|| missing("--store"))?;
        let dir = self.keys.ok_or_else(|| missing("--keys"))?;
        if self.verb.changes() && (self.reason.is_none() || self.actor.is_none()) {
            return Err(Failure::usage("a change needs --reason and --actor"));
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
        let options = SqliteOptions::new(store, SqliteProfile::Control);
        let (db, backend) = if matches!(self.verb, Verb::Init) {
            (
                Db::create_sqlite(options, Arc::clone(&clock)).await,
                FileBackend::create(&dir, Arc::clone(&random)),
            )
        } else {
            (
                Db::open_sqlite(options, Arc::clone(&clock)).await,
                FileBackend::open(&dir, Arc::clone(&random)),
            )
        };
        let backend = backend.map_err(|error| failure(error.into()))?;
        let db = db.map_err(|error| Failure::unreachable(error.to_string()))?;
        let store = SqlStore::open(db)
            .await
            .map_err(|error| failure(error.into()))?;
        let keys = crypto_envelope::Keys::open(
            Arc::new(store),
            Arc::new(backend),
            Arc::clone(&clock),
            random,
            KeysOptions::default(),
        );
        let keys = keys.await.map_err(failure)?;
        let call = AdminCall {
            actor: ActorContext {
                kind: ActorKind::Staff,
                id: self.actor,
                on_behalf_of: None,
                path: Path::Server,
                address: None,
            },
            role: Role::SysAdmin,
            reason: self.reason.as_deref().map_or(Uuid::nil(), ticket),
        };
        act(&keys, &call, self.verb, &*clock).await.map_err(failure)
    }
}

/// The id of a ticket: its own when it is a UUID, else one made of its name.
fn ticket(name: &str) -> Uuid {
    name.parse()
        .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}

async fn act(
    keys: &crypto_envelope::Keys,
    call: &AdminCall,
    verb: Verb,
    clock: &dyn Clock,
) -> Result<Report, KeyError> {
    let state = |id: KeyId, state: crypto_envelope::KeyState| {
        let json = json!({ "key": id.to_string(), "state": state.name() });
        said(
            &[("key", id.to_string()), ("state", state.to_string())],
            json,
        )
    };
    Ok(match verb {
        Verb::Init | Verb::List => listed(keys, call).await?,
        Verb::Show { id } => show(keys, call, id).await?,
        Verb::Create { group } => {
            let kek = keys.create(call, &group, None).await?;
            state(kek.id, kek.key_state())
        }
        Verb::Rotate { id } => {
            let done = keys.rotate(call, id).await?;
            let ends = done.old_ends_at.map(|at| at.to_string());
            let lines = [
                ("old", done.old.to_string()),
                ("new", done.new.to_string()),
                ("rewrapped", done.rewrapped.to_string()),
                ("left", done.left.to_string()),
                ("old roots", done.values_under_old_roots.to_string()),
                ("old ends", ends.clone().unwrap_or_else(|| "-".to_owned())),
            ];
            said(
                &lines,
                json!({
                    "old": done.old.to_string(),
                    "new": done.new.to_string(),
                    "rewrapped": done.rewrapped,
                    "left": done.left,
                    "values_under_old_roots": done.values_under_old_roots,
                    "old_ends_at": ends,
                }),
            )
        }
        Verb::Enable { id } => state(id, keys.enable(call, id).await?),
        Verb::Disable { id } => state(id, keys.disable(call, id).await?),
        Verb::ScheduleDestruction { id, days } => {
            let at = keys.schedule_destruction(call, id, days).await?.to_string();
            let json = json!({ "key": id.to_string(), "destroyed_at": at });
            said(&[("key", id.to_string()), ("destroyed", at)], json)
        }
        Verb::CancelDestruction { id } => state(id, keys.cancel_destruction(call, id).await?),
        Verb::DestroyDue => {
            let gone = KeyAdmin::destroy_due(keys, call, clock.now()).await?;
            let ids: Vec<_> = gone.iter().map(|key| key.key.to_string()).collect();
            let mut text = Table::default();
            text.row("destroyed", &ids.len().to_string());
            text.rows("", ids.clone());
            report(GOOD, text, json!({ "destroyed": ids }))
        }
        Verb::Check => {
            let checked = keys.check(call, clock.now()).await?;
            let faults: Vec<_> = checked.faults.iter().map(ToString::to_string).collect();
            let mut text = Table::default();
            text.row("keys", &checked.keks.to_string());
            text.row("roots", &checked.roots.to_string());
            text.rows("wrong", faults.clone());
            let code = if faults.is_empty() { GOOD } else { FALSE };
            let json = json!({
                "keys": checked.keks,
                "roots": checked.roots,
                "faults": faults,
            });
            report(code, text, json)
        }
    })
}

async fn listed(keys: &crypto_envelope::Keys, call: &AdminCall) -> Result<Report, KeyError> {
    let listing = KeyAdmin::list(keys, call).await?;
    let mut text = Table::default();
    for kek in &listing.keks {
        text.row(kek.key_state().name(), &kek_line(kek));
    }
    for root in &listing.roots {
        text.row(root.key_state.name(), &root_line(root));
    }
    let keks: Vec<_> = listing.keks.iter().map(kek_json).collect();
    let roots: Vec<_> = listing.roots.iter().map(root_json).collect();
    Ok(report(GOOD, text, json!({ "keys": keks, "roots": roots })))
}

async fn show(
    keys: &crypto_envelope::Keys,
    call: &AdminCall,
    id: KeyId,
) -> Result<Report, KeyError> {
    let listing = KeyAdmin::list(keys, call).await?;
    let kek = listing.keks.iter().find(|kek| kek.id == id);
    let root = listing.roots.iter().find(|root| root.id == id);
    let json = kek.map(kek_json).or_else(|| root.map(root_json));
    let Some(json) = json else {
        return Err(KeyError::Absent);
    };
    let mut text = Table::default();
    if let Some(fields) = json.as_object() {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            text.row(&name.replace('_', " "), &value);
        }
    }
    Ok(report(GOOD, text, json))
}

fn kek_line(kek: &KekRecord) -> String {
    format!("{}  {} #{}", kek.id, kek.group, kek.n)
}

fn root_line(root: &KeyRecordInfo) -> String {
    let (owner, id) = owner(root.owner);
    let (purpose, n) = (root.purpose.name(), root.n);
    format!("{}  {purpose} #{n} of {owner} {id}", root.id)
}

fn kek_json(kek: &KekRecord) -> Value {
    let at = |at: Option<time::UtcDateTime>| at.map(|at| at.to_string());
    json!({
        "key": kek.id.to_string(),
        "group": kek.group.to_string(),
        "n": kek.n,
        "state": kek.key_state().name(),
        "wraps": kek.wraps,
        "created_at": kek.created_at.to_string(),
        "expires_at": at(kek.expires_at),
        "planned_at": at(kek.destroy_at),
        "pending_until": at(kek.pending_until),
        "compromised_at": at(kek.compromised_at),
        "destroyed_at": at(kek.destroyed_at),
        "gone_at": at(kek.gone_at),
    })
}

fn root_json(root: &KeyRecordInfo) -> Value {
    let at = |at: Option<time::UtcDateTime>| at.map(|at| at.to_string());
    let (class, id) = owner(root.owner);
    json!({
        "root": root.id.to_string(),
        "owner": class,
        "of": id,
        "purpose": root.purpose.name(),
        "n": root.n,
        "key": root.kek.to_string(),
        "state": root.key_state.name(),
        "version": root.state.name(),
        "created_at": root.created_at.to_string(),
        "planned_at": at(root.destroy_at),
        "pending_until": at(root.pending_until),
        "compromised_at": at(root.compromised_at),
        "destroyed_at": at(root.destroyed_at),
    })
}

fn owner(owner: Owner) -> (&'static str, String) {
    match owner {
        Owner::Tenant(tenant) => ("tenant", tenant.to_string()),
        Owner::Subject(tenant, subject) => ("subject", format!("{tenant}/{subject}")),
        Owner::Vault(tenant, vault) => ("vault", format!("{tenant}/{vault}")),
        Owner::Platform(id) => ("platform", id.to_string()),
        _ => ("unknown", String::new()),
    }
}

fn said(lines: &[(&str, String)], json: Value) -> Report {
    let mut text = Table::default();
    for (label, line) in lines {
        text.row(label, line);
    }
    report(GOOD, text, json)
}

const fn report(code: u8, text: Table, json: Value) -> Report {
    Report { code, text, json }
}

/// Which exit code an error has.
fn failure(error: KeyError) -> Failure {
    let line = chain(&error);
    match error {
        KeyError::Absent | KeyError::TooSoon { .. } | KeyError::TooLate { .. } => {
            Failure::usage(line)
        }
        KeyError::NotReplayed | KeyError::Damaged(_) | KeyError::Store(StoreError::Damaged(_)) => {
            Failure::damaged(line)
        }
        KeyError::Backend(BackendError::Unsafe { .. }) => Failure::refused(line),
        KeyError::Store(_) | KeyError::Backend(_) | KeyError::Escrow(_) | KeyError::Random(_) => {
            Failure::unreachable(line)
        }
        _ => Failure::refused(line),
    }
}

/// The error and its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let lines: Vec<_> = causes.map(ToString::to_string).collect();
    lines.join(": ")
}
