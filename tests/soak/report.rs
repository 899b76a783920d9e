//! What was promised, whether it held, and the figures.

use std::fmt::Display;

use mock_osc::GrantUses;

use crate::crowd::Crowd;
use crate::measure::{Reading, Trend};

/// What was read of the sample and the provider.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) requests: usize,
    pub(crate) uses: GrantUses,
    pub(crate) trend: Trend,
    /// Who was signed in at the end and got every page, and whether that is everybody who was signed in.
    pub(crate) survivors: usize,
    pub(crate) all_survive: bool,
    pub(crate) flood: Flood,
    /// Before the first request, and when all have gone.
    pub(crate) idle: Reading,
    pub(crate) left: Reading,
    /// Lines of the sample's log that tell of a defect.
    pub(crate) complaints: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Flood {
    pub(crate) requests: usize,
    pub(crate) before: Reading,
    pub(crate) after: Reading,
    /// Codes that strangers made the app take to the provider.
    pub(crate) exchanges: usize,
}

/// What strangers may cost, in KiB: what the allocator keeps of their requests. Not a byte is the layer's, as the test
/// `allocations` counts.
const FLOOD_SLACK: u64 = 1024;

/// Prints all of it. Returns whether everything held.
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
    // As test programs put it, so that it is counted with them.
    println!("\ntest result: {result}. {} passed; {failed} failed; 0 ignored", promises.len() - failed);
    failed == 0
}

fn promises(crowd: &Crowd, found: &Findings) -> Vec<(&'static str, bool)> {
    let (tally, uses, lost_answers) = (&crowd.tally, found.uses, crowd.weather.lost());
    let flood = &found.flood;
    vec![
        ("no session was lost that nobody had ended", tally.lost.count() == 0),
        ("every other answer was as it should be", tally.strange.count() == 0),
        ("sessions lived to the end, and all of them worked", found.survivors > 0 && found.all_survive),
        ("no refresh token was spent twice", uses.reused == 0),
        ("none was repeated but for an answer that was lost", uses.repeated <= lost_answers),
        ("the trouble was felt", tally.unavailable.get() > 0 && lost_answers > 0 && uses.repeated > 0),
        ("memory grew by no more than it had reason to", found.trend.growth() <= found.trend.allowed()),
        ("strangers cost no memory", flood.after.rss.saturating_sub(flood.before.rss) <= FLOOD_SLACK),
        ("strangers reached the provider with no code", flood.exchanges == 0),
        ("no descriptor was left open", found.left.descriptors <= found.idle.descriptors),
        ("no thread was left over", found.left.threads <= found.idle.threads),
        ("the app logged no error and no panic", found.complaints.is_empty()),
    ]
}

fn table(crowd: &Crowd, found: &Findings) {
    let (tally, uses, trend, flood) = (&crowd.tally, found.uses, &found.trend, &found.flood);
    let row = |what: &str, value: &dyn Display| println!("{what:<58} {value:>12}");
    row("sign-ins", &tally.sign_ins.get());
    row("  that trouble at the provider made fail", &tally.failed_sign_ins.get());
    row("sessions ended by sign-out", &tally.sign_outs.get());
    row("  by the provider", &tally.refused.get());
    row("  that lived to the end, and worked", &found.survivors);
    row("  lost", &tally.lost.count());
    row("requests served", &tally.served.get());
    row("  told to come back, in trouble", &tally.unavailable.get());
    row("  for which the platform failed, in trouble", &tally.platform_failed.get());
    row("  given up by the visitor", &tally.hung_up.get());
    row("requests to the provider and the platform", &found.requests);
    row("refreshes", &uses.refreshes);
    row("  whose answer was lost", &crowd.weather.lost());
    row("  repeated within the grace", &uses.repeated);
    row("  refused as used before", &uses.reused);
    for (quarter, floor) in trend.floors.iter().enumerate() {
        row(&format!("resident after the warm-up, quarter {} (least, KiB)", quarter + 1), floor);
    }
    row("  most", &trend.most);
    row("  growth", &trend.growth());
    row("  growth allowed", &trend.allowed());
    row("strangers' requests", &flood.requests);
    row("  resident before (KiB)", &flood.before.rss);
    row("  after", &flood.after.rss);
    row("  codes taken to the provider", &flood.exchanges);
    row("open descriptors before the first request", &found.idle.descriptors);
    row("  with all visitors there", &flood.before.descriptors);
    row("  when all had gone", &found.left.descriptors);
    row("threads before the first request", &found.idle.threads);
    row("  when all had gone", &found.left.threads);
}
