//! A bar on stderr for work with a number of steps. Where stderr is no terminal nothing is drawn.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar; it disappears when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// So many steps of one kind of work.
    pub(crate) fn new(work: &'static str, steps: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:24} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(work);
        Self(bar)
    }

    /// Steps of one kind of work, of which nobody knows how many there are.
    pub(crate) fn counting(work: &'static str) -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{msg} {spinner} {human_pos} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(work);
        Self(bar)
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
