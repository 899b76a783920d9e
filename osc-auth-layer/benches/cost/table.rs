//! The rows of the table that the benchmark prints.

use std::fmt;

/// A figure, its aim, and the numbers it was computed from.
pub(crate) struct Row {
    figure: String,
    measured: String,
    aim: String,
    detail: String,
}

impl Row {
    /// A ratio that should be at most `aim`.
    pub(crate) fn ratio(figure: &str, measured: f64, aim: f64) -> Self {
        Self::limited(figure, measured, aim, 2)
    }

    /// A time in microseconds that should be at most `aim`.
    pub(crate) fn micros(figure: &str, measured: f64, aim: f64) -> Self {
        let Self { measured, aim, .. } = Self::limited(figure, measured, aim, 2);
        Self { aim, ..Self::observed(figure, format!("{measured} µs")) }
    }

    /// A time in milliseconds that should be at most `aim`.
    pub(crate) fn millis(figure: &str, measured: f64, aim: f64) -> Self {
        let Self { measured, aim, .. } = Self::limited(figure, measured, aim, 1);
        Self { aim, ..Self::observed(figure, format!("{measured} ms")) }
    }

    /// A count that should be at most `aim`.
    pub(crate) fn count(figure: &str, measured: f64, aim: f64) -> Self {
        Self::limited(figure, measured, aim, 0)
    }

    /// A figure without an aim.
    pub(crate) fn observed(figure: &str, measured: String) -> Self {
        Self { figure: figure.to_owned(), measured, aim: String::new(), detail: String::new() }
    }

    pub(crate) fn missing(figure: &str, reason: &str) -> Self {
        Self::observed(figure, "not measured".to_owned()).detail(reason.to_owned())
    }

    fn limited(figure: &str, measured: f64, aim: f64, decimals: usize) -> Self {
        // Rounded first, so that the verdict is about the number that the reader sees.
        let [measured, aim] = [measured, aim].map(|value| format!("{value:.decimals$}"));
        let is_missed = measured.parse::<f64>().ok() > aim.parse::<f64>().ok();
        let verdict = if is_missed { " (missed)" } else { "" };
        Self { aim: format!("≤ {aim}{verdict}"), ..Self::observed(figure, measured) }
    }

    pub(crate) fn detail(self, detail: String) -> Self {
        Self { detail, ..self }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, measured, aim, detail } = self;
        write!(f, "| {figure} | {measured} | {aim} | {detail} |")
    }
}

/// Writes a number with commas between groups of three digits.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
