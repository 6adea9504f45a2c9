//! What happened to keys, as it waits in the key store until the log has it: written in the same
//! transaction as the change, or before the unwrap, that it tells of.
//!
//! The log itself seals with keys, so an event of a key cannot go straight to it: it would need the
//! key whose use it records.

use std::net::IpAddr;

use covenant_core::canon::{self, CanonError};
use covenant_core::event::{ActorContext, ActorKind, Datum, Outcome, Path, Target};
use covenant_core::{Action, Event, EventId, ItemId, KeyId, Redacted, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::state::Refused;

/// Version of the encoding, its first byte.
const VERSION: u8 = 1;
/// Longest encoded event in bytes: a bound of ours, several times what one can have.
pub const KEY_EVENT_LEN_BYTES_MAX: usize = 512;
const TEXT_LEN_BYTES_MAX: usize = 64;

/// Why an act was refused or could not be completed; besides the words of [`Refused`].
const CODES: [&str; 8] = [
    code::COPY_MISSING,
    code::COPY_REMAINS,
    code::ROLE,
    code::HELD,
    code::FLOOR,
    code::RECORDS_LEFT,
    code::ESCROW_REMAINS,
    code::TOO_SOON,
];

/// The codes of key events.
pub mod code {
    /// No copy of the key store is young enough.
    pub const COPY_MISSING: &str = "no-fresh-copy";
    /// A copy of the key store has no end, or is past it.
    pub const COPY_REMAINS: &str = "copy-remains";
    /// The caller is no administrator.
    pub const ROLE: &str = "role";
    /// A hold keeps the key.
    pub const HELD: &str = "held";
    /// A floor keeps the key.
    pub const FLOOR: &str = "floor";
    /// Living roots lie under the key.
    pub const RECORDS_LEFT: &str = "records-left";
    /// The key is gone, and a copy of it in escrow is not.
    pub const ESCROW_REMAINS: &str = "escrow-remains";
    /// The date lies before the shortest wait.
    pub const TOO_SOON: &str = "too-soon";
}

const REFUSALS: [Refused; 9] = [
    Refused::AlreadyPending,
    Refused::Compromised,
    Refused::Destroyed,
    Refused::Disabled,
    Refused::Expired,
    Refused::NotDue,
    Refused::NotPending,
    Refused::PendingDeletion,
    Refused::Superseded,
];

/// One thing that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data of the key store")]
pub struct KeyEvent {
    /// Its id; the log records it once.
    pub id: EventId,
    /// When.
    pub at: UtcDateTime,
    /// Who acted.
    pub actor: ActorContext,
    /// What.
    pub action: Action,
    /// To which key; `None` for what concerns them all.
    pub key: Option<KeyId>,
    /// Whose key, when it is a tenant's.
    pub tenant: Option<TenantId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not done: one of [`code`], or a word of [`Refused`].
    pub code: Option<&'static str>,
    /// The order, ticket or change on which it rests.
    pub reason: Option<Uuid>,
}

impl KeyEvent {
    /// The destruction of a key by its owner's plan, window or order: told once, whoever tells it.
    #[must_use]
    pub fn destroyed(
        key: KeyId,
        tenant: Option<TenantId>,
        at: UtcDateTime,
        actor: ActorContext,
    ) -> Self {
        let action = Action::KeyDestroyed;
        let id = Uuid::new_v5(&key.as_uuid(), action.name().as_bytes());
        Self {
            id: EventId::from_uuid(id),
            at,
            actor,
            action,
            key: Some(key),
            tenant,
            outcome: Outcome::Ok,
            code: None,
            reason: None,
        }
    }

    /// The same as an event of the workspace, for the operator's log.
    #[must_use]
    pub fn to_event(&self) -> Event {
        let Self {
            id,
            at,
            actor,
            action,
            key,
            tenant,
            outcome,
            code,
            reason,
        } = self;
        let key = key.map_or(Uuid::nil(), |key| key.as_uuid());
        let target = Target::operator("key", ItemId::from(key));
        let mut event = Event::new(*id, *at, actor.clone(), *action, target, *outcome);
        event.code = code.map(word);
        if let Some(tenant) = tenant {
            event = event.with("tenant", Datum::Id(tenant.as_uuid()));
        }
        if let Some(reason) = reason {
            event = event.with("reason", Datum::Id(*reason));
        }
        event
    }

    /// The bytes of the key store.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            id,
            at,
            actor,
            action,
            key,
            tenant,
            outcome,
            code,
            reason,
        } = self;
        let ActorContext {
            kind,
            id: actor_id,
            on_behalf_of,
            path,
            address,
        } = actor;
        let address = address.as_ref().map(|address| address.0.to_string());
        let mut w = canon::Writer::new();
        w.u8(VERSION)
            .fixed(id.as_bytes())
            .instant(*at)
            .text(action.name())
            .u8(outcome_byte(*outcome))
            .text(code.unwrap_or_default());
        let key = key.map(|key| key.as_uuid());
        let tenant = tenant.map(|tenant| tenant.as_uuid());
        for id in [key, tenant, *reason, *actor_id, *on_behalf_of] {
            w.bytes(id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
        }
        w.u8(kind_byte(*kind))
            .u8(path_byte(*path))
            .text(&address.unwrap_or_default());
        w.finish()
    }

    /// Takes the bytes apart; `None` for bytes that no event encodes to.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > KEY_EVENT_LEN_BYTES_MAX {
            return None;
        }
        let event = read(&mut canon::Reader::new(bytes)).ok()??;
        (event.encode() == bytes).then_some(event)
    }
}

