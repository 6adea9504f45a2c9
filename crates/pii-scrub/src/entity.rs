//! The type of a finding: an open set of names, so that a user's own rules are no second class.

use std::fmt;

use covenant_core::LogSafe;

/// Longest name of a type in bytes: a column of a report (ours).
pub const ENTITY_NAME_LEN_BYTES_MAX: usize = 64;

/// What kind of personal data: `EMAIL_ADDRESS`. `[A-Z][A-Z0-9_]{0,63}`, fixed when the program is
/// written, so that no content can become a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityType(&'static str);

/// A text names no type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a type starts with A-Z and has at most 64 of A-Z, 0-9 and underscore")]
pub struct EntityTypeError;

impl EntityType {
    /// The type of this name.
    ///
    /// # Errors
    /// [`EntityTypeError`] for a name of another form.
    pub const fn new(name: &'static str) -> Result<Self, EntityTypeError> {
        let [first, rest @ ..] = name.as_bytes() else {
            return Err(EntityTypeError);
        };
        if name.len() > ENTITY_NAME_LEN_BYTES_MAX || !first.is_ascii_uppercase() {
            return Err(EntityTypeError);
        }
        let mut left = rest;
        while let [byte, after @ ..] = left {
            if !matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_') {
                return Err(EntityTypeError);
            }
            left = after;
        }
        Ok(Self(name))
    }

    /// The type of this name, for constants: a name of another form does not compile there.
    ///
    /// # Panics
    /// For a name of another form.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "for constants, where a panic is an error of the compiler"
    )]
    pub const fn of(name: &'static str) -> Self {
        // INVARIANT: names are written in the source, not read
        match Self::new(name) {
            Ok(entity) => entity,
            Err(_) => {
                panic!("a type starts with A-Z and has at most 64 of A-Z, 0-9 and underscore")
            }
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
impl fmt::Debug for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
impl LogSafe for EntityType {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        const LONGEST: &str = "A234567890123456789012345678901234567890123456789012345678901234";
        for name in ["A", "EMAIL_ADDRESS", "GB_NHS", "IPV4_ADDRESS", LONGEST] {
            assert_eq!(EntityType::new(name).map(EntityType::name), Ok(name));
        }
        const TOO_LONG: &str = "A2345678901234567890123456789012345678901234567890123456789012345";
        for name in [
            "", "email", "_A", "1A", "A B", "A-B", "A\u{c4}", "Ab", TOO_LONG,
        ] {
            assert_eq!(EntityType::new(name), Err(EntityTypeError), "{name:?}");
        }
    }
}
