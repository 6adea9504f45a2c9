//! Control ids: GDPR articles, ISO/IEC 27001:2022 Annex A, ISO/IEC 27701, SOC 2 criteria.
//!
//! The tables hold numbers and no text of the standards; they were taken from public
//! transcriptions. Of ISO/IEC 27701:2025 only those places are known that the project has
//! established.

use covenant_core::LogSafe;

/// The frameworks whose controls a clause may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Framework {
    /// Regulation (EU) 2016/679, articles: `17(1)`, `32(1)(a)`.
    Gdpr,
    /// ISO/IEC 27001:2022, Annex A: `A.8.10`.
    Iso27001,
    /// ISO/IEC 27701:2019, Annexes A and B: `A.7.4.7`.
    Iso27701In2019,
    /// ISO/IEC 27701:2025, Annex A: `A.1.4.8`.
    Iso27701In2025,
    /// SOC 2 trust services criteria: `CC6.1`, `P4.3`.
    Soc2,
}

impl Framework {
    /// Every framework, in the order of the table in a document.
    pub const ALL: &'static [Self] = &[
        Self::Gdpr,
        Self::Iso27001,
        Self::Iso27701In2019,
        Self::Iso27701In2025,
        Self::Soc2,
    ];

    /// The key of the framework in `[clause.controls]`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Iso27001 => "iso27001",
            Self::Iso27701In2019 => "iso27701_2019",
            Self::Iso27701In2025 => "iso27701_2025",
            Self::Soc2 => "soc2",
        }
    }

    /// Whether the framework has a control of this id.
    #[must_use]
    pub fn has(self, id: &str) -> bool {
        match self {
            Self::Gdpr => is_article(id),
            Self::Iso27001 => numbered(id, ISO_27001),
            Self::Iso27701In2019 => numbered(id, ISO_27701_2019),
            Self::Iso27701In2025 => ISO_27701_2025.contains(&id),
            Self::Soc2 => numbered(id, SOC_2),
        }
    }
}
impl std::fmt::Display for Framework {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}
impl LogSafe for Framework {}

/// The controls that a clause serves, by framework, in the order of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Controls {
    /// GDPR articles.
    pub gdpr: Vec<String>,
    /// ISO/IEC 27001:2022, Annex A.
    pub iso27001: Vec<String>,
    /// ISO/IEC 27701:2019.
    pub iso27701_2019: Vec<String>,
    /// ISO/IEC 27701:2025.
    pub iso27701_2025: Vec<String>,
    /// SOC 2 criteria.
    pub soc2: Vec<String>,
}

impl Controls {
    /// The ids of one framework.
    #[must_use]
    pub fn of(&self, framework: Framework) -> &[String] {
        match framework {
            Framework::Gdpr => &self.gdpr,
            Framework::Iso27001 => &self.iso27001,
            Framework::Iso27701In2019 => &self.iso27701_2019,
            Framework::Iso27701In2025 => &self.iso27701_2025,
            Framework::Soc2 => &self.soc2,
        }
    }

    /// Every framework with its ids.
    pub fn iter(&self) -> impl Iterator<Item = (Framework, &[String])> {
        Framework::ALL
            .iter()
            .map(|framework| (*framework, self.of(*framework)))
    }
}

/// Prefix of a group and the number of its last control; the first is 1.
type Group = (&'static str, u8);

const ISO_27001: &[Group] = &[("A.5.", 37), ("A.6.", 8), ("A.7.", 14), ("A.8.", 34)];
const ISO_27701_2019: &[Group] = &[
    ("A.7.2.", 8),
    ("A.7.3.", 10),
    ("A.7.4.", 9),
    ("A.7.5.", 4),
    ("B.8.2.", 6),
    ("B.8.3.", 1),
    ("B.8.4.", 3),
    ("B.8.5.", 8),
];
const ISO_27701_2025: &[&str] = &["A.1.3.7", "A.1.3.9", "A.1.4.8", "A.2.4.3"];
const SOC_2: &[Group] = &[
    ("CC1.", 5),
    ("CC2.", 3),
    ("CC3.", 4),
    ("CC4.", 2),
    ("CC5.", 3),
    ("CC6.", 8),
    ("CC7.", 5),
    ("CC8.", 1),
    ("CC9.", 2),
    ("A1.", 3),
    ("C1.", 2),
    ("PI1.", 5),
    ("P1.", 1),
    ("P2.", 1),
    ("P3.", 2),
    ("P4.", 3),
    ("P5.", 2),
    ("P6.", 7),
    ("P7.", 1),
    ("P8.", 1),
];
/// The last article of the GDPR.
const ARTICLES: u8 = 99;

fn numbered(id: &str, groups: &[Group]) -> bool {
    groups.iter().any(|(prefix, last)| {
        id.strip_prefix(prefix)
            .and_then(number)
            .is_some_and(|number| number <= *last)
    })
}

/// A positive number without leading zeroes.
fn number(digits: &str) -> Option<u8> {
    let clean = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if clean { digits.parse().ok() } else { None }
}

/// `17`, `17(1)` or `32(1)(a)`: an article, its paragraph, its point.
fn is_article(id: &str) -> bool {
    let (article, rest) = id
        .split_at_checked(id.find('(').unwrap_or(id.len()))
        .unwrap_or((id, ""));
    if number(article).is_none_or(|number| number > ARTICLES) {
        return false;
    }
    let Some(inner) = rest.strip_prefix('(') else {
        return rest.is_empty();
    };
    let (paragraph, point) = match inner.split_once(")(") {
        Some((paragraph, point)) => (paragraph, Some(point)),
        None => (inner.strip_suffix(')').unwrap_or(""), None),
    };
    let letter = |point: &str| {
        point
            .strip_suffix(')')
            .is_some_and(|point| point.len() == 1 && point.bytes().all(|b| b.is_ascii_lowercase()))
    };
    number(paragraph).is_some() && point.is_none_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(framework: Framework, ids: &[&str]) {
        for id in ids {
            assert!(framework.has(id), "{framework} {id}");
        }
    }

    fn unknown(framework: Framework, ids: &[&str]) {
        for id in ids {
            assert!(!framework.has(id), "{framework} {id}");
        }
    }

    #[test]
    fn each_framework_has_its_ids_and_no_others() {
        known(
            Framework::Gdpr,
            &["5", "17(1)", "32(1)(a)", "99", "5(1)(e)", "28(3)(g)"],
        );
        unknown(
            Framework::Gdpr,
            &[
                "", "0", "100", "17(", "17()", "17(1)(", "17(1)(a", "17(1)(A)",
            ],
        );
        unknown(
            Framework::Gdpr,
            &["017", "17(1)x", "17 (1)", "17(a)", "17(1)(a)(b)", "(1)"],
        );
        known(
            Framework::Iso27001,
            &["A.5.1", "A.5.37", "A.6.8", "A.7.14", "A.8.34"],
        );
        unknown(
            Framework::Iso27001,
            &["A.5.38", "A.5.0", "A.5.01", "A.9.1", "A.5", "B.5.1"],
        );
        known(Framework::Iso27701In2019, &["A.7.2.1", "B.8.5.8"]);
        unknown(Framework::Iso27701In2019, &["B.8.5.9", "A.7.1.1"]);
        known(Framework::Iso27701In2025, &["A.1.3.7"]);
        unknown(Framework::Iso27701In2025, &["A.7.3.6"]);
        known(Framework::Soc2, &["CC6.8", "P6.6", "A1.2"]);
        unknown(Framework::Soc2, &["CC6.9", "cc6.1", "P9.1"]);
    }
}
