//! The token a request gets, and when it is fresh.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::claims::Claims;
use super::handle::OscSession;
use super::session::touch_step;
use super::user::OscUser;
use super::{Session, Timing};
use crate::clock::{AtomicSeconds, Timestamp};
use crate::oauth::bearer;

/// Holds a fresh access token of the signed-in user. It is in the extensions of every request that reaches the app.
///
/// - Cloning is cheap: it is one `Arc`.
/// - It never contains the refresh token, and its `Debug` shows no secret.
/// - A handler may keep it until [`expires_at`](Self::expires_at). A job that runs longer keeps the
///   [`session`](Self::session) instead.
/// - Some providers end a token as soon as it is refreshed, also while a request uses it. If an API refuses the token,
///   [`OscSession::refresh`] returns a newer one.
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
pub struct OscToken(Session);

impl OscToken {
    /// Returns the token of a session that has one.
    pub(super) fn of(session: Session) -> Self {
        Self(session)
    }

    /// Returns the access token itself; OSC's is a Personal Access Token. Never send it to the browser.
    #[must_use]
    pub fn access_token(&self) -> &str {
        // It came out of a header's value, and only ASCII does.
        str::from_utf8(self.0.access_token()).unwrap_or_default()
    }

    /// Returns the time at which the token expires, as the provider announced it (RFC 6749 §5.1).
    ///
    /// It is exact to a hundredth of a second, and at most 16 months away. If the provider announced no lifetime, the layer
    /// assumes one hour.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.issue().expires_at().into()
    }

    /// Returns `Bearer <token>` for an `Authorization` header (RFC 6750 §2.1) or OSC's `x-pat-jwt`. The value is marked
    /// sensitive, and costs one allocation.
    ///
    /// # Panics
    /// Never. The layer accepts only tokens that fit into a header.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        bearer(self.access_token()).expect("it came out of a header's value")
    }

    /// Returns the user in whose name the token acts. The layer remembers the user for the session, so a refreshed token that
    /// leaves the user out changes nothing. `None` if the token names no workspace, or if the layer was dropped.
    #[must_use]
    pub fn user(&self) -> Option<OscUser> {
        let known = self.0.lock().particulars().known.clone();
        let claims = known.or_else(|| Claims::of(self.access_token()))?;
        Some(OscUser::new(claims, self.0.life().engine.upgrade()?.provider.issuer.shared()))
    }

    pub(super) fn is_of(&self, user: &str) -> bool {
        self.user().and_then(|of| of.key()).as_deref() == Some(user)
    }

    /// Returns the token's session: a handle that outlives the request and always has a fresh token.
    #[must_use]
    pub fn session(&self) -> OscSession {
        OscSession::new(self.0.id().clone(), self.0.life().engine.clone())
    }

    pub(crate) fn held_by(&self) -> &Session {
        &self.0
    }

    pub(crate) fn issue(&self) -> &Issue {
        self.0.issue()
    }

    /// Says what to do about the token.
    pub(crate) fn freshness(&self, now: Timestamp, timing: &Timing) -> Freshness {
        self.issue().freshness(now, timing, self.0.jitter())
    }

    /// Lets requests get the token without any other check, until it is due for a refresh, the session ends, or a use has to be
    /// noted.
    pub(crate) fn skip_checks(&self, timing: &Timing) {
        let news_at = self.0.last_seen().plus(touch_step(timing));
        let ahead_at = self.issue().ahead_at(timing, self.0.jitter());
        self.issue().unchecked_until.set(news_at.min(self.0.life().ends_at).min(ahead_at));
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.access_token() == other.0.access_token()
    }
}

impl fmt::Debug for OscToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscToken")
            .field("session", &self.0.id().public())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

/// A session is checked after a minute at the latest.
pub(crate) const LONGEST_UNCHECKED: Duration = Duration::from_secs(60);

/// Says what to do about a token.
#[derive(Debug, PartialEq)]
pub(crate) enum Freshness {
    Fresh,
    /// Usable, but a refresh should run beside the request.
    Ahead,
    /// A request waits for the refresh.
    Due,
}

/// The times in a token's life. Only the first one changes.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Issue {
    /// Until then, requests get the token without any other check.
    unchecked_until: AtomicSeconds,
    /// In hundredths of a second.
    lifetime: u32,
    issued_at: Timestamp,
}

impl Issue {
    /// A lifetime of more than 16 months counts as 16 months.
    pub(crate) fn new(lifetime: Duration, issued_at: Timestamp) -> Self {
        let lifetime = u32::try_from(lifetime.as_millis() / u128::from(HUNDREDTH)).unwrap_or(u32::MAX);
        Self { lifetime, issued_at, ..Self::default() }
    }

