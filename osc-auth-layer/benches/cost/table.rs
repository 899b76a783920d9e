//! The one table.

use std::fmt;

/// A figure, what it should be at most, and what it is made of.
pub(crate) struct Row {
    figure: String,
    measured: Option<f64>,
    most: f64,
    decimals: usize,
    note: String,
}

impl Row {
    pub(crate) fn ratio(figure: &str, measured: f64, most: f64) -> Self {
        Self { figure: figure.to_owned(), measured: Some(measured), most, decimals: 2, note: String::new() }
    }

    pub(crate) fn number(figure: &str, measured: f64, most: f64) -> Self {
        Self { decimals: 0, ..Self::ratio(figure, measured, most) }
    }

    pub(crate) fn missing(figure: &str, why: &str) -> Self {
        Self { measured: None, ..Self::ratio(figure, 0.0, 0.0) }.note(why.to_owned())
    }

    pub(crate) fn note(self, note: String) -> Self {
        Self { note, ..self }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, measured, most, decimals, note } = self;
        match measured {
            None => write!(f, "| {figure} | not measured | | {note} |"),
            Some(measured) => {
                let verdict = if measured <= most { "" } else { " (missed)" };
                write!(f, "| {figure} | {measured:.decimals$} | {most:.decimals$}{verdict} | {note} |")
            }
        }
    }
}
