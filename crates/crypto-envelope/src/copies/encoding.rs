//! The bytes of a copy of the key store: all records, or those that changed after a revision.

use covenant_core::canon::{CanonError, Reader, Writer};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::group::GroupName;
use crate::record::{
    Erasure, KekRecord, KekState, RootRecord, RootState, Switch, decode_owner, parse_purpose,
};
use crate::store::Changes;
use crate::wrapped::WRAPPED_LEN_BYTES;

/// What a copy begins with.
const MAGIC: &str = "covenant/key-store-copy/1";
const MAGIC_LEN_BYTES_MAX: usize = 64;
const WORD_LEN_BYTES_MAX: usize = 16;
const GROUP_LEN_BYTES_MAX: usize = 160;

/// Bytes are no copy of a key store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a copy of a key store: {0}")]
pub struct NotACopy(pub(crate) &'static str);

/// The bytes of a copy. Roots are in it as their KEKs wrapped them, and none that was destroyed.
#[must_use]
pub fn encode(changes: &Changes) -> Vec<u8> {
    let Changes {
        after,
        revision,
        keks,
        roots,
        erasures,
    } = changes;
    let mut w = Writer::new();
    w.text(MAGIC).u64(*after).u64(*revision);
    count(&mut w, keks.len());
    keks.iter().for_each(|kek| put_kek(&mut w, kek));
    count(&mut w, roots.len());
    roots.iter().for_each(|root| put_root(&mut w, root));
    count(&mut w, erasures.len());
    erasures.iter().for_each(|one| put_erasure(&mut w, one));
    w.finish()
}

/// Takes the bytes of a copy apart.
///
/// # Errors
/// [`NotACopy`] for bytes that no copy encodes to.
pub fn decode(bytes: &[u8]) -> Result<Changes, NotACopy> {
    let mut r = Reader::new(bytes);
    let changes = read(&mut r)?;
    r.end().or(Err(NotACopy("it is too long")))?;
    if encode(&changes) != bytes {
        return Err(NotACopy("it is written in another way"));
    }
    Ok(changes)
}

fn read(r: &mut Reader<'_>) -> Result<Changes, NotACopy> {
    if r.text(MAGIC_LEN_BYTES_MAX)? != MAGIC {
        return Err(NotACopy("another format"));
    }
    let (after, revision) = (r.u64()?, r.u64()?);
    Ok(Changes {
        after,
        revision,
        keks: many(r, read_kek)?,
        roots: many(r, read_root)?,
        erasures: many(r, read_erasure)?,
    })
}

/// A number of records; no more are read than there are bytes.
fn many<T>(
    r: &mut Reader<'_>,
    one: impl Fn(&mut Reader<'_>) -> Result<T, NotACopy>,
) -> Result<Vec<T>, NotACopy> {
    let len = r.u32()?;
    let mut all = Vec::new();
    for _ in 0..len {
        all.push(one(r)?);
    }
    Ok(all)
}

fn count(w: &mut Writer, len: usize) {
    w.u32(u32::try_from(len).unwrap_or(u32::MAX));
}

fn put_kek(w: &mut Writer, kek: &KekRecord) {
    let KekRecord {
        id,
        group,
        n,
        state,
        switch,
        wraps,
        created_at,
        expires_at,
        destroy_at,
        pending_until,
        compromised_at,
        destroyed_at,
        gone_at,
        canary,
        revision,
    } = kek;
    w.fixed(id.as_bytes())
        .text(&group.to_string())
        .u32(*n)
        .text(state.name())
        .text(switch.name())
        .u64(*wraps)
        .i64(micros(*created_at));
    for at in [
        expires_at,
        destroy_at,
        pending_until,
        compromised_at,
        destroyed_at,
        gone_at,
    ] {
        put_instant(w, *at);
    }
    w.bytes(canary).u64(*revision);
}

fn read_kek(r: &mut Reader<'_>) -> Result<KekRecord, NotACopy> {
    Ok(KekRecord {
        id: KeyId::from_bytes(r.array()?),
        group: r
            .text(GROUP_LEN_BYTES_MAX)?
            .parse::<GroupName>()
            .or(Err(NotACopy("a group")))?,
        n: r.u32()?,
        state: word(r, &KekState::ALL, KekState::name)?,
        switch: word(r, &Switch::ALL, Switch::name)?,
        wraps: r.u64()?,
        created_at: read_micros(r)?,
        expires_at: read_instant(r)?,
        destroy_at: read_instant(r)?,
        pending_until: read_instant(r)?,
        compromised_at: read_instant(r)?,
        destroyed_at: read_instant(r)?,
        gone_at: read_instant(r)?,
        canary: r.bytes(WRAPPED_LEN_BYTES)?.to_vec(),
        revision: r.u64()?,
    })
}

fn put_root(w: &mut Writer, root: &RootRecord) {
    let RootRecord {
        id,
        owner,
        purpose,
        n,
        kek,
        wrapped,
        state,
        switch,
        created_at,
        active_from,
        destroy_at,
        pending_until,
        compromised_at,
        destroyed_at,
        wrapped_revision,
        revision,
    } = root;
    w.fixed(id.as_bytes())
        .fixed(&owner.encode())
        .text(purpose.name())
        .u32(*n)
        .fixed(kek.as_bytes())
        .bytes(wrapped)
        .text(state.name())
        .text(switch.name())
        .i64(micros(*created_at));
    for at in [
        active_from,
        destroy_at,
        pending_until,
        compromised_at,
        destroyed_at,
    ] {
        put_instant(w, *at);
    }
    w.u64(*wrapped_revision).u64(*revision);
}

fn read_root(r: &mut Reader<'_>) -> Result<RootRecord, NotACopy> {
    Ok(RootRecord {
        id: KeyId::from_bytes(r.array()?),
        owner: read_owner(r)?,
        purpose: read_purpose(r)?,
        n: r.u32()?,
        kek: KeyId::from_bytes(r.array()?),
        wrapped: r.bytes(WRAPPED_LEN_BYTES)?.to_vec(),
        state: word(r, &RootState::ALL, RootState::name)?,
        switch: word(r, &Switch::ALL, Switch::name)?,
        created_at: read_micros(r)?,
        active_from: read_instant(r)?,
        destroy_at: read_instant(r)?,
        pending_until: read_instant(r)?,
        compromised_at: read_instant(r)?,
        destroyed_at: read_instant(r)?,
        wrapped_revision: r.u64()?,
        revision: r.u64()?,
    })
}

fn put_erasure(w: &mut Writer, erasure: &Erasure) {
    let Erasure {
        order,
        tenant,
        subject,
        destroyed_at,
        keys,
        revision,
        complete_by,
    } = erasure;
    w.fixed(order.as_bytes())
        .fixed(tenant.as_bytes())
        .fixed(subject.as_bytes())
        .i64(micros(*destroyed_at));
    count(w, keys.len());
    for key in keys {
        w.fixed(key.as_bytes());
    }
    w.u64(*revision);
    put_instant(w, *complete_by);
}

fn read_erasure(r: &mut Reader<'_>) -> Result<Erasure, NotACopy> {
    Ok(Erasure {
        order: OrderId::from_bytes(r.array()?),
        tenant: TenantId::from_bytes(r.array()?),
        subject: Uuid::from_bytes(r.array()?),
        destroyed_at: read_micros(r)?,
        keys: many(r, |r| Ok(KeyId::from_bytes(r.array()?)))?,
        revision: r.u64()?,
        complete_by: read_instant(r)?,
    })
}

fn put_instant(w: &mut Writer, at: Option<UtcDateTime>) {
    match at {
        None => w.u8(0),
        Some(at) => w.u8(1).i64(micros(at)),
    };
}

fn read_instant(r: &mut Reader<'_>) -> Result<Option<UtcDateTime>, NotACopy> {
    match r.u8()? {
        0 => Ok(None),
        1 => Ok(Some(read_micros(r)?)),
        _ => Err(NotACopy("an instant")),
    }
}

/// Microseconds since 1970, as records keep instants.
pub(crate) fn micros(at: UtcDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// The instant so many microseconds after 1970; `None` outside the years that there are.
pub(crate) fn from_micros(micros: i64) -> Option<UtcDateTime> {
    let nanos = i128::from(micros).saturating_mul(1_000);
    UtcDateTime::from_unix_timestamp_nanos(nanos).ok()
}

fn read_micros(r: &mut Reader<'_>) -> Result<UtcDateTime, NotACopy> {
    from_micros(r.i64()?).ok_or(NotACopy("an instant"))
}

fn read_owner(r: &mut Reader<'_>) -> Result<Owner, NotACopy> {
    let bytes: [u8; 33] = r.array()?;
    decode_owner(&bytes).ok_or(NotACopy("an owner"))
}

fn read_purpose(r: &mut Reader<'_>) -> Result<Purpose, NotACopy> {
    parse_purpose(r.text(WORD_LEN_BYTES_MAX)?).ok_or(NotACopy("a purpose"))
}

fn word<T: Copy>(
    r: &mut Reader<'_>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, NotACopy> {
    let text = r.text(WORD_LEN_BYTES_MAX)?;
    let known = all.iter().copied().find(|one| name(*one) == text);
    known.ok_or(NotACopy("a state"))
}

impl From<CanonError> for NotACopy {
    fn from(_: CanonError) -> Self {
        Self("it is cut off")
    }
}
