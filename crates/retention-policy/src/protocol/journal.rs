//! The journal row of a disposal: `FORMAT.md`, "Journal row".
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::{ItemId, KeyId, OrderId, TenantId, canon};
use time::UtcDateTime;

use super::{Disposal, Key, Line, PROBES_MAX, Removed, STORES_MAX, SUBJECTS_MAX, Stage, Verified};
use crate::part::{KeyLine, KeyState};
use crate::{DisposalTarget, InvertedProbe, NAME_LEN_BYTES_MAX, StoreName};

/// Opens a journal row.
const FORMAT: &str = "covenant/disposal/v1";

/// Journal bytes are not those of a disposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal row is not that of a disposal")]
pub struct JournalError;

pub(super) fn encode(disposal: &Disposal) -> Vec<u8> {
    let Disposal {
        order,
        target,
        lines,
        probes,
        key,
        stage,
        flushes,
    } = disposal;
    let DisposalTarget {
        tenant,
        class,
        id,
        made_at,
        subjects,
    } = target;
    let mut w = canon::Writer::new();
    w.text(FORMAT)
        .fixed(order.as_bytes())
        .fixed(tenant.as_bytes())
        .text(class.as_str())
        .bytes(id.as_bytes());
    put_instant(&mut w, *made_at);
    match subjects {
        None => {
            w.u8(0);
        }
        Some(subjects) => {
            w.u8(1).u32(count(subjects.len()));
            for subject in subjects {
                w.bytes(subject.as_bytes());
            }
        }
    }
    w.u32(count(probes.len()));
    for probe in probes {
        w.fixed(probe.as_bytes());
    }
    match key {
        Key::None => w.u8(0),
        Key::Owed => w.u8(1),
        Key::Planned(KeyLine { key, state, at }) => {
            w.u8(match state {
                KeyState::Planned => 2,
                KeyState::Destroyed => 3,
            });
            w.fixed(key.as_bytes()).i64(micros(*at))
        }
    };
    w.u32(count(lines.len()));
    for Line {
        store,
        removed,
        verified,
    } in lines
    {
        w.text(store.as_str()).u8(match removed {
            Removed::Not => 0,
            Removed::Refused => 1,
            Removed::Done => 2,
            Removed::Absent => 3,
        });
        put_instant(&mut w, verified.map(|verified| verified.at));
        if let Some(Verified { scanned_bytes, .. }) = verified {
            match scanned_bytes {
                None => w.u8(0),
                Some(bytes) => w.u8(1).u64(*bytes),
            };
        }
    }
    let (stage, at) = match *stage {
        Stage::New => (0, 0),
        Stage::Deleting(at) => (1, at),
        Stage::PlanningKey => (2, 0),
        Stage::Flushing => (3, 0),
        Stage::Verifying(at) => (4, at),
        Stage::Blocked(at) => (5, at),
        Stage::Certifying => (6, 0),
        Stage::Done => (7, 0),
    };
    w.u8(stage).u8(at).u8(*flushes);
    w.finish()
}

