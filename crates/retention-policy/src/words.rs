//! Words print as rule files, plans and reports spell them.

use std::fmt;

use crate::{
    Act, Authority, Bound, DatabaseState, KeepUntil, Method, RecordState, State, StoreKind,
};

macro_rules! words {
    ($($word:ident),* $(,)?) => { $(
        /// Its name.
        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    )* };
}

words! { Act, Authority, Bound, DatabaseState, Method, RecordState, State, StoreKind }

/// `free`, `open`, or the instant.
impl fmt::Display for KeepUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::At(at) => fmt::Display::fmt(at, f),
            Self::Open => f.write_str("open"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_print_as_they_are_written() {
        let said = [
            State::Overdue.to_string(),
            Act::Late.to_string(),
            Method::DestroyKey.to_string(),
            Authority::Law.to_string(),
            Bound::Until.to_string(),
            StoreKind::Epoch.to_string(),
            RecordState::Binned.to_string(),
            DatabaseState::Locked.to_string(),
            KeepUntil::Open.to_string(),
            format!("{:<6}|", State::Due),
        ];
        let expect = [
            "overdue", "late", "key", "law", "until", "epoch", "binned", "locked", "open",
            "due   |",
        ];
        assert_eq!(said, expect);
    }
}
