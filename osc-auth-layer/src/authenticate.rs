//! One request, decided: which token it gets, or why none.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, header};

use crate::origin;
use crate::response::{Answer, Refusal, Visitor, answer};
use crate::route::{Endpoint, route};
use crate::session::{Freshness, OscToken, Refreshed, Session};
use crate::shared::Shared;
use crate::{BoxFuture, endpoints};

/// How long a request waits for a refresh when its token has expired …
const PATIENCE: Duration = Duration::from_secs(10);
/// … when its token is still good for a while …
const PATIENCE_WITH_TOKEN: Duration = Duration::from_secs(3);
/// … and on a public path, which can do without.
const PATIENCE_IN_PUBLIC: Duration = Duration::from_millis(200);

/// What happens to a request.
pub(crate) enum Verdict {
    /// It goes to the inner service, with its token or, on a public path, perhaps without.
    Pass(Option<OscToken>),
    /// The layer answers it.
    Answer(Box<Answer>),
}

/// Either at once, without allocating anything, or after waiting for the provider.
pub(crate) enum Decision {
    Now(Verdict),
    Later(BoxFuture<Verdict>),
}

pub(crate) fn decide<B>(shared: &Arc<Shared>, request: &Request<B>) -> Decision {
    if let Some(endpoint) = route(&shared.config, request.uri().path()) {
        let visitor = Visitor::of(&shared.config, request).without_return();
        let head = endpoints::head(&shared.config, request);
        return Decision::Later(Box::pin(serve(shared.clone(), endpoint, visitor, head)));
    }
    let (session, stale) = match authenticate(shared, request) {
        Ok(Found::Token(token)) => return Decision::Now(Verdict::Pass(Some(token))),
        Ok(Found::Stale(session, stale)) => (session, stale),
        Err(refusal) => return Decision::Now(refuse(shared, request, refusal)),
    };
    let is_public = shared.config.public_paths.matches(request.uri().path());
    let patience = match (is_public, stale.issue().has_expired(shared.now())) {
        (true, _) => PATIENCE_IN_PUBLIC,
        (false, true) => PATIENCE,
        (false, false) => PATIENCE_WITH_TOKEN,
    };
    let visitor = Visitor::of(&shared.config, request);
    let refreshed = wait(shared.clone(), session, stale, patience, visitor, is_public);
    Decision::Later(Box::pin(refreshed))
}

async fn serve(
    shared: Arc<Shared>,
    endpoint: Endpoint,
    visitor: Visitor,
    head: Result<Request<()>, Refusal>,
) -> Verdict {
    Verdict::Answer(Box::new(endpoints::serve(shared, endpoint, visitor, head).await))
}

fn refuse<B>(shared: &Shared, request: &Request<B>, refusal: Refusal) -> Verdict {
    if shared.config.public_paths.matches(request.uri().path()) {
        return Verdict::Pass(None);
    }
    let visitor = Visitor::of(&shared.config, request);
    Verdict::Answer(Box::new(answer(&shared.config, &visitor, refusal)))
}

enum Found {
    Token(OscToken),
    /// A live session whose token has to be refreshed before it is used.
    Stale(Arc<Session>, OscToken),
}

fn authenticate<B>(shared: &Arc<Shared>, request: &Request<B>) -> Result<Found, Refusal> {
    let (uri, headers) = (request.uri(), request.headers());
    let id = shared
        .config
        .cookies
        .find_session(headers, || origin::port(uri, headers))
        .map_err(|bad| Refusal::InvalidRequest(bad.problem()))?
        .ok_or(Refusal::Unauthenticated)?;
    if is_foreign_upgrade(shared, request) {
        return Err(Refusal::Unauthenticated);
    }
    let (timing, now) = (&shared.config.timing, shared.now());
    let (token, due) = shared
        .sessions
        .look(&id, |session| {
            if session.has_expired(timing, now) {
                return Err(Refusal::Unauthenticated);
            }
            session.touch(timing, now);
            let token = session.current().ok_or(Refusal::SessionEnded)?;
            match token.issue().freshness(now) {
                Freshness::Fresh => Ok((token, None)),
                due => Ok((token, Some((session.clone(), due)))),
            }
        })
        .unwrap_or(Err(Refusal::Unauthenticated))?;
    match due {
        None => Ok(Found::Token(token)),
        Some((session, Freshness::Due)) => match session.backing_off(shared) {
            None => Ok(Found::Stale(session, token)),
            Some(_) if !token.issue().has_expired(now) => Ok(Found::Token(token)),
            Some(retry_after) => Err(Refusal::TemporarilyUnavailable { retry_after }),
        },
        Some((session, _)) => {
            session.refresh_beside(shared, &token);
            Ok(Found::Token(token))
        }
    }
}

async fn wait(
    shared: Arc<Shared>,
    session: Arc<Session>,
    stale: OscToken,
    patience: Duration,
    visitor: Visitor,
    is_public: bool,
) -> Verdict {
    let refusal = match session.refreshed(&shared, &stale, patience).await {
        Refreshed::Token(token) => return Verdict::Pass(Some(token)),
        Refreshed::Refused => Refusal::SessionEnded,
        Refreshed::Ended => Refusal::Unauthenticated,
        Refreshed::Unavailable { .. } if !stale.issue().has_expired(shared.now()) => {
            return Verdict::Pass(Some(stale));
        }
        Refreshed::Unavailable { retry_after } => Refusal::TemporarilyUnavailable { retry_after },
    };
    if is_public {
        return Verdict::Pass(None);
    }
    Verdict::Answer(Box::new(answer(&shared.config, &visitor, refusal)))
}

/// A page of another origin may open a WebSocket with the visitor's cookies, and read what comes back (RFC 6455
/// §10.2). Over HTTP/2 the upgrade is a CONNECT (RFC 8441).
fn is_foreign_upgrade<B>(shared: &Shared, request: &Request<B>) -> bool {
    let headers = request.headers();
    let upgrades = headers.contains_key(header::UPGRADE) || request.method() == Method::CONNECT;
    upgrades && has_foreign_origin(shared, request, headers)
}

fn has_foreign_origin<B>(shared: &Shared, request: &Request<B>, headers: &HeaderMap) -> bool {
    let configured = &shared.config.public_urls;
    headers
        .get_all(header::ORIGIN)
        .iter()
        .any(|origin| !origin::is_own(origin.as_bytes(), configured, request.uri(), headers))
}
