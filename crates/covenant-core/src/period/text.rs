//! The text of a period: strict to read, canonical to print.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::str::FromStr;

use super::{Period, PeriodError};
use crate::LogSafe;

/// Most digits of one number (retention-policy, section 4).
const DIGITS_MAX: usize = 9;

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let rest = text.strip_prefix('P').ok_or(PeriodError::Malformed)?;
        let (date, time) = match rest.split_once('T') {
            Some((_, "")) => return Err(PeriodError::Malformed),
            Some((date, time)) => (date, time),
            None if rest.is_empty() => return Err(PeriodError::Malformed),
            None => (rest, ""),
        };
        let [years, months, weeks, days] = parts(date, ['Y', 'M', 'W', 'D'])?;
        let [hours, minutes, secs] = parts(time, ['H', 'M', 'S'])?;
        let narrow = |n: u64| u32::try_from(n).or(Err(PeriodError::TooLong));
        Self::new(
            narrow(years.saturating_mul(12).saturating_add(months))?,
            narrow(weeks.saturating_mul(7).saturating_add(days))?,
            hours
                .saturating_mul(3_600)
                .saturating_add(minutes.saturating_mul(60))
                .saturating_add(secs),
        )
    }
}

/// Reads `n` before each letter, the letters in their order, each at most once.
fn parts<const N: usize>(text: &str, letters: [char; N]) -> Result<[u64; N], PeriodError> {
    let mut values = [0_u64; N];
    let mut rest = text;
    for (value, letter) in values.iter_mut().zip(letters) {
        let Some((digits, after)) = rest.split_once(letter) else {
            continue;
        };
        let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
        if digits.is_empty() || digits.len() > DIGITS_MAX || !all_digits {
            return Err(PeriodError::Malformed);
        }
        *value = digits.parse().or(Err(PeriodError::Malformed))?;
        rest = after;
    }
    if rest.is_empty() {
        Ok(values)
    } else {
        Err(PeriodError::Malformed)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { months, days, secs } = *self;
        if self.is_zero() {
            return f.write_str("PT0S");
        }
        let date = [(u64::from(months / 12), 'Y'), (u64::from(months % 12), 'M')];
        let time = [
            (secs / 3_600, 'H'),
            (secs % 3_600 / 60, 'M'),
            (secs % 60, 'S'),
        ];
        let write = |f: &mut fmt::Formatter<'_>, (n, letter): (u64, char)| match n {
            0 => Ok(()),
            n => write!(f, "{n}{letter}"),
        };
        f.write_str("P")?;
        date.into_iter()
            .chain([(u64::from(days), 'D')])
            .try_for_each(|part| write(f, part))?;
        if secs > 0 {
            f.write_str("T")?;
        }
        time.into_iter().try_for_each(|part| write(f, part))
    }
}
impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl LogSafe for Period {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, PeriodError>) {
        let printed = text.parse::<Period>().map(|p| p.to_string());
        assert_eq!(printed, expect.map(str::to_owned), "{text}");
        if let Ok(canonical) = expect {
            assert_eq!(canonical.parse::<Period>(), text.parse::<Period>());
        }
    }

    #[test]
    fn valid_texts_print_canonically() {
        for same in [
            "P6M",
            "P1Y",
            "P14D",
            "PT72H",
            "PT0S",
            "P31D",
            "PT25H",
            "P1Y6M3DT4H5M6S",
        ] {
            check(same, Ok(same));
        }
        check("P2W", Ok("P14D"));
        check("P1W1D", Ok("P8D"));
        check("P12M", Ok("P1Y"));
        check("P0D", Ok("PT0S"));
        check("PT90M", Ok("PT1H30M"));
        check("P006M", Ok("P6M"));
        check("P1000Y", Ok("P1000Y"));
        check("P366000D", Ok("P366000D"));
        check("PT8784000H", Ok("PT8784000H"));
    }

    #[test]
    fn invalid_texts_are_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1D",
            "p1d",
            "P1d",
            "P-1D",
            "+P1D",
            "P+1D",
            "P1.5D",
            "P1,5D",
            "P 1D",
            "P1D ",
            "P1DT",
            "P1D1Y",
            "P1M1Y",
            "P1D1D",
            "PT1S1H",
            "P1H",
            "PT1Y",
            "PT1D",
            "P1DT1D",
            "PT1HT1H",
            "P1234567890D",
            "P0000000001D",
            "PT1H1",
            "PD",
            "PTS",
            "P\u{661}D",
            "P1YT",
            "P1D\n",
            "PP1D",
        ] {
            check(text, Err(PeriodError::Malformed));
        }
        for text in [
            "P12001M",
            "P1000Y1M",
            "P366001D",
            "P52286W",
            "PT8784000H1S",
            "P999999999Y",
        ] {
            check(text, Err(PeriodError::TooLong));
        }
    }
}