    /// Returns true if no check is due. The next check is never far away, so one that seems to be means that the clock went back.
    pub(crate) fn needs_no_check(&self, now: Timestamp) -> bool {
        let until = self.unchecked_until.get();
        now < until && until.since(now) <= LONGEST_UNCHECKED
    }

    /// Says what to do about the token. If the clock went back to before its issue, nothing is known about the token. Then it is used
    /// and refreshed.
    fn freshness(&self, now: Timestamp, timing: &Timing, jitter: f64) -> Freshness {
        if now >= self.expires_at().minus(leeway(self.lifetime(), timing)) {
            Freshness::Due
        } else if now >= self.ahead_at(timing, jitter) || now.plus(CLOCK_SLACK) < self.issued_at {
            Freshness::Ahead
        } else {
            Freshness::Fresh
        }
    }

    /// Returns the time from which on it is refreshed beside requests. `jitter` in 0..1 moves that nearer to the leeway, by half of the
    /// distance at most, so that sessions that began together do not refresh together.
    fn ahead_at(&self, timing: &Timing, jitter: f64) -> Timestamp {
        let lifetime = self.lifetime();
        let ahead = timing.refresh_ahead.min(lifetime / 2);
        let nearer = (ahead.saturating_sub(leeway(lifetime, timing)) / 2).mul_f64(jitter.clamp(0.0, 1.0));
        self.expires_at().minus(ahead - nearer)
    }

    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    pub(super) fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    fn expires_at(&self) -> Timestamp {
        self.issued_at.plus(self.lifetime())
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_millis(u64::from(self.lifetime) * u64::from(HUNDREDTH))
    }
}

/// A hundredth of a second, in milliseconds.
const HUNDREDTH: u32 = 10;

/// Returns the time before the expiry from which on requests wait for another token.
fn leeway(lifetime: Duration, timing: &Timing) -> Duration {
    timing.refresh_leeway.min(lifetime / 4)
}

/// A clock may go back by this much without a refresh, because clocks are corrected by seconds all the time.
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

    fn issue(lifetime: u64) -> Issue {
        Issue::new(Duration::from_secs(lifetime), at(1_000_000))
    }

    #[test]
    fn an_hour_long_token_is_refreshed_five_minutes_ahead_and_waited_for_in_the_last() {
        let issue = issue(3600);
        let expected = [
            (0, Freshness::Fresh),
            (3299, Freshness::Fresh),
            (3300, Freshness::Ahead),
            (3539, Freshness::Ahead),
            (3540, Freshness::Due),
            (9999, Freshness::Due),
        ];
        for (age, freshness) in expected {
            assert_eq!(issue.freshness(at(1_000_000 + age), &TIMING, 0.0), freshness, "{age}");
        }
        assert!(!issue.has_expired(at(1_003_599)) && issue.has_expired(at(1_003_600)));
    }

    #[test]
    fn jitter_keeps_the_early_refresh_before_the_leeway() {
        assert_eq!(issue(3600).freshness(at(1_003_419), &TIMING, 1.0), Freshness::Fresh);
        assert_eq!(issue(3600).freshness(at(1_003_420), &TIMING, 1.0), Freshness::Ahead);
    }

    #[test]
    fn short_tokens_shrink_leeway_and_ahead() {
        let issue = issue(8);
        assert_eq!(issue.freshness(at(1_000_003), &TIMING, 0.0), Freshness::Fresh);
        assert_eq!(issue.freshness(at(1_000_004), &TIMING, 0.0), Freshness::Ahead);
        assert_eq!(issue.freshness(at(1_000_006), &TIMING, 0.0), Freshness::Due);
    }

    #[test]
    fn s45_a_clock_that_jumps_replaces_the_token_and_breaks_nothing() {
        let issue = issue(3600);
        assert_eq!(issue.freshness(at(999_990), &TIMING, 0.0), Freshness::Fresh);
        assert_eq!(issue.freshness(at(900_000), &TIMING, 0.0), Freshness::Ahead);
        assert_eq!(issue.freshness(at(0), &TIMING, 0.0), Freshness::Ahead);
        assert_eq!(issue.freshness(Timestamp::from_millis(u64::MAX), &TIMING, 0.0), Freshness::Due);
    }

    #[test]
    fn s45_a_lifetime_beyond_all_reckoning_is_over_a_year() {
        let issue = Issue::new(Duration::MAX, at(1_000_000));
        assert!(issue.lifetime() > Duration::from_secs(365 * 86_400));
        assert_eq!(issue.freshness(at(1_000_000), &TIMING, 0.0), Freshness::Fresh);
        assert_eq!(issue.freshness(Timestamp::from_millis(u64::MAX), &TIMING, 0.0), Freshness::Due);
    }
}