pub(super) fn decode(journal: &[u8]) -> Option<Disposal> {
    let mut r = canon::Reader::new(journal);
    if r.text(64).ok()? != FORMAT {
        return None;
    }
    let order = OrderId::from_bytes(r.array().ok()?);
    let target = decode_target(&mut r)?;
    let mut probes = Vec::new();
    for _ in 0..capped(r.u32().ok()?, PROBES_MAX)? {
        probes.push(InvertedProbe::from_bytes(r.array().ok()?));
    }
    let key = match r.u8().ok()? {
        0 => Key::None,
        1 => Key::Owed,
        state @ (2 | 3) => Key::Planned(KeyLine {
            key: KeyId::from_bytes(r.array().ok()?),
            state: if state == 2 {
                KeyState::Planned
            } else {
                KeyState::Destroyed
            },
            at: instant(r.i64().ok()?)?,
        }),
        _ => return None,
    };
    let mut lines: Vec<Line> = Vec::new();
    for _ in 0..capped(r.u32().ok()?, STORES_MAX)? {
        let line = decode_line(&mut r)?;
        if lines.iter().any(|known| known.store == line.store) {
            return None;
        }
        lines.push(line);
    }
    let (stage, at, flushes) = (r.u8().ok()?, r.u8().ok()?, r.u8().ok()?);
    r.end().ok()?;
    let stage = match stage {
        0 => Stage::New,
        1 => Stage::Deleting(at),
        2 => Stage::PlanningKey,
        3 => Stage::Flushing,
        4 => Stage::Verifying(at),
        5 => Stage::Blocked(at),
        6 => Stage::Certifying,
        7 => Stage::Done,
        _ => return None,
    };
    (!lines.is_empty()).then_some(Disposal {
        order,
        target,
        lines,
        probes,
        key,
        stage,
        flushes,
    })
}

fn decode_target(r: &mut canon::Reader<'_>) -> Option<DisposalTarget> {
    let tenant = TenantId::from_bytes(r.array().ok()?);
    let class = r.text(NAME_LEN_BYTES_MAX).ok()?.parse().ok()?;
    let id = ItemId::try_from(r.bytes(64).ok()?).ok()?;
    let made_at = read_instant(r)?;
    let subjects = match r.u8().ok()? {
        0 => None,
        1 => {
            let mut subjects = Vec::new();
            for _ in 0..capped(r.u32().ok()?, SUBJECTS_MAX)? {
                subjects.push(ItemId::try_from(r.bytes(64).ok()?).ok()?);
            }
            Some(subjects)
        }
        _ => return None,
    };
    Some(DisposalTarget {
        tenant,
        class,
        id,
        made_at,
        subjects,
    })
}

fn decode_line(r: &mut canon::Reader<'_>) -> Option<Line> {
    let store: StoreName = r.text(NAME_LEN_BYTES_MAX).ok()?.parse().ok()?;
    let removed = match r.u8().ok()? {
        0 => Removed::Not,
        1 => Removed::Refused,
        2 => Removed::Done,
        3 => Removed::Absent,
        _ => return None,
    };
    let verified = match read_instant(r)? {
        None => None,
        Some(at) => Some(Verified {
            at,
            scanned_bytes: match r.u8().ok()? {
                0 => None,
                1 => Some(r.u64().ok()?),
                _ => return None,
            },
        }),
    };
    Some(Line {
        store,
        removed,
        verified,
    })
}

/// The target as a journal keeps it: whole microseconds.
pub(super) fn rounded(target: DisposalTarget) -> DisposalTarget {
    DisposalTarget {
        made_at: target.made_at.map(micros_only),
        ..target
    }
}

/// The instant without what is below a microsecond.
pub(super) fn micros_only(at: UtcDateTime) -> UtcDateTime {
    instant(micros(at)).unwrap_or(at)
}

fn put_instant(w: &mut canon::Writer, at: Option<UtcDateTime>) {
    match at {
        None => w.u8(0),
        Some(at) => w.u8(1).i64(micros(at)),
    };
}

#[expect(
    clippy::option_option,
    reason = "bytes that do not read, and an instant that is not there"
)]
fn read_instant(r: &mut canon::Reader<'_>) -> Option<Option<UtcDateTime>> {
    match r.u8().ok()? {
        0 => Some(None),
        1 => Some(Some(instant(r.i64().ok()?)?)),
        _ => None,
    }
}

fn micros(at: UtcDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

fn instant(micros: i64) -> Option<UtcDateTime> {
    let nanos = i128::from(micros).checked_mul(1_000)?;
    UtcDateTime::from_unix_timestamp_nanos(nanos).ok()
}

fn capped(count: u32, max: usize) -> Option<usize> {
    usize::try_from(count).ok().filter(|count| *count <= max)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
