//! What `covenant keys` says: keys without key material, for people and for programs.

use covenant_core::sealer::Destroyed;
use covenant_core::{KeyId, Owner};
use crypto_envelope::record::KekRecord;
use crypto_envelope::{AdminCall, KeyAdmin, KeyError, KeyRecordInfo};
use serde_json::{Value, json};

use crate::output::{FALSE, GOOD, Report, Table};

pub(super) async fn listed(
    keys: &crypto_envelope::Keys,
    call: &AdminCall,
) -> Result<Report, KeyError> {
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

pub(super) async fn show(
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
        "tenant": kek.group.tenant().map(|tenant| tenant.to_string()),
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

pub(super) fn said(lines: &[(&str, String)], json: Value) -> Report {
    let mut text = Table::default();
    for (label, line) in lines {
        text.row(label, line);
    }
    report(GOOD, text, json)
}

pub(super) const fn report(code: u8, text: Table, json: Value) -> Report {
    Report { code, text, json }
}

/// What became of an erasure order. Without an end that is known the command is to be run again.
pub(super) fn destroyed(done: &Destroyed) -> Report {
    let keys: Vec<_> = done.keys.iter().map(ToString::to_string).collect();
    let at = done.destroyed_at.to_string();
    let complete_by = done.complete_by.map(|at| at.to_string());
    let part: String = done.part.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = Table::default();
    text.row("destroyed", &keys.len().to_string());
    text.rows("", keys.clone());
    text.row("at", &at);
    let unknown = "not known: a copy of the key store has no end";
    text.row("gone by", complete_by.as_deref().unwrap_or(unknown));
    text.row("part", &part);
    let json = json!({
        "destroyed": keys,
        "destroyed_at": at,
        "complete_by": complete_by,
        "part": part,
    });
    let code = done.complete_by.map_or(FALSE, |_| GOOD);
    report(code, text, json)
}
