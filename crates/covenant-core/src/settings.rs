//! Settings types in policy and rule files: each is its text, read by `FromStr`, written by
//! `Display`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::{ClauseId, DayRule, MonthRule, Period, Zone};

struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! by_text {
    ($($t:ty),*) => { $(
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(PhantomData))
            }
        }
    )* };
}
by_text!(ClauseId, DayRule, MonthRule, Period, Zone);

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    fn check<T: DeserializeOwned + Serialize>(json: &str, expect: Option<&str>) {
        let read = serde_json::from_str::<T>(json);
        let written = read
            .ok()
            .map(|value| serde_json::to_string(&value).unwrap());
        assert_eq!(written.as_deref(), expect, "{json}");
    }

    #[test]
    fn settings_are_their_texts() {
        check::<Period>("\"P12M\"", Some("\"P1Y\""));
        check::<Period>("\"P1H\"", None);
        check::<Period>("12", None);
        check::<ClauseId>("\"P-51\"", Some("\"P-51\""));
        check::<ClauseId>("\"P-1\"", None);
        check::<DayRule>("\"end-of-day\"", Some("\"end-of-day\""));
        check::<DayRule>("\"EndOfDay\"", None);
        check::<MonthRule>("\"clamp-end\"", Some("\"clamp-end\""));
        check::<MonthRule>("null", None);
        check::<Zone>("\"+09:00\"", Some("\"+09:00\""));
        check::<Zone>("\"+9\"", None);
    }
}
