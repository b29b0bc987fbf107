//! What a run says: failures, lines on stdout, and the spread of repeated figures.

use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// Why a run failed, for the person who started it.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure with its sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Failure(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<tokenim_bench::Failure> for Failure {
    fn from(failure: tokenim_bench::Failure) -> Self {
        Failure(failure.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure(error.to_string())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure(format!("the floor's database: {error}"))
    }
}

/// Prints a line at once: a run takes minutes, and whoever waits wants to see it live.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    // A closed stdout only means that nobody reads.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints a result as one line of JSON.
pub fn say_json(value: &serde_json::Value) {
    say(&value.to_string());
}

/// Least, middle and greatest of repeated measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// Least.
    pub min: f64,
    /// Middle.
    pub median: f64,
    /// Greatest.
    pub max: f64,
}

/// The spread of some figures; zeros where there are none.
pub fn spread(figures: impl IntoIterator<Item = f64>) -> Spread {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    // Three digits after the point are more than any of these is exact to.
    let at = |place: usize| (figures.get(place).copied().unwrap_or(0.0) * 1_000.0).round() / 1_000.0;
    Spread { min: at(0), median: at(figures.len() / 2), max: at(figures.len().saturating_sub(1)) }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median.abs() >= 1_000.0 { 0 } else { 2 };
        write!(out, "{:.digits$} (min {:.digits$}, max {:.digits$})", self.median, self.min, self.max)
    }
}
