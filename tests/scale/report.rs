//! Prints the figures, scaled up to all users, beside those on paper.

use std::ops::Range;

use crate::paper::{self, USERS};
use crate::run::{AWAY, Course};
use crate::store::Kind;
use crate::tally::{Event, Span};

/// The ten seconds after the first restart, and those a minute later.
const AFTER_START: Range<usize> = 0..10;
const A_MINUTE_LATER: Range<usize> = 60..70;

/// A figure of the simulation, and on paper. Either may be missing.
type Cell = [Option<String>; 2];

fn cell(simulated: f64, on_paper: f64) -> Cell {
    [Some(whole(simulated)), Some(whole(on_paper))]
}

fn simulated(value: f64) -> Cell {
    [Some(whole(value)), None]
}

/// Formats a number with commas, to three digits or so.
fn whole(value: f64) -> String {
    let step = 10_f64.powf((value.abs().max(1.0).log10().floor() - 2.0).max(0.0));
    let digits = format!("{:.0}", (value / step).round() * step);
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// Returns a cell only if there is a store.
fn stored(course: &Course, cell: Cell) -> Cell {
    if course.kind == Kind::None { [None, None] } else { cell }
}

/// A row: its name, and its cell of each course.
type Row = (&'static str, fn(&Course) -> Cell);

fn mean(course: &Course, span: &Span, event: Event) -> f64 {
    span.mean(event) * course.scale as f64
}

fn reads_after_start(course: &Course, seconds: Range<usize>) -> Cell {
    let away = usize::try_from(AWAY.as_secs()).unwrap_or_default();
    let span = course.deploy.part(seconds.start + away..seconds.end + away);
    let on_paper = paper::reads_after_start(course.kind, seconds);
    stored(course, cell(mean(course, &span, Event::Read), on_paper))
}

const STEADY: [Row; 5] = [
    ("refreshes a second", |of| cell(mean(of, &of.steady, Event::Refreshed), paper::refreshes())),
    ("reads a second", |of| stored(of, cell(mean(of, &of.steady, Event::Read), paper::reads(of.kind)))),
    ("writes of records a second", |of| {
        stored(of, cell(mean(of, &of.steady, Event::Swap), paper::writes(of.kind)))
    }),
    ("renewals of the expiry a second", |of| {
        stored(of, cell(mean(of, &of.steady, Event::Renewal), paper::renewals(of.kind)))
    }),
    ("sessions in the memory of a node", |of| {
        cell((of.in_memory * of.scale) as f64, paper::in_memory(of.kind))
    }),
];

const DEPLOY: [Row; 4] = [
    ("users who have to sign in again", |of| {
        cell(of.deploy.count(Event::Unknown) * of.scale as f64, paper::sign_ins(of.kind))
    }),
    ("requests answered 503", |of| cell(of.deploy.count(Event::Unavailable) * of.scale as f64, 0.0)),
    ("reads a second in the ten seconds after a node's start", |of| reads_after_start(of, AFTER_START)),
    ("the same a minute later", |of| reads_after_start(of, A_MINUTE_LATER)),
];

const OUTAGE: [Row; 3] = [
    ("requests answered 503, of all", |of| {
        [Some(percent(Course::refused(&of.outage))), Some(percent(paper::refused()))]
    }),
    ("users without a valid token at the end", |of| {
        let expired = of.outage.highest(|level| level.expired) * of.scale as f64 / USERS as f64;
        [Some(percent(expired)), Some(percent(1.0))]
    }),
    ("requests to the provider in the whole hour, for any number of users", |of| {
        cell(of.outage.count(Event::Tried), paper::probes())
    }),
];

const AFTER: [Row; 9] = [
    ("seconds until the last node notices that the provider works", |of| {
        let at_most = format!("at most {}", whole(paper::longest_until_probe()));
        [of.noticed_after.map(whole), Some(at_most)]
    }),
    ("seconds until 999 of 1,000 users have a valid token", |of| {
        let std::ops::Range { start, end } = paper::recovery();
        [
            of.recovered_after().map(|after| whole(after as f64)),
            Some(format!("{} to {}", whole(start), whole(end))),
        ]
    }),
    ("refreshes a second, busiest minute", |of| {
        cell(of.after[0].busiest(Event::Refreshed) * of.scale as f64, paper::most_refreshes())
    }),
    ("requests answered 503 until then, of all", |of| {
        [Some(percent(Course::refused(&of.after[0].part(0..of.recovered_after().unwrap_or(3600))))), None]
    }),
    ("requests that wait, most at a time", |of| {
        cell(of.after[0].highest(|level| level.waiting) * of.scale as f64, paper::waiting())
    }),
    ("tasks of a refresh on all nodes, most at a time", |of| {
        let tasks = of.after[0].highest(|level| level.tasks) * of.scale as f64;
        if of.kind == Kind::None { cell(tasks, paper::queued()) } else { simulated(tasks) }
    }),
    ("the next hour: refreshes a second, busiest minute", |of| {
        simulated(of.after[1].busiest(Event::Refreshed) * of.scale as f64)
    }),
    ("the next hour: requests answered 503, of all", |of| {
        [Some(percent(Course::refused(&of.after[1]))), None]
    }),
    ("the next hour: longest wait of a request, in seconds", |of| simulated(of.after[1].longest_wait())),
];

/// Prints the table of all courses.
pub(crate) fn print(courses: &[Course]) {
    let mut head = String::from("| |");
    for course in courses {
        let name = match course.kind {
            Kind::None => "no store, users pinned to a node",
            Kind::Notified => "PostgreSQL",
            Kind::Counter => "SQLite, one machine",
        };
        head.push_str(&format!(" {name} | on paper |"));
    }
    println!("{head}");
    println!("|{}", "---|".repeat(1 + 2 * courses.len()));
    let phases: [(&str, &[Row]); 4] = [
        ("steady", &STEADY),
        ("rolling deploy", &DEPLOY),
        ("outage of the provider of an hour", &OUTAGE),
        ("after the outage", &AFTER),
    ];
    for (phase, rows) in phases {
        println!("| **{phase}** |{}", " |".repeat(2 * courses.len()));
        for (name, cell) in rows {
            let cells = courses.iter().flat_map(cell).map(Option::unwrap_or_default);
            println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
}
