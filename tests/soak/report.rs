//! Prints the figures and checks the promises.

use std::fmt::Display;

use mock_osc::GrantUses;

use crate::crowd::Crowd;
use crate::measure::{Reading, Trend};

/// The measurements of the sample and the provider.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) requests: usize,
    pub(crate) uses: GrantUses,
    pub(crate) trend: Trend,
    /// The visitors who got every page at the end, and whether they are all that were signed in.
    pub(crate) survivors: usize,
    pub(crate) all_survive: bool,
    pub(crate) flood: Flood,
    /// Before the first request, and after all visitors left.
    pub(crate) idle: Reading,
    pub(crate) left: Reading,
    /// Lines of the sample's log that report a defect.
    pub(crate) complaints: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Flood {
    pub(crate) requests: usize,
    pub(crate) before: Reading,
    pub(crate) after: Reading,
    /// Token requests that strangers made the app send.
    pub(crate) exchanges: usize,
}

/// The memory that the allocator may keep after strangers' requests, in KiB. The layer keeps none, as the test
/// `allocations` shows.
const FLOOD_SLACK: u64 = 1024;

/// Prints the report. Returns true if every promise held.
pub(crate) fn report(crowd: &Crowd, found: &Findings) -> bool {
    table(crowd, found);
    let promises = promises(crowd, found);
    println!();
    for (promise, held) in &promises {
        println!("{} {promise}", if *held { "ok    " } else { "FAILED" });
    }
    for what in crowd.tally.lost.some().iter().chain(&crowd.tally.strange.some()).chain(&found.complaints) {
        println!("- {}", what.chars().take(600).collect::<String>());
    }
    let failed = promises.iter().filter(|(_, held)| !held).count();
    let result = if failed == 0 { "ok" } else { "FAILED" };
    // The form of test programs, so that `tests/run.sh` counts it.
    println!("\ntest result: {result}. {} passed; {failed} failed; 0 ignored", promises.len() - failed);
    failed == 0
}

fn promises(crowd: &Crowd, found: &Findings) -> Vec<(&'static str, bool)> {
    let (tally, uses, lost_answers) = (&crowd.tally, found.uses, crowd.weather.lost());
    let flood = &found.flood;
    vec![
        ("no session was lost", tally.lost.count() == 0),
        ("every other answer was as expected", tally.strange.count() == 0),
        ("sessions lived to the end, and all of them worked", found.survivors > 0 && found.all_survive),
        ("no refresh token was spent twice", uses.reused == 0),
        ("a refresh token was repeated only after a lost answer", uses.repeated <= lost_answers),
        ("the trouble had effects", tally.unavailable.get() > 0 && lost_answers > 0 && uses.repeated > 0),
        ("memory grew by no more than explained", found.trend.growth() <= found.trend.allowed()),
        ("strangers cost no memory", flood.after.rss.saturating_sub(flood.before.rss) <= FLOOD_SLACK),
        ("strangers caused no token request", flood.exchanges == 0),
        ("no descriptor was left open", found.left.descriptors <= found.idle.descriptors),
        ("no thread was left running", found.left.threads <= found.idle.threads),
        ("the app logged no error and no panic", found.complaints.is_empty()),
    ]
}

fn table(crowd: &Crowd, found: &Findings) {
    let (tally, uses, trend, flood) = (&crowd.tally, found.uses, &found.trend, &found.flood);
    println!("| {:<56} | {:>8} | {:<18} |\n|---|---:|---|", "figure", "measured", "aim");
    let aimed = |what: &str, value: &dyn Display, aim: &dyn Display| {
        println!("| {what:<56} | {value:>8} | {aim:<18} |", aim = aim.to_string());
    };
    let row = |what: &str, value: &dyn Display| aimed(what, value, &"");
    row("sign-ins", &tally.sign_ins.get());
    row("sign-ins that failed in trouble", &tally.failed_sign_ins.get());
    row("sessions ended by sign-out", &tally.sign_outs.get());
    row("sessions revoked by the provider", &tally.refused.get());
    row("sessions that lived to the end, and worked", &found.survivors);
    aimed("sessions lost", &tally.lost.count(), &0);
    row("requests served", &tally.served.get());
    row("requests answered `temporarily_unavailable`, in trouble", &tally.unavailable.get());
    row("requests for which the platform failed, in trouble", &tally.platform_failed.get());
    row("requests dropped by the visitor", &tally.hung_up.get());
    row("requests to the provider and the platform", &found.requests);
    row("refreshes", &uses.refreshes);
    row("refreshes whose answer was lost", &crowd.weather.lost());
    aimed("refresh tokens repeated within the grace", &uses.repeated, &"≤ lost answers");
    aimed("refresh tokens spent twice", &uses.reused, &0);
    for (quarter, floor) in trend.floors.iter().enumerate() {
        row(&format!("least resident memory in quarter {} (KiB)", quarter + 1), floor);
    }
    row("most resident memory (KiB)", &trend.most);
    let allowed = format!("≤ {}", trend.allowed());
    aimed("growth from the first quarter to the last (KiB)", &trend.growth(), &allowed);
    row("strangers' requests", &flood.requests);
    row("resident memory before them (KiB)", &flood.before.rss);
    let allowed = format!("≤ {FLOOD_SLACK} more");
    aimed("resident memory after them (KiB)", &flood.after.rss, &allowed);
    aimed("token requests that strangers caused", &flood.exchanges, &0);
    row("open descriptors before the first request", &found.idle.descriptors);
    row("open descriptors with all visitors", &flood.before.descriptors);
    aimed("open descriptors after all left", &found.left.descriptors, &"as before");
    row("threads before the first request", &found.idle.threads);
    aimed("threads after all left", &found.left.threads, &"as before");
}
