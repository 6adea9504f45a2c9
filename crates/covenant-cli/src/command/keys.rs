//! `covenant keys`: administration of keys. Exit codes: 0 good, 1 checked and false, 2 usage or bad
//! input, 3 unreachable, 4 refused, 5 the key store is damaged or not replayed.

mod shown;

use covenant_core::sealer::DestroyOrder;
use covenant_core::{ClauseId, Clock, KeyId, OrderId, TenantId};
use crypto_envelope::{AdminCall, GroupName, KeyAdmin, KeyError, PendingWindow};
use serde_json::json;
use uuid::Uuid;

use super::key_place::{Begin, KeyPlace, failure, waited};
use super::who::Who;
use crate::output::{FALSE, Failure, GOOD, Report, Table};
use shown::{listed, report, said, show};

#[derive(Debug, clap::Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    place: KeyPlace,
    #[command(flatten)]
    who: Who,
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
        /// `standard` or `sensitive`; of a tenant with keys of its own `tenant/ID/standard`.
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
    /// Destroys the keys of a data subject at once, and says from when on no copy gives them back.
    DestroySubject {
        /// The data subject.
        id: Uuid,
        /// The tenant whose data subject it is.
        #[arg(long, value_name = "UUID")]
        tenant: TenantId,
        /// The erasure order; the same order twice is done once.
        #[arg(long, value_name = "UUID")]
        order: OrderId,
        /// The clause on which the order rests.
        #[arg(long, value_name = "ID")]
        clause: ClauseId,
    },
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
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        let call = if self.verb.changes() {
            self.who.changes()?
        } else {
            self.who.looks()
        };
        let begin = if matches!(self.verb, Verb::Init) {
            Begin::Create
        } else {
            Begin::Open
        };
        let opened = self.place.open(begin).await?;
        act(&opened.keys, &call, self.verb, &*opened.clock)
            .await
            .map_err(failure)
    }
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
        Verb::DestroySubject {
            id,
            tenant,
            order,
            clause,
        } => {
            let order = DestroyOrder {
                id: order,
                tenant,
                subject: id,
                at: clock.now(),
                clause,
            };
            shown::destroyed(&KeyAdmin::destroy_subject(keys, call, &order).await?)
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
