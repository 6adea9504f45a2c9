//! Measures that mean the same on every machine: two pieces of work in the same run, in turns, and
//! the median of their ratios. A measure is one line of JSON with the keys `id`, `value`, `unit`,
//! `peer`, `bar` and `holds`; a bar that does not hold is printed as such, and fails nothing.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench prints its measures")]

use std::hint::black_box;
use std::time::Duration;

use covenant_core::{Clock as _, SystemClock};
use serde_json::json;

/// Pairs of samples; odd, so that there is one in the middle.
const ROUNDS: usize = 21;
/// A sample lasts at least so long, so that the clock's own step does not count.
const SAMPLE_MIN: Duration = Duration::from_millis(4);
/// Most repetitions in a sample.
const REPEATS_MAX: u32 = 1 << 20;

/// A side of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Bar {
    /// Holds for this value and more.
    AtLeast(f64),
    /// Holds for this value and less.
    AtMost(f64),
}

/// A figure, what it is compared with, and where the bar lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// `<crate>/<measure>`.
    pub id: &'static str,
    /// The ratio or figure that the bar is about.
    pub value: f64,
    /// What the value counts.
    pub unit: &'static str,
    /// The peer or limit.
    pub peer: &'static str,
    /// The bar.
    pub bar: Bar,
}

/// A measure has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no finite value")]
pub struct NoValue(&'static str);

impl Measure {
    /// Whether the value is on the right side of its bar.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.bar {
            Bar::AtLeast(bar) => rounded(self.value) >= bar,
            Bar::AtMost(bar) => rounded(self.value) <= bar,
        }
    }

    /// The measure as a line of JSON, without the line feed.
    ///
    /// # Errors
    /// [`NoValue`] for a value or bar that is not finite, which JSON cannot say.
    pub fn line(&self) -> Result<String, NoValue> {
        let (Bar::AtLeast(bar) | Bar::AtMost(bar)) = self.bar;
        if !self.value.is_finite() || !bar.is_finite() {
            return Err(NoValue(self.id));
        }
        Ok(format!(
            r#"{{"id":{},"value":{},"unit":{},"peer":{},"bar":{},"holds":{}}}"#,
            json!(self.id),
            json!(rounded(self.value)),
            json!(self.unit),
            json!(self.peer),
            json!(bar),
            self.holds()
        ))
    }

    /// Prints the line.
    ///
    /// # Errors
    /// As [`Measure::line`].
    pub fn print(&self) -> Result<(), NoValue> {
        println!("{}", self.line()?);
        Ok(())
    }
}

/// To four decimals: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// What two pieces of work took, each once: medians.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Compared {
    /// Ours in times of the peer's: the median of the ratios of each round.
    pub ratio: f64,
    /// Ours.
    pub ours: Duration,
    /// The peer's.
    pub peer: Duration,
}

/// Runs both in turns, short work many times in a sample, and compares. What they return is made,
/// whatever the compiler thinks of it, and dropped within the time.
pub fn compare<A, B>(mut ours: impl FnMut() -> A, mut peer: impl FnMut() -> B) -> Compared {
    let clock = SystemClock::new();
    let mut ours_repeats = calibrated(&clock, &mut ours);
    let mut peer_repeats = calibrated(&clock, &mut peer);
    // once more, now that both are warm
    ours_repeats = ours_repeats.max(calibrated(&clock, &mut ours));
    peer_repeats = peer_repeats.max(calibrated(&clock, &mut peer));
    compare_samples(
        || sample(&clock, &mut ours, ours_repeats) / ours_repeats,
        || sample(&clock, &mut peer, peer_repeats) / peer_repeats,
    )
}

