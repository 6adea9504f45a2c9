//! Measures that mean the same on every machine, a busy one too: two pieces of work in the same run,
//! in turns and in slices shorter than a scheduler's, and the ratio of what the undisturbed quarter
//! of the slices took. A measure is one line of JSON with the keys `id`, `value`, `unit`, `peer`,
//! `bar` and `holds`; a bar that does not hold is printed as such, and fails nothing.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench prints its measures")]

use std::hint::black_box;
use std::time::Duration;

use covenant_core::{Clock as _, SystemClock};
use serde_json::json;

/// Pairs of samples, at least.
const ROUNDS: usize = 21;
/// Pairs of samples, at most.
const ROUNDS_MAX: usize = 240;
/// Pairs of samples above the least end here.
const BUDGET: Duration = Duration::from_millis(200);
/// A sample lasts at least so long, so that the clock's own step does not count, and no longer
/// than it takes the work once or twice: a slice of a scheduler is longer.
const SAMPLE_MIN: Duration = Duration::from_micros(400);
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

/// What two pieces of work took, each once: the lower quartile of the samples, since what disturbs a
/// sample only ever adds to it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Compared {
    /// Ours in times of the peer's.
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
    let mut ours = || sample(&clock, &mut ours, ours_repeats) / ours_repeats;
    let mut peer = || sample(&clock, &mut peer, peer_repeats) / peer_repeats;
    let pair = ours() * ours_repeats + peer() * peer_repeats;
    compare_rounds(rounds(pair), ours, peer)
}

/// Compares work that times itself, for work that needs a preparation which is not to count.
pub fn compare_samples(ours: impl FnMut() -> Duration, peer: impl FnMut() -> Duration) -> Compared {
    compare_rounds(ROUNDS, ours, peer)
}

fn compare_rounds(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut peer: impl FnMut() -> Duration,
) -> Compared {
    let (mut all_ours, mut all_peer) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // whoever comes second finds warm caches: take turns
        if round % 2 == 0 {
            all_ours.push(ours());
            all_peer.push(peer());
        } else {
            all_peer.push(peer());
            all_ours.push(ours());
        }
    }
    compare_taken(all_ours, all_peer)
}

/// Compares what was taken in turns.
#[must_use]
pub fn compare_taken(ours: Vec<Duration>, peer: Vec<Duration>) -> Compared {
    let (ours, peer) = (undisturbed(ours), undisturbed(peer));
    Compared {
        ratio: ours.as_secs_f64() / peer.as_secs_f64(),
        ours,
        peer,
    }
}

/// The time of one piece of work: the lower quartile of samples.
pub fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let clock = SystemClock::new();
    let repeats = calibrated(&clock, &mut work);
    let mut once = || sample(&clock, &mut work, repeats);
    let rounds = rounds(once());
    undisturbed((0..rounds).map(|_| once() / repeats).collect())
}

/// How often that which takes so long is repeated.
fn rounds(took: Duration) -> usize {
    let fit = BUDGET.as_nanos() / took.as_nanos().max(1);
    usize::try_from(fit)
        .unwrap_or(ROUNDS_MAX)
        .clamp(ROUNDS, ROUNDS_MAX)
}

/// The lower quartile.
fn undisturbed(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples.get(samples.len() / 4).copied().unwrap_or_default()
}

/// A clock that was started, for work that is no closure.
#[derive(Debug)]
pub struct Stopwatch(SystemClock);

impl Stopwatch {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        Self(SystemClock::new())
    }

    /// The time since.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.monotonic()
    }
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
    fn outliers_do_not_count() {
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
