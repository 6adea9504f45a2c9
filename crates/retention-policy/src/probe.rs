//! Probes: salts of sealed values, by which a byte scan recognises what should be gone.

use std::fmt;

/// Bytes of a probe: the salt of a sealed value.
pub const PROBE_LEN_BYTES: usize = 24;

/// The salt of one sealed value: unique, no content, found raw in any page that holds the value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probe([u8; PROBE_LEN_BYTES]);

/// A probe as the journal keeps it: every bit inverted, so that no scan finds the journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvertedProbe([u8; PROBE_LEN_BYTES]);

impl Probe {
    /// The probe of this salt.
    #[must_use]
    pub const fn new(salt: [u8; PROBE_LEN_BYTES]) -> Self {
        Self(salt)
    }

    /// The salt, as it stands in a file.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PROBE_LEN_BYTES] {
        &self.0
    }

    /// The form to store.
    #[must_use]
    pub fn invert(&self) -> InvertedProbe {
        InvertedProbe(self.0.map(|byte| !byte))
    }
}

impl InvertedProbe {
    /// The stored form with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; PROBE_LEN_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PROBE_LEN_BYTES] {
        &self.0
    }

    /// The probe to scan for.
    #[must_use]
    pub fn revert(&self) -> Probe {
        Probe(self.0.map(|byte| !byte))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}
impl fmt::Debug for InvertedProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvertedProbe")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_not_what_is_sought() {
        let salt: [u8; 24] = std::array::from_fn(|n| u8::try_from(n * 10).unwrap());
        let probe = Probe::new(salt);
        let stored = probe.invert();
        assert!(
            stored
                .as_bytes()
                .iter()
                .zip(&salt)
                .all(|(a, b)| a ^ b == 0xff)
        );
        assert_eq!(
            InvertedProbe::from_bytes(*stored.as_bytes()).revert(),
            probe
        );
    }
}