fn read(r: &mut canon::Reader<'_>) -> Result<Option<KeyEvent>, CanonError> {
    if r.u8()? != VERSION {
        return Ok(None);
    }
    let id = EventId::from_bytes(r.array()?);
    let at = r.instant()?;
    let action = r.text(TEXT_LEN_BYTES_MAX)?.parse().ok();
    let outcome = match r.u8()? {
        0 => Some(Outcome::Ok),
        1 => Some(Outcome::Denied),
        2 => Some(Outcome::Error),
        _ => None,
    };
    let code = known_code(r.text(TEXT_LEN_BYTES_MAX)?);
    let mut ids = [None; 5];
    for id in &mut ids {
        *id = Uuid::from_slice(r.bytes(16)?).ok();
    }
    let kind = kind_of(r.u8()?);
    let path = match r.u8()? {
        0 => Some(Path::App),
        1 => Some(Path::Server),
        2 => Some(Path::System),
        _ => None,
    };
    let address = r.text(TEXT_LEN_BYTES_MAX)?;
    let address: Option<IpAddr> = address.parse().ok();
    let [key, tenant, reason, actor_id, on_behalf_of] = ids;
    let (Some(action), Some(outcome), Some(code), Some(kind), Some(path)) =
        (action, outcome, code, kind, path)
    else {
        return Ok(None);
    };
    let actor = ActorContext {
        kind,
        id: actor_id,
        on_behalf_of,
        path,
        address: address.map(Redacted),
    };
    Ok(Some(KeyEvent {
        id,
        at,
        actor,
        action,
        key: key.map(KeyId::from_uuid),
        tenant: tenant.map(TenantId::from_uuid),
        outcome,
        code,
        reason,
    }))
}

/// The code as the log spells it: one word.
fn word(code: &'static str) -> &'static str {
    let refused = REFUSALS.iter().find(|refused| refused.name() == code);
    refused.map_or(code, |refused| refused.code())
}

/// The word for this text: `Some(None)` for none, `None` for one that is no code.
fn known_code(text: &str) -> Option<Option<&'static str>> {
    if text.is_empty() {
        return Some(None);
    }
    let all = CODES.into_iter().chain(REFUSALS.map(Refused::name));
    all.into_iter().find(|code| *code == text).map(Some)
}