/// Compares work that times itself, for work that needs a preparation which is not to count.
pub fn compare_samples(
    mut ours: impl FnMut() -> Duration,
    mut peer: impl FnMut() -> Duration,
) -> Compared {
    let (mut all_ours, mut all_peer, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // whoever comes second finds warm caches: take turns
        let (a, b) = if round % 2 == 0 {
            let a = ours();
            (a, peer())
        } else {
            let b = peer();
            (ours(), b)
        };
        ratios.push(a.as_secs_f64() / b.as_secs_f64());
        all_ours.push(a);
        all_peer.push(b);
    }
    ratios.sort_by(f64::total_cmp);
    all_ours.sort();
    all_peer.sort();
    let middle = ROUNDS / 2;
    Compared {
        ratio: ratios.get(middle).copied().unwrap_or(f64::NAN),
        ours: all_ours.get(middle).copied().unwrap_or_default(),
        peer: all_peer.get(middle).copied().unwrap_or_default(),
    }
}

/// The median time of one piece of work.
pub fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let clock = SystemClock::new();
    let repeats = calibrated(&clock, &mut work);
    let mut all: Vec<_> = (0..ROUNDS)
        .map(|_| sample(&clock, &mut work, repeats) / repeats)
        .collect();
    all.sort();
    all.get(ROUNDS / 2).copied().unwrap_or_default()
}

/// The time of one run.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let made = work();
    (made, clock.monotonic().saturating_sub(start))
}

/// Repetitions that last at least [`SAMPLE_MIN`].
fn calibrated<T>(clock: &SystemClock, work: &mut impl FnMut() -> T) -> u32 {
    let mut repeats = 1_u32;
    while repeats < REPEATS_MAX && sample(clock, work, repeats) < SAMPLE_MIN {
        repeats = repeats.saturating_mul(2);
    }
    repeats
}

fn sample<T>(clock: &SystemClock, work: &mut impl FnMut() -> T, repeats: u32) -> Duration {
    let start = clock.monotonic();
    for _ in 0..repeats {
        drop(black_box(work()));
    }
    clock.monotonic().saturating_sub(start)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn measure(value: f64, bar: Bar) -> Measure {
        Measure {
            id: "crate/measure",
            value,
            unit: "ratio",
            peer: "peer",
            bar,
        }
    }

    #[test]
    fn a_bar_has_a_side() {
        assert!(measure(1.3, Bar::AtMost(1.3)).holds());
        assert!(!measure(1.31, Bar::AtMost(1.3)).holds());
        assert!(measure(0.9, Bar::AtLeast(0.9)).holds());
        assert!(!measure(0.89, Bar::AtLeast(0.9)).holds());
        assert!(!measure(f64::NAN, Bar::AtLeast(0.9)).holds());
        assert!(!measure(f64::NAN, Bar::AtMost(0.9)).holds());
    }

    #[test]
    fn a_line_has_exactly_its_keys() {
        let line = measure(1.234_56, Bar::AtMost(2.0)).line().unwrap();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expect = json!({
            "id": "crate/measure", "value": 1.2346, "unit": "ratio", "peer": "peer",
            "bar": 2.0, "holds": true,
        });
        assert_eq!(read, expect);
        let start = r#"{"id":"crate/measure","value":1.2346,"unit":"ratio","peer":"#;
        assert!(line.starts_with(start), "{line}");
        assert!(measure(f64::INFINITY, Bar::AtMost(2.0)).line().is_err());
        assert!(measure(f64::NAN, Bar::AtMost(2.0)).line().is_err());
    }

    #[test]
    fn the_median_of_ratios_ignores_outliers() {
        let feed = |slow_at: usize| {
            let mut times: VecDeque<_> = (0..ROUNDS)
                .map(|at| Duration::from_millis(if at == slow_at { 9_000 } else { 20 }))
                .collect();
            move || times.pop_front().unwrap()
        };
        let mut peer = (0..ROUNDS).map(|_| Duration::from_millis(10));
        let compared = compare_samples(feed(3), || peer.next().unwrap());
        assert_eq!(compared.ratio, 2.0);
        assert_eq!(compared.ours, Duration::from_millis(20));
        assert_eq!(compared.peer, Duration::from_millis(10));
    }

    #[test]
    fn ten_times_the_work_takes_longer() {
        let work = |n: u32| move || (0..black_box(n)).map(black_box).sum::<u32>();
        assert!(compare(work(10_000), work(1_000)).ratio > 2.0);
    }
}
