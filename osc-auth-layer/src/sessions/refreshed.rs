//! The result of a refresh.

use std::time::Duration;

use super::OscToken;
use super::backoff::Side;
use crate::meter::Refresh;

/// The result of a refresh.
#[derive(Clone, Debug)]
pub(crate) enum Refreshed {
    Token(OscToken),
    /// The provider refused the refresh token.
    Refused,
    /// Signed out or dropped meanwhile.
    Ended,
    Unavailable {
        retry_after: Duration,
    },
}

/// The result of a run, and its word in metrics and spans.
pub(super) struct Settled {
    pub(super) refreshed: Refreshed,
    pub(super) outcome: Refresh,
}

impl Settled {
    pub(super) fn ended() -> Self {
        Refreshed::Ended.by(Refresh::SessionEnded)
    }

    /// Returns the result of a run that one of the sides failed.
    pub(super) fn failed(side: Side, retry_after: Duration) -> Self {
        Refreshed::Unavailable { retry_after }.by(match side {
            Side::Provider => Refresh::ProviderUnavailable,
            Side::Store => Refresh::StoreUnavailable,
            Side::Settings => Refresh::Misconfigured,
        })
    }
}

impl Refreshed {
    pub(super) fn by(self, outcome: Refresh) -> Settled {
        Settled { refreshed: self, outcome }
    }
}
