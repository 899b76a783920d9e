//! Decides about one request: it gets a token, or the layer answers it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use http::{HeaderMap, Method, Request, Uri, header};

use crate::caching::Marks;
use crate::config::route;
use crate::endpoints::{self, Auth};
use crate::meter::Cause;
use crate::request::cookie::BadCookie;
use crate::request::origin;
use crate::response::{Answer, Facts, Refusal, answer};
use crate::sessions::{
    Entrant, Freshness, OscToken, Outage, RETRY_AFTER, Refreshed, Session, SessionId, Sessions, Side,
};

/// The longest wait for a refresh if the token has expired or expires within [`PATIENCE_WITH_TOKEN`].
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a request waits for a refresh when its token outlasts the wait.
const PATIENCE_WITH_TOKEN: Duration = Duration::from_secs(3);
/// How long a request waits on a public path, where it can pass without a token.
const PATIENCE_IN_PUBLIC: Duration = Duration::from_millis(200);

/// The decision about a request.
pub(crate) enum Verdict {
    /// The request goes to the inner service. On a public path it may have no token. The answer gets these marks.
    Pass(Entrant, Marks),
    /// The layer answers the request.
    Answer(Box<Answer>),
}

/// A verdict at once, without any allocation, or after a wait for the store or the provider.
pub(crate) enum Decision {
    Now(Verdict),
    /// An error is a refusal, which [`refused`] answers.
    Later(BoxFuture<'static, Result<Verdict, Refusal>>),
}

pub(crate) fn decide<B>(auth: &Arc<Auth>, request: &Request<B>) -> Decision {
    if let Some(endpoint) = route(&auth.config, request.uri().path()) {
        let answer = endpoints::serve(auth.clone(), endpoint, request);
        return Decision::Later(Box::pin(answer.map(|answer| Ok(Verdict::Answer(Box::new(answer))))));
    }
    let path = request.uri().path();
    let is_public = || auth.config.public_paths.matches(path);
    let found = match authenticate(auth, request.method(), request.uri(), request.headers()) {
        Ok(Lookup::Usable(Usable::Token(token))) => {
            // The token decides about access. The path decides only about `Vary`, so the cheaper check of it is enough.
            let is_public = auth.config.public_paths.resemble(path);
            return Decision::Now(pass(Entrant::SignedIn(token), is_public));
        }
        Ok(found) => found,
        Err(refusal) => {
            // Somebody else set one of two session cookies. Passing the request on without a session would hide that.
            let is_planted = matches!(refusal, Refusal::BadCookie(BadCookie::Duplicate(_)));
            if !is_planted && is_public() {
                return Decision::Now(pass(without_token(&refusal), true));
            }
            return Decision::Now(Verdict::Answer(refused(auth, request, refusal)));
        }
    };
    let (auth, is_public) = (auth.clone(), is_public());
    Decision::Later(Box::pin(async move {
        match resolve(&auth.sessions, found, is_public).await {
            Ok(token) => Ok(pass(Entrant::SignedIn(token), is_public)),
            Err(refusal) if is_public => Ok(pass(without_token(&refusal), true)),
            Err(refusal) => Err(refusal),
        }
    }))
}

/// Answers a refused request.
pub(crate) fn refused<B>(auth: &Auth, request: &Request<B>, refusal: Refusal) -> Box<Answer> {
    let facts = Facts::of(&auth.config, request);
    Box::new(answer(&auth.config, &facts, explained(auth, &facts, refusal)))
}

fn pass(visitor: Entrant, is_public: bool) -> Verdict {
    let marks = Marks { is_personal: matches!(visitor, Entrant::SignedIn(_)), is_public };
    Verdict::Pass(visitor, marks)
}

/// Returns the visitor of a request that passes on a public path although it was refused a token. In an outage the app must not
/// offer a sign-in to somebody who is signed in.
fn without_token(refusal: &Refusal) -> Entrant {
    match *refusal {
        Refusal::TemporarilyUnavailable { retry_after, side } => {
            Entrant::Unknown(Outage { retry_after, side })
        }
        _ => Entrant::Anonymous,
    }
}

/// Replaces a refusal that only a mistake in the deployment explains.
fn explained(auth: &Auth, facts: &Facts, refusal: Refusal) -> Refusal {
    let kept_prefix = || auth.kept_prefix(facts.own_path(), &facts.base_path);
    if refusal == Refusal::Unauthenticated { kept_prefix().unwrap_or(refusal) } else { refusal }
}

enum Lookup {
    Usable(Usable),
    /// A session that has to be read from the store.
    Unread(SessionId),
}

enum Usable {
    Token(OscToken),
    /// A live session whose token has to be refreshed before use.
    Stale(Session, OscToken),
}

fn authenticate(
    auth: &Arc<Auth>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Lookup, Refusal> {
    let found = auth.config.cookies.find_session(headers, || origin::port(uri, headers));
    let id = found.map_err(Refusal::BadCookie)?.ok_or(Refusal::Unauthenticated)?;
    if is_foreign_upgrade(auth, method, uri, headers) {
        auth.note_foreign_page(uri, headers);
        return Err(Refusal::Unauthenticated);
    }
    let now = auth.sessions.now();
    let looked = auth.sessions.table.look(&id, |session| {
        match session.issue().needs_no_check(now) && auth.sessions.is_current(session) {
            true => session.token().ok_or_else(|| session.clone()),
            false => Err(session.clone()),
        }
    });
    match looked {
        Some(Ok(token)) => Ok(Lookup::Usable(Usable::Token(token))),
        Some(Err(session)) if auth.sessions.must_read(&session) => Ok(Lookup::Unread(id)),
        Some(Err(session)) => Ok(Lookup::Usable(assess(&auth.sessions, &session)?)),
        None if auth.sessions.backing.is_some() && id.is_well_formed() => Ok(Lookup::Unread(id)),
        None => Err(Refusal::Unauthenticated),
    }
}

/// Returns the session's token, and says whether it has to be refreshed first. Counts as use of the session.
fn assess(sessions: &Arc<Sessions>, session: &Session) -> Result<Usable, Refusal> {
    let now = sessions.now();
    if session.has_expired(&sessions.timing, now) {
        return Err(Refusal::Unauthenticated);
    }
    sessions.touch(session, now);
    let token = current(sessions, session)?;
    match token.freshness(now, &sessions.timing) {
        Freshness::Fresh => token.skip_checks(&sessions.timing),
        Freshness::Ahead => session.refresh_beside(sessions, &token),
        Freshness::Due => match session.backing_off(sessions) {
            None => return Ok(Usable::Stale(session.clone(), token)),
            Some(_) if !token.issue().has_expired(now) => {}
            Some(retry_after) => {
                let side = session.outage_side();
                return Err(Refusal::TemporarilyUnavailable { retry_after, side });
            }
        },
    }
    Ok(Usable::Token(token))
}

fn current(sessions: &Sessions, session: &Session) -> Result<OscToken, Refusal> {
    let current = sessions.table.current(session);
    current.ok_or_else(|| if session.is_over() { Refusal::Unauthenticated } else { Refusal::SessionEnded })
}

/// Reads the session from the store and refreshes its token, where that is necessary.
async fn resolve(sessions: &Arc<Sessions>, found: Lookup, is_public: bool) -> Result<OscToken, Refusal> {
    let began_at = sessions.now();
    let usable = match found {
        Lookup::Usable(usable) => usable,
        Lookup::Unread(id) => read(sessions, &id, is_public).await?,
    };
    let (session, stale) = match usable {
        Usable::Token(token) => return Ok(token),
        Usable::Stale(session, stale) => (session, stale),
    };
    // A token that outlasts the short wait is a fallback, so its request need not wait for longer.
    let outlasts_the_wait = !stale.issue().has_expired(sessions.now().plus(PATIENCE_WITH_TOKEN));
    let patience = match (is_public, outlasts_the_wait) {
        (true, _) => PATIENCE_IN_PUBLIC.saturating_sub(sessions.now().since(began_at)),
        (false, true) => PATIENCE_WITH_TOKEN,
        (false, false) => PATIENCE,
    };
    match session.refreshed(sessions, &stale, Cause::Expiry, patience).await {
        Refreshed::Token(token) => Ok(token),
        Refreshed::Refused => Err(Refusal::SessionEnded),
        Refreshed::Ended => Err(Refusal::Unauthenticated),
        Refreshed::Unavailable { retry_after } => {
            // The user may have signed out meanwhile.
            let token = current(sessions, &session)?;
            let is_usable = !token.issue().has_expired(sessions.now());
            let side = session.outage_side();
            is_usable.then_some(token).ok_or(Refusal::TemporarilyUnavailable { retry_after, side })
        }
    }
}

async fn read(sessions: &Arc<Sessions>, id: &SessionId, is_public: bool) -> Result<Usable, Refusal> {
    let unavailable = Refusal::TemporarilyUnavailable { retry_after: RETRY_AFTER, side: Side::Store };
    let reading = sessions.find(id);
    let read = if is_public {
        match select(Box::pin(reading), sessions.clock.sleep(PATIENCE_IN_PUBLIC)).await {
            Either::Left((read, _)) => read,
            Either::Right(_) => return Err(unavailable),
        }
    } else {
        reading.await
    };
    let session = read.map_err(|_| unavailable)?.ok_or(Refusal::Unauthenticated)?;
    assess(sessions, &session)
}

/// Returns true for an upgrade that a page of another origin requests.
///
/// Such a page may open a WebSocket with the user's cookies and read the answers (RFC 6455 §10.2). Over HTTP/2 the upgrade is
/// a `CONNECT` request (RFC 8441).
fn is_foreign_upgrade(auth: &Auth, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let upgrades = headers.contains_key(header::UPGRADE) || method == Method::CONNECT;
    // A browser sends only one `Origin`.
    let has_several = || headers.get_all(header::ORIGIN).iter().nth(1).is_some();
    upgrades && (origin::is_foreign(&auth.config.public_urls, uri, headers) || has_several())
}
