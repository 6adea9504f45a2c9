//! Lines of an exported history: what a monitor needs of an event, read from JSON.
//!
//! The lines are leaves of `audit-log` as they stand in a log; a line of another system needs only
//! the members that are read here. Members that are not read may be anything.

use std::collections::BTreeMap;

use covenant_core::canon::unhex;
use covenant_core::{Outcome, TenantId, TxnId};
use serde_json::{Map, Value as Json};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::{Uuid, uuid};

use super::{Recorded, TEXT_LEN_BYTES_MAX, Value};

/// Longest line in bytes: that of an entry of a C2SP log.
pub const EXPORTED_LINE_LEN_BYTES_MAX: usize = 65_535;

/// The log of what belongs to no tenant, as `audit-log` names it: version 5 UUID of
/// `covenant/audit/operator` in the OID namespace.
pub const OPERATOR_LOG: Uuid = uuid!("2479a179-0b97-5074-95b9-56c369735bf4");

/// A line is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportedError {
    /// A member is not there.
    #[error("the event lacks {0}")]
    Missing(&'static str),
    /// The line is no JSON object.
    #[error("the line is no json object")]
    Syntax,
    /// The line is longer than [`EXPORTED_LINE_LEN_BYTES_MAX`].
    #[error("a line has at most {EXPORTED_LINE_LEN_BYTES_MAX} bytes")]
    TooLong,
    /// The action is not in the table of actions.
    #[error("the event has an action that no table has")]
    UnknownAction,
    /// A member is not in its format.
    #[error("{0} of the event is not in its format")]
    Value(&'static str),
}

impl Recorded {
    /// Reads a line: `at` (RFC 3339, UTC), `action`; and where they are there and not null,
    /// `outcome`, `log` or `tenant` (a UUID; the operator's log is no tenant), `target.id`
    /// (hexadecimal), `txn` (a UUID), and the integers and texts of `data`.
    ///
    /// ```
    /// use policy_document::monitor::Recorded;
    ///
    /// let line = br#"{"at":"2027-01-31T12:00:00Z","action":"database.purged"}"#;
    /// let event = Recorded::from_exported(line)?;
    /// assert_eq!(event.action, covenant_core::Action::DatabasePurged);
    /// # Ok::<(), policy_document::monitor::ExportedError>(())
    /// ```
    ///
    /// # Errors
    /// [`ExportedError`] for a line that is no event.
    pub fn from_exported(line: &[u8]) -> Result<Self, ExportedError> {
        if line.len() > EXPORTED_LINE_LEN_BYTES_MAX {
            return Err(ExportedError::TooLong);
        }
        let event: Map<String, Json> =
            serde_json::from_slice(line).or(Err(ExportedError::Syntax))?;
        let at = text(&event, "at")?.ok_or(ExportedError::Missing("at"))?;
        let action = text(&event, "action")?.ok_or(ExportedError::Missing("action"))?;
        let outcome = match text(&event, "outcome")? {
            None | Some("ok") => Outcome::Ok,
            Some("denied") => Outcome::Denied,
            Some("error") => Outcome::Error,
            Some(_) => return Err(ExportedError::Value("outcome")),
        };
        let tenant = match id(&event, "tenant")? {
            Some(tenant) => Some(tenant),
            None => id(&event, "log")?.filter(|log| *log != OPERATOR_LOG),
        };
        Ok(Self {
            at: UtcDateTime::parse(at, &Rfc3339).or(Err(ExportedError::Value("at")))?,
            action: action.parse().or(Err(ExportedError::UnknownAction))?,
            outcome,
            tenant: tenant.map(TenantId::from_uuid),
            key: target(&event)?,
            txn: id(&event, "txn")?.map(TxnId::from_uuid),
            attributes: data(&event)?,
        })
    }
}

/// A text that may be absent or null.
fn text<'v>(
    from: &'v Map<String, Json>,
    key: &'static str,
) -> Result<Option<&'v str>, ExportedError> {
    match from.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(ExportedError::Value(key)),
    }
}

fn id(from: &Map<String, Json>, key: &'static str) -> Result<Option<Uuid>, ExportedError> {
    let id = text(from, key)?.map(Uuid::try_parse).transpose();
    id.or(Err(ExportedError::Value(key)))
}

fn target(event: &Map<String, Json>) -> Result<Option<Box<[u8]>>, ExportedError> {
    let wrong = ExportedError::Value("target");
    let target = match event.get("target") {
        None | Some(Json::Null) => return Ok(None),
        Some(target) => target.as_object().ok_or(wrong)?,
    };
    match target.get("id") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => match unhex(text) {
            Some(bytes) if bytes.len() <= TEXT_LEN_BYTES_MAX => Ok(Some(bytes.into())),
            _ => Err(wrong),
        },
        Some(_) => Err(wrong),
    }
}

