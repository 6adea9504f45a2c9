//! Commitments: what a leaf says of a value it does not hold, and the sealed side values that open
//! some of them.
//!
//! A commitment is SHA-256 over the canonical encoding of a label, the event, the path, 32 random
//! bytes and the value. Who has neither salt nor value learns nothing from it, not even by trying
//! all values; who is given both can check them for ever.
#![deny(clippy::arithmetic_side_effects)]

use std::net::IpAddr;

use covenant_core::digest::Digest;
use covenant_core::sealer::{Owner, PlaceError, Purpose};
use covenant_core::{EventId, LogId, Place, Secret, canon};
use uuid::{Uuid, uuid};

use crate::leaf::FIELDS_MAX;
use crate::names::tenant_of;

/// Length of a salt in bytes: as long as the digest.
pub const SALT_LEN_BYTES: usize = 32;
/// Longest value that is sealed beside a leaf, in bytes (audit-log 4, "Field").
pub const SEALED_VALUE_LEN_BYTES_MAX: usize = 65_536;
/// The platform's root under which values of the operator's log are sealed: version 5 UUID of
/// `covenant/audit` in the OID namespace.
pub const OPERATOR_ROOT: Uuid = uuid!("1bff0375-8fe3-56ed-995e-608da436af00");

/// Whether a committed value can ever be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a leaf has these two and no others"
)]
pub enum Keep {
    /// The salt was thrown away: the value is proven to whoever still has it, and never opens.
    Never,
    /// Salt and value are sealed beside the leaf.
    Sealed,
}

/// The commitment to a value at a path of an event.
#[must_use]
pub fn commit(event: EventId, path: &str, salt: &[u8; SALT_LEN_BYTES], value: &[u8]) -> Digest {
    let mut w = canon::Writer::new();
    w.text("covenant/audit/field/v1")
        .fixed(event.as_bytes())
        .text(path)
        .fixed(salt)
        .bytes(value);
    Digest::of(w.as_bytes())
}

/// The value that is committed to for a source address: its text, an IPv4 address inside IPv6
/// written as IPv4.
#[must_use]
pub fn address_value(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// Where salt and value of a path are sealed: under the tenant's root, or the operator's.
///
/// # Errors
/// [`PlaceError`] for a path longer than 1 KiB.
pub fn place(log: LogId, event: EventId, path: &str) -> Result<Place, PlaceError> {
    let (owner, purpose) = match tenant_of(log) {
        Some(tenant) => (Owner::Tenant(tenant), Purpose::Data),
        None => (Owner::Platform(OPERATOR_ROOT), Purpose::Platform),
    };
    let locator: Vec<u8> = log
        .as_bytes()
        .iter()
        .chain(event.as_bytes())
        .copied()
        .collect();
    Place::new(owner, purpose, "audit_sealed", path, &locator)
}

/// One sealed side value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedField {
    /// Path of the field in its leaf.
    pub path: String,
    /// Salt and value, sealed at [`place`].
    pub sealed: Vec<u8>,
}

/// Bytes are no list of sealed side values, or an opened value is not what the leaf commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the sealed values of this event")]
pub struct FieldError;

/// Writes the side values of one event: a count, then path and ciphertext of each.
#[must_use]
pub fn encode_sealed(fields: &[SealedField]) -> Vec<u8> {
    if fields.is_empty() {
        return Vec::new();
    }
    let mut w = canon::Writer::new();
    w.u32(u32::try_from(fields.len()).unwrap_or(u32::MAX));
    for SealedField { path, sealed } in fields {
        w.text(path).bytes(sealed);
    }
    w.finish()
}

/// Reads what [`encode_sealed`] wrote; empty bytes are no values.
///
/// # Errors
/// [`FieldError`] for bytes that it did not write, above [`FIELDS_MAX`] values, or a value above
/// the cap.
pub fn decode_sealed(bytes: &[u8]) -> Result<Vec<SealedField>, FieldError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut r = canon::Reader::new(bytes);
    let fields = read_sealed(&mut r).or(Err(FieldError))?;
    r.end().or(Err(FieldError))?;
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return Err(FieldError);
    }
    Ok(fields)
}

fn read_sealed(r: &mut canon::Reader<'_>) -> Result<Vec<SealedField>, canon::CanonError> {
    let count = r.u32()?;
    let mut fields = Vec::new();
    for _ in 0..count {
        let path = r
            .text(covenant_core::sealer::PLACE_PART_LEN_BYTES_MAX)?
            .to_owned();
        let sealed = r
            .bytes(SEALED_VALUE_LEN_BYTES_MAX.saturating_add(1024))?
            .to_vec();
        fields.push(SealedField { path, sealed });
    }
    Ok(fields)
}

/// What is sealed: the salt, then the value.
pub(crate) fn salted(salt: &[u8; SALT_LEN_BYTES], value: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(salt.iter().chain(value).copied().collect())
}

/// Checks opened bytes against a commitment and returns the value.
///
/// # Errors
/// [`FieldError`] when the leaf commits to something else.
pub fn check_opened(
    event: EventId,
    path: &str,
    commitment: &Digest,
    opened: &Secret<Vec<u8>>,
) -> Result<Secret<Vec<u8>>, FieldError> {
    let (salt, value) = opened.expose().split_first_chunk().ok_or(FieldError)?;
    if commit(event, path, salt, value) != *commitment {
        return Err(FieldError);
    }
    Ok(Secret::new(value.to_vec()))
}
