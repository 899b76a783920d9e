//! Compares this machine's clock with the provider's.

use std::time::Duration;

use crate::finding::{Finding, Severity, Subject};
use crate::oauth::questions::Clocks;

/// More than the time of an answer and the whole seconds of its date.
const MOST: Duration = Duration::from_secs(30);

/// `None` if the provider did not answer.
pub(super) fn judge(clocks: Option<Clocks>) -> Option<Finding> {
    let Clocks { provider, own } = clocks?;
    let Some(provider) = provider else {
        let problem = "The provider's answers have no date to compare this machine's clock with.";
        let remedy = "Make sure that the clock is synchronised, for example by NTP.";
        return Some(Finding::new(Subject::Clock, Severity::Unchecked, problem, remedy));
    };
    let (difference, is_ahead) = match own.duration_since(provider) {
        Ok(ahead) => (ahead, true),
        Err(behind) => (behind.duration(), false),
    };
    (difference > MOST).then(|| {
        let side = if is_ahead { "ahead of" } else { "behind" };
        let problem = format!(
            "This machine's clock is {} seconds {side} the provider's, so it misjudges the expiry dates that the provider sends.",
            difference.as_secs()
        );
        Finding::new(Subject::Clock, Severity::Warning, problem, "Synchronise the clock, for example by NTP.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_clock_may_differ_by_half_a_minute() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let of =
            |own, provider: Option<u64>| judge(Some(Clocks { own: at(own), provider: provider.map(at) }));
        for own in [970, 1000, 1030] {
            assert_eq!(of(own, Some(1000)), None, "{own}");
        }
        assert!(of(1031, Some(1000)).is_some_and(|found| found.problem().contains("31 seconds ahead of")));
        assert!(of(400, Some(1000)).is_some_and(|found| found.problem().contains("600 seconds behind")));
        assert_eq!(of(1000, None).map(|found| found.severity()), Some(Severity::Unchecked));
        assert_eq!(judge(None), None);
    }
}
