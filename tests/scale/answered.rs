//! The answer to a user's request.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use crate::clock::VirtualClock;
use crate::tally::{Event, Tally};

/// A user's request that was answered, or will be.
pub(crate) struct Answered {
    pub(crate) user: usize,
    pub(crate) sent_at: u64,
    pub(crate) clock: VirtualClock,
    pub(crate) tally: Tally,
    /// The users who have to sign in again.
    pub(crate) signed_out: Arc<Mutex<Vec<usize>>>,
}

impl Answered {
    pub(crate) fn note(self, status: Result<StatusCode, Infallible>) {
        self.tally.waited(self.clock.millis() - self.sent_at);
        match status {
            Ok(StatusCode::OK) => {}
            Ok(StatusCode::SERVICE_UNAVAILABLE) => self.tally.add(Event::Unavailable),
            Ok(StatusCode::UNAUTHORIZED) => {
                self.tally.add(Event::Unknown);
                self.signed_out.lock().unwrap_or_else(PoisonError::into_inner).push(self.user);
            }
            other => self.tally.fail(|| format!("user {} was answered {other:?}", self.user)),
        }
    }
}
