//! Leaf version 0 to and from canonical JSON.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::str::FromStr;

use covenant_core::canon::unhex;
use covenant_core::event::{ActorKind, Path};
use covenant_core::outbox::LEAF_LEN_BYTES_MAX;
use covenant_core::{Action, Id, ItemId, Outcome};
use time::UtcDateTime;
use uuid::Uuid;

use super::{
    DATUM_LEN_BYTES_MAX, FIELDS_MAX, LEAF_VERSION, Leaf, LeafActor, LeafChange, LeafDatum,
    LeafField, LeafSource, LeafTarget, WORD_LEN_BYTES_MAX,
};
use crate::field::Keep;
use crate::jcs::{self, Value};
use crate::rfc3339;

/// Bytes are no leaf, or an event does not fit one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// Longer than an entry of a C2SP bundle can be.
    #[error("a leaf has at most {LEAF_LEN_BYTES_MAX} bytes")]
    TooLarge,
    /// This part is missing, unknown, repeated or outside its format.
    #[error("part {0} of the leaf is not in the format")]
    Part(&'static str),
}

type Members = BTreeMap<String, Value>;

pub(super) fn encode(leaf: &Leaf) -> Result<Vec<u8>, LeafError> {
    let Leaf {
        log,
        event,
        at,
        recorded_at,
        txn,
        action,
        outcome,
        code,
        actor: LeafActor {
            kind: actor_kind,
            id: actor_id,
        },
        on_behalf_of,
        source: LeafSource { path, address },
        target: LeafTarget { kind, table, id },
        decision,
        changes,
        rows,
        fields,
        clauses,
        data,
    } = leaf;
    check_indices(leaf)?;
    let recorded_at = recorded_at
        .map(|at| instant(at, "recorded_at"))
        .transpose()?;
    let actor = [
        (
            "kind",
            text(actor_word(*actor_kind).ok_or(LeafError::Part("actor"))?),
        ),
        ("id", maybe(actor_id.map(uuid_text))),
    ];
    let source = [
        (
            "path",
            text(path_word(*path).ok_or(LeafError::Part("src"))?),
        ),
        ("ip", maybe(address.map(Value::Int))),
    ];
    let target = [
        ("kind", word(kind, "target")?),
        (
            "table",
            maybe(
                table
                    .as_deref()
                    .map(|table| word(table, "target"))
                    .transpose()?,
            ),
        ),
        ("id", maybe(id.as_ref().map(|id| Value::Text(id.hex())))),
    ];
    let fields: Result<_, _> = fields.iter().map(field_value).collect();
    let data: Result<_, _> = data
        .iter()
        .map(|(k, v)| Ok((k.clone(), datum_value(v)?)))
        .collect();
    let leaf = object([
        ("v", Value::Int(LEAF_VERSION)),
        ("log", uuid_text(log.as_uuid())),
        ("event", uuid_text(event.as_uuid())),
        ("at", instant(*at, "at")?),
        ("recorded_at", maybe(recorded_at)),
        ("txn", maybe(txn.map(|txn| uuid_text(txn.as_uuid())))),
        ("action", text(action.name())),
        ("outcome", text(outcome_word(*outcome))),
        (
            "code",
            maybe(code.as_deref().map(|code| word(code, "code")).transpose()?),
        ),
        ("actor", object(actor)),
        ("obo", maybe(on_behalf_of.map(uuid_text))),
        ("src", object(source)),
        ("target", object(target)),
        (
            "decision",
            maybe(decision.map(|decision| uuid_text(decision.as_uuid()))),
        ),
        (
            "changes",
            Value::Array(changes.iter().map(change_value).collect()),
        ),
        ("rows", maybe(rows.map(Value::Int))),
        ("fields", Value::Array(fields?)),
        (
            "clauses",
            Value::Array(clauses.iter().map(|c| Value::Text(c.to_string())).collect()),
        ),
        ("data", Value::Object(data?)),
    ]);
    let bytes = jcs::encode(&leaf).or(Err(LeafError::Part("data")))?;
    if bytes.len() > LEAF_LEN_BYTES_MAX {
        Err(LeafError::TooLarge)
    } else {
        Ok(bytes)
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Leaf, LeafError> {
    if bytes.len() > LEAF_LEN_BYTES_MAX {
        return Err(LeafError::TooLarge);
    }
    let value = jcs::decode(bytes).or(Err(LeafError::Part("json")))?;
    let mut m = members(value, "json")?;
    if take(&mut m, "v")? != Value::Int(LEAF_VERSION) {
        return Err(LeafError::Part("v"));
    }
    let leaf = Leaf {
        log: id(&mut m, "log")?,
        event: id(&mut m, "event")?,
        at: read_instant(take(&mut m, "at")?, "at")?,
        recorded_at: some(&mut m, "recorded_at", read_instant)?,
        txn: some(&mut m, "txn", read_uuid)?.map(Id::from_uuid),
        action: parsed::<Action>(take(&mut m, "action")?, "action")?,
        outcome: outcome_of(&read_text(take(&mut m, "outcome")?, "outcome")?)?,
        code: some(&mut m, "code", read_word)?,
        actor: read_actor(&mut m)?,
        on_behalf_of: some(&mut m, "obo", read_uuid)?,
        source: read_source(&mut m)?,
        target: read_target(&mut m)?,
        decision: some(&mut m, "decision", read_uuid)?.map(Id::from_uuid),
        changes: array(&mut m, "changes")?
            .into_iter()
            .map(read_change)
            .collect::<Result<_, _>>()?,
        rows: some(&mut m, "rows", read_int)?,
        fields: array(&mut m, "fields")?
            .into_iter()
            .map(read_field)
            .collect::<Result<_, _>>()?,
        clauses: array(&mut m, "clauses")?
            .into_iter()
            .map(|clause| parsed(clause, "clauses"))
            .collect::<Result<_, _>>()?,
        data: members(take(&mut m, "data")?, "data")?
            .into_iter()
            .map(|(name, value)| Ok((name, read_datum(value)?)))
            .collect::<Result<_, _>>()?,
    };
    finish(m, "json")?;
    if encode(&leaf)? != bytes {
        return Err(LeafError::Part("json"));
    }
    Ok(leaf)
}

fn check_indices(leaf: &Leaf) -> Result<(), LeafError> {
    let Leaf {
        source,
        changes,
        fields,
        ..
    } = leaf;
    if fields.len() > FIELDS_MAX {
        return Err(LeafError::Part("fields"));
    }
    let inside = |index: &u64| usize::try_from(*index).is_ok_and(|index| index < fields.len());
    let of_changes = changes
        .iter()
        .flat_map(|c| c.before.iter().chain(c.after.iter()));
    if source.address.iter().chain(of_changes).all(inside) {
        Ok(())
    } else {
        Err(LeafError::Part("fields"))
    }
}

fn field_value(field: &LeafField) -> Result<Value, LeafError> {
    let LeafField {
        path,
        commitment,
        keep,
    } = field;
    let keep = match keep {
        Keep::Never => "never",
        Keep::Sealed => "sealed",
    };
    let c = Value::Text(commitment.to_string());
    Ok(object([
        ("p", word(path, "fields")?),
        ("c", c),
        ("k", text(keep)),
    ]))
}

fn change_value(change: &LeafChange) -> Value {
    let LeafChange {
        column,
        before,
        after,
    } = change;
    object([
        ("col", Value::Text(column.hex())),
        ("b", maybe(before.map(Value::Int))),
        ("a", maybe(after.map(Value::Int))),
    ])
}

fn datum_value(datum: &LeafDatum) -> Result<Value, LeafError> {
    match datum {
        LeafDatum::Count(count) => Ok(Value::Int(*count)),
        LeafDatum::Text(text) if is_word(text, DATUM_LEN_BYTES_MAX) || text.is_empty() => {
            Ok(Value::Text(text.clone()))
        }
        LeafDatum::Text(_) => Err(LeafError::Part("data")),
    }
}

fn read_actor(m: &mut Members) -> Result<LeafActor, LeafError> {
    let mut m = members(take(m, "actor")?, "actor")?;
    let kind = actor_of(&read_text(take(&mut m, "kind")?, "actor")?)?;
    let id = some(&mut m, "id", read_uuid)?;
    finish(m, "actor")?;
    Ok(LeafActor { kind, id })
}

fn read_source(m: &mut Members) -> Result<LeafSource, LeafError> {
    let mut m = members(take(m, "src")?, "src")?;
    let path = path_of(&read_text(take(&mut m, "path")?, "src")?)?;
    let address = some(&mut m, "ip", read_int)?;
    finish(m, "src")?;
    Ok(LeafSource { path, address })
}

fn read_target(m: &mut Members) -> Result<LeafTarget, LeafError> {
    let mut m = members(take(m, "target")?, "target")?;
    let kind = read_word(take(&mut m, "kind")?, "target")?;
    let table = some(&mut m, "table", read_word)?;
    let id = some(&mut m, "id", read_item)?;
    finish(m, "target")?;
    Ok(LeafTarget { kind, table, id })
}

fn read_change(value: Value) -> Result<LeafChange, LeafError> {
    let mut m = members(value, "changes")?;
    let column = read_item(take(&mut m, "col")?, "changes")?;
    let before = some(&mut m, "b", read_int)?;
    let after = some(&mut m, "a", read_int)?;
    finish(m, "changes")?;
    Ok(LeafChange {
        column,
        before,
        after,
    })
}

fn read_field(value: Value) -> Result<LeafField, LeafError> {
    let mut m = members(value, "fields")?;
    let path = read_word(take(&mut m, "p")?, "fields")?;
    let commitment = parsed(take(&mut m, "c")?, "fields")?;
    let keep = match read_text(take(&mut m, "k")?, "fields")?.as_str() {
        "never" => Keep::Never,
        "sealed" => Keep::Sealed,
        _ => return Err(LeafError::Part("fields")),
    };
    finish(m, "fields")?;
    Ok(LeafField {
        path,
        commitment,
        keep,
    })
}

fn read_datum(value: Value) -> Result<LeafDatum, LeafError> {
    match value {
        Value::Int(count) => Ok(LeafDatum::Count(count)),
        Value::Text(text) => Ok(LeafDatum::Text(text)),
        Value::Array(_) | Value::Null | Value::Object(_) => Err(LeafError::Part("data")),
    }
}

fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn uuid_text(uuid: Uuid) -> Value {
    Value::Text(uuid.as_hyphenated().to_string())
}

fn maybe(value: Option<Value>) -> Value {
    value.unwrap_or(Value::Null)
}

fn instant(at: UtcDateTime, part: &'static str) -> Result<Value, LeafError> {
    rfc3339::print(at)
        .map(Value::Text)
        .ok_or(LeafError::Part(part))
}

fn word(word: &str, part: &'static str) -> Result<Value, LeafError> {
    if is_word(word, WORD_LEN_BYTES_MAX) {
        Ok(text(word))
    } else {
        Err(LeafError::Part(part))
    }
}

fn is_word(word: &str, max: usize) -> bool {
    let ok = |b: u8| b.is_ascii_alphanumeric() || b"._:+/-".contains(&b);
    !word.is_empty() && word.len() <= max && word.bytes().all(ok)
}

fn members(value: Value, part: &'static str) -> Result<Members, LeafError> {
    let Value::Object(members) = value else {
        return Err(LeafError::Part(part));
    };
    Ok(members)
}

fn finish(members: Members, part: &'static str) -> Result<(), LeafError> {
    if members.is_empty() {
        Ok(())
    } else {
        Err(LeafError::Part(part))
    }
}

fn take(m: &mut Members, name: &'static str) -> Result<Value, LeafError> {
    m.remove(name).ok_or(LeafError::Part(name))
}

fn array(m: &mut Members, name: &'static str) -> Result<Vec<Value>, LeafError> {
    let Value::Array(items) = take(m, name)? else {
        return Err(LeafError::Part(name));
    };
    Ok(items)
}

fn some<T>(
    m: &mut Members,
    name: &'static str,
    read: impl FnOnce(Value, &'static str) -> Result<T, LeafError>,
) -> Result<Option<T>, LeafError> {
    match take(m, name)? {
        Value::Null => Ok(None),
        value => read(value, name).map(Some),
    }
}

fn id<K>(m: &mut Members, name: &'static str) -> Result<Id<K>, LeafError> {
    read_uuid(take(m, name)?, name).map(Id::from_uuid)
}

fn read_text(value: Value, part: &'static str) -> Result<String, LeafError> {
    let Value::Text(text) = value else {
        return Err(LeafError::Part(part));
    };
    Ok(text)
}

fn read_word(value: Value, part: &'static str) -> Result<String, LeafError> {
    read_text(value, part)
}

fn read_int(value: Value, part: &'static str) -> Result<u64, LeafError> {
    let Value::Int(number) = value else {
        return Err(LeafError::Part(part));
    };
    Ok(number)
}

fn parsed<T: FromStr>(value: Value, part: &'static str) -> Result<T, LeafError> {
    read_text(value, part)?
        .parse()
        .or(Err(LeafError::Part(part)))
}

fn read_uuid(value: Value, part: &'static str) -> Result<Uuid, LeafError> {
    parsed(value, part)
}

fn read_instant(value: Value, part: &'static str) -> Result<UtcDateTime, LeafError> {
    rfc3339::parse(&read_text(value, part)?).ok_or(LeafError::Part(part))
}

fn read_item(value: Value, part: &'static str) -> Result<ItemId, LeafError> {
    let bytes = unhex(&read_text(value, part)?).ok_or(LeafError::Part(part))?;
    ItemId::try_from(bytes.as_slice()).or(Err(LeafError::Part(part)))
}

pub(crate) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Denied => "denied",
        Outcome::Error => "error",
    }
}

fn outcome_of(word: &str) -> Result<Outcome, LeafError> {
    [Outcome::Ok, Outcome::Denied, Outcome::Error]
        .into_iter()
        .find(|outcome| outcome_word(*outcome) == word)
        .ok_or(LeafError::Part("outcome"))
}

const ACTORS: [(ActorKind, &str); 5] = [
    (ActorKind::Member, "member"),
    (ActorKind::Staff, "staff"),
    (ActorKind::Service, "service"),
    (ActorKind::System, "system"),
    (ActorKind::Unknown, "unknown"),
];

fn actor_word(kind: ActorKind) -> Option<&'static str> {
    ACTORS
        .into_iter()
        .find(|(k, _)| *k == kind)
        .map(|(_, word)| word)
}

fn actor_of(word: &str) -> Result<ActorKind, LeafError> {
    let found = ACTORS.into_iter().find(|(_, w)| *w == word);
    found.map(|(kind, _)| kind).ok_or(LeafError::Part("actor"))
}

const PATHS: [(Path, &str); 3] = [
    (Path::App, "app"),
    (Path::Server, "server"),
    (Path::System, "system"),
];

fn path_word(path: Path) -> Option<&'static str> {
    PATHS
        .into_iter()
        .find(|(p, _)| *p == path)
        .map(|(_, word)| word)
}

fn path_of(word: &str) -> Result<Path, LeafError> {
    let found = PATHS.into_iter().find(|(_, w)| *w == word);
    found.map(|(path, _)| path).ok_or(LeafError::Part("src"))
}