fn data(event: &Map<String, Json>) -> Result<BTreeMap<String, Value>, ExportedError> {
    let wrong = ExportedError::Value("data");
    let data = match event.get("data") {
        None | Some(Json::Null) => return Ok(BTreeMap::new()),
        Some(data) => data.as_object().ok_or(wrong)?,
    };
    let value = |(name, value): (&String, &Json)| {
        let value = match value {
            Json::Number(number) => Value::Count(number.as_u64().ok_or(wrong)?),
            Json::String(text) => Value::of_text(text),
            _ => return Err(wrong),
        };
        Ok((name.clone(), value))
    };
    data.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use covenant_core::Action;
    use time::macros::utc_datetime;

    use super::*;

    fn check(line: &str, expect: ExportedError) {
        let found = Recorded::from_exported(line.as_bytes());
        assert_eq!(found, Err(expect), "{line}");
    }

    #[test]
    fn a_line_needs_a_time_and_an_action_and_no_more() -> Result<(), ExportedError> {
        let line = br#" {"at":"2027-01-31T12:00:00.5Z","action":"record.deleted","more":[{}]} "#;
        let event = Recorded::from_exported(line)?;
        assert_eq!(event.at, utc_datetime!(2027-01-31 12:00:00.5));
        assert_eq!(
            (event.action, event.outcome),
            (Action::RecordDeleted, Outcome::Ok)
        );
        assert_eq!((event.tenant, event.key, event.txn), (None, None, None));
        Ok(())
    }

    #[test]
    fn every_member_that_is_read_is_read() -> Result<(), ExportedError> {
        let tenant = "0198c0de-0000-7000-8000-000000000001";
        let line = |log: &str| {
            format!(
                r#"{{"at":"2027-01-31T12:00:00Z","action":"access.denied","outcome":"denied",
                "log":"{log}","target":{{"id":"0aff"}},"txn":"{tenant}",
                "data":{{"count":3,"vault":"{tenant}","word":"insert"}}}}"#
            )
        };
        let event = Recorded::from_exported(line(tenant).as_bytes())?;
        assert_eq!(event.outcome, Outcome::Denied);
        assert_eq!(event.key.as_deref(), Some(&[0x0a, 0xff][..]));
        let id = Uuid::try_parse(tenant).or(Err(ExportedError::Syntax))?;
        assert_eq!(event.tenant.map(|tenant| tenant.as_uuid()), Some(id));
        assert_eq!(event.txn.map(|txn| txn.as_uuid()), Some(id));
        assert_eq!(event.attributes.get("count"), Some(&Value::Count(3)));
        assert_eq!(event.attributes.get("vault"), Some(&Value::Id(id)));
        let operator = OPERATOR_LOG.to_string();
        let event = Recorded::from_exported(line(&operator).as_bytes())?;
        assert_eq!(event.tenant, None);
        Ok(())
    }

    #[test]
    fn what_is_no_event_is_refused() {
        use ExportedError::{Missing, Syntax, TooLong, UnknownAction};
        let value = ExportedError::Value;
        let with = |more: &str| {
            format!(r#"{{"at":"2027-01-31T12:00:00Z","action":"record.deleted"{more}}}"#)
        };
        check("", Syntax);
        check("[]", Syntax);
        check("{\"at\":", Syntax);
        check(r#"{"action":"record.deleted"}"#, Missing("at"));
        check(r#"{"at":null,"action":"record.deleted"}"#, Missing("at"));
        check(r#"{"at":"2027-01-31T12:00:00Z"}"#, Missing("action"));
        check(
            r#"{"at":"2027-01-31","action":"record.deleted"}"#,
            value("at"),
        );
        check(r#"{"at":1,"action":"record.deleted"}"#, value("at"));
        check(&with("").replace("deleted", "eaten"), UnknownAction);
        check(&with(r#","outcome":"good""#), value("outcome"));
        check(&with(r#","tenant":"acme""#), value("tenant"));
        check(&with(r#","log":7"#), value("log"));
        check(&with(r#","txn":"1""#), value("txn"));
        check(&with(r#","target":"ff""#), value("target"));
        check(&with(r#","target":{"id":"f"}"#), value("target"));
        check(&with(r#","target":{"id":1}"#), value("target"));
        check(&with(r#","data":[]"#), value("data"));
        check(&with(r#","data":{"a":-1}"#), value("data"));
        check(&with(r#","data":{"a":null}"#), value("data"));
        let long = format!(r#","more":"{}""#, "x".repeat(EXPORTED_LINE_LEN_BYTES_MAX));
        check(&with(&long), TooLong);
    }
}
