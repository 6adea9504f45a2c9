//! Windows and expiries in settings files: a number of days, and `P1Y` or `P3Y`; nothing else.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{KeyExpiry, PendingWindow};

impl Serialize for PendingWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.days())
    }
}

impl<'de> Deserialize<'de> for PendingWindow {
    // clause: Q-18
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let days = u8::deserialize(deserializer)?;
        Self::try_from(days).map_err(D::Error::custom)
    }
}

impl Serialize for KeyExpiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for KeyExpiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ExpiryText)
    }
}

struct ExpiryText;

impl Visitor<'_> for ExpiryText {
    type Value = KeyExpiry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P1Y or P3Y")
    }

    // clause: Q-17
    fn visit_str<E: Error>(self, text: &str) -> Result<KeyExpiry, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    fn check<T: DeserializeOwned + Serialize>(json: &str, written: Option<&str>) {
        let read = serde_json::from_str::<T>(json).ok();
        let again = read.map(|value| serde_json::to_string(&value).expect("written"));
        assert_eq!(again.as_deref(), written, "{json}");
    }

    // clause: Q-18
    #[test]
    fn a_window_is_read_from_its_days_alone() {
        check::<PendingWindow>("7", Some("7"));
        check::<PendingWindow>("30", Some("30"));
        for json in [
            "6", "31", "0", "-7", "263", "7.0", "\"7\"", "\"P7D\"", "null",
        ] {
            check::<PendingWindow>(json, None);
        }
    }

    // clause: Q-17
    #[test]
    fn an_expiry_is_read_from_its_two_texts_alone() {
        check::<KeyExpiry>("\"P1Y\"", Some("\"P1Y\""));
        check::<KeyExpiry>("\"P3Y\"", Some("\"P3Y\""));
        for json in ["\"P2Y\"", "\"P12M\"", "\"p1y\"", "\"\"", "1", "null"] {
            check::<KeyExpiry>(json, None);
        }
    }
}