const fn outcome_byte(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Denied => 1,
        Outcome::Error => 2,
    }
}

const KINDS: [ActorKind; 5] = [
    ActorKind::Unknown,
    ActorKind::Member,
    ActorKind::Staff,
    ActorKind::Service,
    ActorKind::System,
];

fn kind_byte(kind: ActorKind) -> u8 {
    let at = KINDS.iter().position(|known| *known == kind);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

fn kind_of(byte: u8) -> Option<ActorKind> {
    KINDS.get(usize::from(byte)).copied()
}

const fn path_byte(path: Path) -> u8 {
    match path {
        Path::App => 0,
        Path::Server => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<KeyEvent> {
        let key = KeyId::from_bytes([3; 16]);
        let plain = KeyEvent::destroyed(
            key,
            None,
            UtcDateTime::UNIX_EPOCH,
            ActorContext::service("keys"),
        );
        let address = IpAddr::from([203, 0, 113, 9]);
        let full = KeyEvent {
            id: EventId::from_bytes([4; 16]),
            actor: ActorContext {
                on_behalf_of: Some(Uuid::from_u128(6)),
                ..ActorContext::member(Uuid::from_u128(5), address)
            },
            action: Action::KeyScheduled,
            tenant: Some(TenantId::from_bytes([7; 16])),
            outcome: Outcome::Denied,
            code: Some(code::ROLE),
            reason: Some(Uuid::from_u128(8)),
            ..plain.clone()
        };
        let listed = KeyEvent {
            key: None,
            action: Action::KeyListed,
            code: Some(Refused::PendingDeletion.name()),
            outcome: Outcome::Error,
            actor: ActorContext::system(),
            ..plain.clone()
        };
        vec![plain, full, listed]
    }

    #[test]
    fn events_survive_their_encoding() {
        for event in events() {
            let bytes = event.encode();
            assert!(bytes.len() <= KEY_EVENT_LEN_BYTES_MAX);
            assert_eq!(KeyEvent::decode(&bytes), Some(event));
        }
    }

    #[test]
    fn other_bytes_are_no_event() {
        for event in events() {
            let bytes = event.encode();
            for len in 0..bytes.len() {
                assert_eq!(KeyEvent::decode(&bytes[..len]), None, "cut to {len}");
            }
            let longer = [bytes.clone(), vec![0]].concat();
            assert_eq!(KeyEvent::decode(&longer), None);
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 0x55;
                // another id or instant is another event; what it decodes to encodes to the same
                if let Some(decoded) = KeyEvent::decode(&other) {
                    assert_eq!(decoded.encode(), other);
                    assert_ne!(decoded, event);
                }
            }
        }
        assert_eq!(KeyEvent::decode(&[1; KEY_EVENT_LEN_BYTES_MAX + 1]), None);
    }

    #[test]
    fn every_code_is_one_word_for_the_log() {
        let [plain, ..] = <[KeyEvent; 3]>::try_from(events()).expect("three");
        for code in CODES.into_iter().chain(REFUSALS.map(Refused::name)) {
            let event = KeyEvent {
                code: Some(code),
                ..plain.clone()
            };
            assert_eq!(KeyEvent::decode(&event.encode()), Some(event.clone()));
            let told = event.to_event().code.expect("a code");
            let fits = |b: u8| b.is_ascii_lowercase() || b == b'-';
            assert!(told.bytes().all(fits), "{told}");
        }
    }

    #[test]
    fn the_log_sees_ids_and_words_only() {
        let [plain, full, _] = <[KeyEvent; 3]>::try_from(events()).expect("three");
        let event = full.to_event();
        assert_eq!(event.code, Some("role"));
        assert_eq!(event.data.len(), 2);
        assert_eq!(plain.to_event().target.kind, "key");
        assert!(!format!("{full:?}").contains("203.0.113.9"));
    }
}
