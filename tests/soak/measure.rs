//! Reads a process's resources from `/proc`.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

use crate::crowd::Crowd;

/// The resources of a process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Resident, in KiB.
    pub(crate) rss: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
}

impl Reading {
    pub(crate) fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process lives");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux names it");
            let number = line.trim_start_matches(':').split_whitespace().next();
            number.and_then(|number| number.parse().ok()).expect("a number")
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("the process is ours").count();
        Self { rss: number("VmRSS"), descriptors, threads: number("Threads") }
    }
}

/// Resident memory over time, with the visitors' counts at each moment.
#[derive(Debug, Default)]
pub(crate) struct Course(Vec<Point>);

#[derive(Clone, Copy, Debug)]
struct Point {
    rss: u64,
    sign_ins: u64,
    refused: u64,
}

/// The trend of memory after the warm-up.
#[derive(Clone, Debug)]
pub(crate) struct Trend {
    /// The minimum in each quarter of the time, in KiB. Bursts do not raise it, leaks do.
    pub(crate) floors: [u64; 4],
    pub(crate) most: u64,
    /// Counted from the middle of the first quarter to the middle of the last.
    pub(crate) sign_ins: u64,
    pub(crate) refused: u64,
}

const EVERY: Duration = Duration::from_millis(250);

/// The growth that fragmentation of glibc's arenas may cause, in KiB. glibc returns little memory after a peak, and
/// peaks differ.
const SLACK: u64 = 3 * 1024;
/// The layer remembers each used state for ten minutes. This is the text, the entry and the table's reserve, in
/// bytes.
const PER_SIGN_IN: u64 = 224;
/// A revoked session stays without its token until its idle timeout, so that its user gets `session_ended`; in bytes.
const PER_REFUSED: u64 = 640;

impl Course {
    /// Records until `end`.
    pub(crate) async fn record(&mut self, process: u32, crowd: &Crowd, end: Instant) {
        while Instant::now() < end {
            let rss = Reading::of(process).rss;
            let (sign_ins, refused) = (crowd.tally.sign_ins.get(), crowd.tally.refused.get());
            self.0.push(Point { rss, sign_ins, refused });
            tokio::time::sleep(EVERY).await;
        }
    }

    pub(crate) fn trend(&self) -> Trend {
        let part = |nth: usize| &self.0[nth * self.0.len() / 4..(nth + 1) * self.0.len() / 4];
        let rss = |points: &[Point]| points.iter().map(|point| point.rss).min().unwrap_or_default();
        let middle = |points: &[Point]| points[points.len() / 2];
        let (first, last) = (middle(part(0)), middle(part(3)));
        Trend {
            floors: [0, 1, 2, 3].map(|nth| rss(part(nth))),
            most: self.0.iter().map(|point| point.rss).max().unwrap_or_default(),
            sign_ins: last.sign_ins - first.sign_ins,
            refused: last.refused - first.refused,
        }
    }
}

impl Trend {
    pub(crate) fn growth(&self) -> u64 {
        self.floors[3].saturating_sub(self.floors[0])
    }

    /// Returns the allowed growth in KiB: the growth that is explained, and `SLACK`.
    pub(crate) fn allowed(&self) -> u64 {
        SLACK + (self.sign_ins * PER_SIGN_IN + self.refused * PER_REFUSED) / 1024
    }
}
