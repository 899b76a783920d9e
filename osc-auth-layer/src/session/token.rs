//! The token a request gets, and when it is fresh.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::Session;
use super::handle::OscSession;
use crate::clock::Timestamp;
use crate::config::Timing;
use crate::provider::{Tokens, bearer};

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
pub struct OscToken(triomphe::Arc<Issued>);

/// In this order, so that requests touch one line of the cache: the count of references, and what follows it.
#[repr(C)]
struct Issued {
    /// Milliseconds; until then requests just get the token, and nothing else has to be looked at.
    quiet_until: AtomicU64,
    issue: Issue,
    session: Arc<Session>,
    /// Once in memory, without `Bearer`.
    access_token: Box<str>,
}

impl OscToken {
    pub(crate) fn new(bearer: &HeaderValue, issue: Issue, session: Arc<Session>) -> Self {
        let access_token = bearer.to_str().unwrap_or_default().strip_prefix("Bearer ").unwrap_or_default();
        let quiet_until = AtomicU64::new(0);
        Self(triomphe::Arc::new(Issued { quiet_until, issue, session, access_token: access_token.into() }))
    }

    /// The access token itself: for OSC, a Personal Access Token. Never send it to the browser.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.0.access_token
    }

    /// When the provider said it expires (RFC 6749 §5.1); an hour after its issue when it did not say.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.issue().expires_at.into()
    }

    /// `Bearer <token>`, marked sensitive, for an `Authorization` (RFC 6750 §2.1) or OSC's `x-pat-jwt` header. A copy: it
    /// costs one allocation.
    ///
    /// # Panics
    /// Never: the token came out of such a header.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        bearer(self.access_token()).expect("it came out of a header's value")
    }

    /// The session it belongs to, a handle that outlives the request and always has a fresh token.
    #[must_use]
    pub fn session(&self) -> OscSession {
        let session = &self.0.session;
        OscSession::new(session.id().clone(), session.layer().clone())
    }

    pub(crate) fn held_by(&self) -> &Arc<Session> {
        &self.0.session
    }

    pub(crate) fn issue(&self) -> &Issue {
        &self.0.issue
    }

    /// A moment after which something may have to be done is never far: at a clock that went back, it is looked at anew.
    pub(crate) fn is_quiet(&self, now: Timestamp) -> bool {
        let until = Timestamp::from_millis(self.0.quiet_until.load(Ordering::Relaxed));
        now < until && until.since(now) <= LONGEST_QUIET
    }

    pub(crate) fn be_quiet_until(&self, until: Timestamp) {
        self.0.quiet_until.store(until.as_millis(), Ordering::Relaxed);
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.access_token == other.0.access_token
    }

    /// Whether somebody beside its one holder has it.
    pub(super) fn is_shared(&self) -> bool {
        triomphe::Arc::strong_count(&self.0) > 1
    }
}

impl fmt::Debug for OscToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscToken")
            .field("session", &self.0.session.id().public())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

/// A session's use is news after a minute at most.
pub(crate) const LONGEST_QUIET: Duration = Duration::from_secs(60);

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
    expires_at: Timestamp,
    /// Milliseconds before its expiry: from there on it is refreshed beside requests …
    ahead: u32,
    /// … and from there on they wait for that.
    leeway: u32,
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
        let millis = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        Self { issued_at, expires_at: issued_at.plus(lifetime), ahead: millis(ahead), leeway: millis(leeway) }
    }

    /// A clock that went back behind the issue tells nothing about the token any more: it is used, and replaced.
    pub(crate) fn freshness(&self, now: Timestamp) -> Freshness {
        if now >= self.before_expiry(self.leeway) {
            Freshness::Due
        } else if now >= self.ahead_at() || now.plus(CLOCK_SLACK) < self.issued_at {
            Freshness::Ahead
        } else {
            Freshness::Fresh
        }
    }

    pub(crate) fn ahead_at(&self) -> Timestamp {
        self.before_expiry(self.ahead)
    }

    fn before_expiry(&self, millis: u32) -> Timestamp {
        self.expires_at.minus(Duration::from_millis(millis.into()))
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
