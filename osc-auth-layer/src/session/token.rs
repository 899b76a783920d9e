//! The token a request gets, and when it is fresh.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::SessionId;
use super::handle::OscSession;
use crate::clock::Timestamp;
use crate::config::Timing;
use crate::provider::Tokens;
use crate::shared::Shared;

/// A valid access token of the visitor, in the extensions of every request that reaches the app.
///
/// It is one `Arc`: cloning is cheap. It never holds the refresh token, and its `Debug` shows no secret. A handler may
/// keep it until [`expires_at`](Self::expires_at); what runs longer keeps the [`session`](Self::session).
///
/// ```
/// use http::Request;
/// use osc_auth_layer::OscToken;
///
/// fn authorize(request: &Request<()>) -> Option<http::HeaderValue> {
///     let token = request.extensions().get::<OscToken>()?;
///     Some(token.bearer()) // for OSC's `x-pat-jwt` header
/// }
/// ```
#[derive(Clone)]
pub struct OscToken(Arc<Issued>);

struct Issued {
    /// `Bearer <token>`: the token is in memory once.
    bearer: HeaderValue,
    issue: Issue,
    session: SessionId,
    layer: Weak<Shared>,
}

const SCHEME: &str = "Bearer ";

impl OscToken {
    pub(crate) fn new(bearer: HeaderValue, issue: Issue, session: SessionId, layer: Weak<Shared>) -> Self {
        Self(Arc::new(Issued { bearer, issue, session, layer }))
    }

    /// The access token itself: for OSC, a Personal Access Token. Never send it to the browser.
    #[must_use]
    pub fn access_token(&self) -> &str {
        // Checked to be visible ASCII when the header was made.
        self.0.bearer.to_str().unwrap_or_default().strip_prefix(SCHEME).unwrap_or_default()
    }

    /// When the provider said it expires (RFC 6749 §5.1); an hour after its issue when it did not say.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.issue.expires_at.into()
    }

    /// `Bearer <token>`, marked sensitive, for an `Authorization` (RFC 6750 §2.1) or OSC's `x-pat-jwt` header.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        self.0.bearer.clone()
    }

    /// The session it belongs to, a handle that outlives the request and always has a fresh token.
    #[must_use]
    pub fn session(&self) -> OscSession {
        OscSession::new(self.0.session.clone(), self.0.layer.clone())
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0.bearer
    }

    pub(crate) fn issue(&self) -> &Issue {
        &self.0.issue
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.bearer == other.0.bearer
    }
}

impl fmt::Debug for OscToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscToken")
            .field("session", &self.0.session.public())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

/// What to do about a token now.
#[derive(Debug, PartialEq)]
pub(crate) enum Freshness {
    Fresh,
    /// Usable, but a refresh should run beside the request.
    Ahead,
    /// A request waits for the refresh.
    Due,
}

/// The moments in a token's life, fixed when it is issued.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    issued_at: Timestamp,
    ahead_at: Timestamp,
    due_at: Timestamp,
    expires_at: Timestamp,
}

impl Issue {
    pub(crate) fn new(tokens: &Tokens, timing: &Timing, issued_at: Timestamp) -> Self {
        Self::with_jitter(tokens.lifetime, timing, issued_at, rand::random())
    }

    /// `jitter` in 0..1 brings the early refresh up to half of its distance nearer to the leeway, so that sessions that
    /// began together do not refresh together.
    fn with_jitter(lifetime: Duration, timing: &Timing, issued_at: Timestamp, jitter: f64) -> Self {
        let leeway = timing.refresh_leeway.min(lifetime / 4);
        let ahead = timing.refresh_ahead.min(lifetime / 2);
        let ahead = ahead - (ahead.saturating_sub(leeway) / 2).mul_f64(jitter.clamp(0.0, 1.0));
        let expires_at = issued_at.plus(lifetime);
        Self { issued_at, ahead_at: expires_at.minus(ahead), due_at: expires_at.minus(leeway), expires_at }
    }

    /// A clock that went back behind the issue tells nothing about the token any more: it is used, and replaced.
    pub(crate) fn freshness(&self, now: Timestamp) -> Freshness {
        if now >= self.due_at {
            Freshness::Due
        } else if now >= self.ahead_at || now.plus(CLOCK_SLACK) < self.issued_at {
            Freshness::Ahead
        } else {
            Freshness::Fresh
        }
    }

    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.expires_at.since(self.issued_at)
    }

    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        now.since(self.issued_at)
    }
}

/// Clocks are corrected by seconds all the time.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        refresh_leeway: Duration::from_secs(60),
        refresh_ahead: Duration::from_secs(300),
        idle_timeout: Duration::from_secs(86_400),
        absolute_timeout: Duration::from_secs(2_592_000),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn issue(lifetime: u64, jitter: f64) -> Issue {
        Issue::with_jitter(Duration::from_secs(lifetime), &TIMING, at(1_000_000), jitter)
    }

    #[test]
    fn an_hour_long_token_is_refreshed_five_minutes_ahead_and_waited_for_in_the_last() {
        let issue = issue(3600, 0.0);
        let expected = [
            (0, Freshness::Fresh),
            (3299, Freshness::Fresh),
            (3300, Freshness::Ahead),
            (3539, Freshness::Ahead),
            (3540, Freshness::Due),
            (9999, Freshness::Due),
        ];
        for (age, freshness) in expected {
            assert_eq!(issue.freshness(at(1_000_000 + age)), freshness, "{age}");
        }
        assert!(!issue.has_expired(at(1_003_599)) && issue.has_expired(at(1_003_600)));
    }

    #[test]
    fn jitter_keeps_the_early_refresh_before_the_leeway() {
        assert_eq!(issue(3600, 1.0).freshness(at(1_003_419)), Freshness::Fresh);
        assert_eq!(issue(3600, 1.0).freshness(at(1_003_420)), Freshness::Ahead);
    }

    #[test]
    fn short_tokens_shrink_leeway_and_ahead() {
        let issue = issue(8, 0.0);
        assert_eq!(issue.freshness(at(1_000_003)), Freshness::Fresh);
        assert_eq!(issue.freshness(at(1_000_004)), Freshness::Ahead);
        assert_eq!(issue.freshness(at(1_000_006)), Freshness::Due);
    }

    #[test]
    fn s45_a_clock_that_jumps_replaces_the_token_and_breaks_nothing() {
        let issue = issue(3600, 0.0);
        assert_eq!(issue.freshness(at(999_990)), Freshness::Fresh);
        assert_eq!(issue.freshness(at(900_000)), Freshness::Ahead);
        assert_eq!(issue.freshness(at(0)), Freshness::Ahead);
        assert_eq!(issue.freshness(Timestamp::from_millis(u64::MAX)), Freshness::Due);
    }
}
