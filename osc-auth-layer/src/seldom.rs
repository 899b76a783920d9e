//! Limits log lines that every request could cause.

use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;

const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Lets a log line pass once a minute.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Option<Timestamp>>);

impl Seldom {
    /// Returns true if the line is due. It is also due when the clock was set back.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let mut logged_at = self.0.lock();
        let is_due = logged_at.is_none_or(|at| now < at || now.since(at) >= AGAIN_AFTER);
        if is_due {
            *logged_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_a_minute() {
        let (seldom, at) = (Seldom::default(), |seconds: u64| Timestamp::from_millis(seconds * 1000));
        let due = [100, 101, 159, 160, 161, 100, 101].map(|seconds| seldom.is_due(at(seconds)));
        assert_eq!(due, [true, false, false, true, false, true, false]);
    }
}
