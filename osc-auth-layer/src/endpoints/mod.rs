//! Serves the layer's own paths: sign-in, callback, sign-out and session status. They have their own small Tower stack.

mod callback;
mod consumed;
mod diagnoses;
mod exchange;
mod outcomes;
pub(crate) mod pending;
pub(crate) mod query;
mod relay;
mod session;
mod signin;
mod signout;
pub(crate) mod state;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::{Method, Request, StatusCode, header};
use tower::ServiceExt;
use tower::util::service_fn;
use tower_cookies::{CookieManagerLayer, Cookies};
use tower_http::csrf::CsrfLayer;
use tower_layer::Layer;
use tracing::Instrument;
use tracing::field::Empty;

use self::consumed::ConsumedStates;
use self::diagnoses::Diagnoses;
use self::outcomes::Outcomes;
use self::pending::PendingCookies;
use self::query::Query;
use crate::clock::Timestamp;
use crate::config::{Config, Endpoint};
use crate::meter::{self, Callback};
use crate::readiness::Probe;
use crate::request::cookie;
use crate::request::origin::{self, Origin, PublicUrl};
use crate::response::{Answer, Facts, Refusal, answer, fit, return_to};
use crate::sessions::{OscToken, SessionId, Sessions};

/// Holds the state that all clones of a layer share: the configuration, the sessions and the sign-ins under way.
pub(crate) struct Auth {
    pub(crate) config: Config,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) probe: Arc<Probe>,
    consumed: ConsumedStates,
    outcomes: Outcomes,
    diagnoses: Diagnoses,
}

impl Auth {
    pub(crate) fn new(config: Config, sessions: Arc<Sessions>) -> Arc<Self> {
        let auth = Arc::new(Self {
            diagnoses: Diagnoses::new(sessions.now()),
            config,
            sessions,
            probe: Arc::default(),
            consumed: ConsumedStates::default(),
            outcomes: Outcomes::default(),
        });
        let swept = Arc::downgrade(&auth);
        let _ = auth.sessions.above.set(swept.clone());
        auth.sessions.sweeper.add(move |now| swept.upgrade().is_some_and(|auth| auth.sweep(now)));
        auth
    }

    /// Returns the layer whose session a token belongs to. `None` if the layer was dropped.
    pub(crate) fn of(token: &OscToken) -> Option<Arc<Self>> {
        token.session().engine().ok()?.above.get()?.upgrade()?.downcast().ok()
    }

    /// Returns the number of sessions and of used states in memory.
    #[cfg(feature = "test-util")]
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.sessions.table.len(), self.consumed.len())
    }

    /// Drops a slice of the expired sign-ins. Returns true if there may be more.
    pub(crate) fn sweep(&self, now: Timestamp) -> bool {
        self.consumed.sweep(now) || self.outcomes.sweep(now)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("config", &self.config)
            .field("sessions", &self.sessions.table.len())
            .finish_non_exhaustive()
    }
}

/// Serves one of the layer's own paths. Knows only the facts and the [`head`] of the request.
pub(crate) fn serve<B>(
    auth: Arc<Auth>,
    endpoint: Endpoint,
    request: &Request<B>,
) -> impl Future<Output = Answer> + Send + 'static + use<B> {
    let facts = Facts::of(&auth.config, request);
    // The button on a page about a failed sign-in starts another one to the same page.
    let query = match endpoint {
        Endpoint::SignIn => signin::query(request.uri()),
        _ => Query::parse(request.uri().query(), query::LONGEST),
    };
    let value = |name| query.as_ref().ok().and_then(|query| query.get(name));
    let target = value("return_to").filter(|_| endpoint == Endpoint::SignIn);
    let target = target.and_then(|target| return_to::landing(target, &auth.config, &facts.base_path));
    let facts = facts.returning_to(target);
    let head = head(&facts.session_cookie, endpoint, request, value("state"));
    auth.note_own_path(endpoint, request);
    let span =
        tracing::debug_span!("osc_auth.endpoint", endpoint = endpoint.name(), status = Empty, error = Empty);
    let entered = span.clone();
    let served = async move {
        let answered = match head {
            Ok((head, foreign)) => guarded(&auth, endpoint, &facts, &query, head, foreign).await,
            Err(refusal) => Err(refusal),
        };
        let mut answer = answered.unwrap_or_else(|refusal| refused(&auth.config, &facts, refusal));
        // Not on the current span: if this one is off, that is the app's, which may have fields of these names.
        span.record("status", answer.status().as_u16());
        if let Some(ErrorName(error)) = answer.extensions_mut().remove() {
            span.record("error", error);
            if endpoint == Endpoint::Callback {
                meter::callback(Callback::Refused);
            }
        }
        answer
    };
    served.instrument(entered)
}

/// The error of a refusal, in the extensions of its answer until [`serve`] returns it.
#[derive(Clone)]
struct ErrorName(&'static str);

/// Answers a request that an endpoint refused.
fn refused(config: &Config, facts: &Facts, refusal: Refusal) -> Answer {
    let error = ErrorName(refusal.error());
    let mut answer = answer(config, facts, refusal);
    answer.extensions_mut().insert(error);
    answer
}

/// Passes a request to its endpoint if it has the right method and does not come from another site.
async fn guarded(
    auth: &Arc<Auth>,
    endpoint: Endpoint,
    facts: &Facts,
    query: &Result<Query, Refusal>,
    head: Request<()>,
    foreign_bytes: usize,
) -> Result<Answer, Refusal> {
    let allow = if endpoint == Endpoint::SignOut { Method::POST } else { Method::GET };
    if *head.method() != allow {
        return Err(Refusal::MethodNotAllowed { allow });
    }
    if !head.method().is_safe() && is_of_another_scheme(&auth.config, &head) {
        auth.note_foreign_page(head.uri(), head.headers());
        return Err(Refusal::Forbidden);
    }
    // Refuses unsafe methods from other sites, by Fetch Metadata and `Origin`.
    let mut csrf = CsrfLayer::new();
    for url in &auth.config.public_urls {
        // Trusted, because a proxy may rewrite the host. The URL was checked, so its origin is valid. Leaving it out would only
        // be stricter.
        csrf = csrf.clone().add_trusted_origin(&url.origin).unwrap_or(csrf);
    }
    let csrf = csrf.with_rejection_response(|_| refused(&auth.config, facts, Refusal::Forbidden));
    let unsafe_request = (!head.method().is_safe()).then(|| (head.uri().clone(), head.headers().clone()));
    let handler = service_fn(|mut head: Request<()>| async move {
        let cookies = head.extensions_mut().remove::<Cookies>().unwrap_or_default();
        let context = Context { auth, facts, query, head: &head, cookies, foreign_bytes };
        Ok::<_, Infallible>(handle(&context, endpoint).await)
    });
    let Ok(answer) = csrf.layer(CookieManagerLayer::new().layer(handler)).oneshot(head).await;
    if let Some((uri, headers)) = unsafe_request.filter(|_| answer.status() == StatusCode::FORBIDDEN) {
        auth.note_foreign_page(&uri, &headers);
    }
    Ok(fit(facts.close_if_unread(answer)))
}

/// Copies a request's method, target and headers, but of the cookies only those that the endpoint reads. Leaves out the body
/// and the extensions, which belong to the app. Returns the bytes of the other cookies too.
fn head<B>(
    session_cookie: &str,
    endpoint: Endpoint,
    request: &Request<B>,
    state: Option<&str>,
) -> Result<(Request<()>, usize), Refusal> {
    let (uri, headers) = (request.uri(), request.headers());
    // The callback finds its own pending sign-in however many others the browser has.
    let pending = match endpoint {
        Endpoint::SignIn => Some(None),
        Endpoint::Callback => Some(state.and_then(state::tag_of)),
        Endpoint::SignOut | Endpoint::Session => None,
    };
    let ours = cookie::only_ours(headers, session_cookie, pending).map_err(Refusal::BadCookie)?;
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = uri.clone();
    let others = headers.iter().filter(|(name, _)| *name != header::COOKIE);
    *head.headers_mut() = others.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(ours) = ours.header {
        head.headers_mut().insert(header::COOKIE, ours);
    }
    Ok((head, ours.foreign_bytes))
}

/// Returns true if the `Origin` differs from the app's own in its scheme or otherwise.
///
/// Without Fetch Metadata, `CsrfLayer` compares hosts only. It would accept a page that an attacker injects into plain http.
fn is_of_another_scheme(config: &Config, head: &Request<()>) -> bool {
    let headers = head.headers();
    !headers.contains_key("sec-fetch-site") && origin::is_foreign(&config.public_urls, head.uri(), headers)
}

/// The facts that an endpoint's handler needs.
pub(super) struct Context<'r> {
    auth: &'r Arc<Auth>,
    facts: &'r Facts,
    query: &'r Result<Query, Refusal>,
    head: &'r Request<()>,
    cookies: Cookies,
    /// The bytes of the request's cookies that are not the layer's.
    foreign_bytes: usize,
}

impl<'r> Context<'r> {
    fn query(&self) -> Result<&'r Query, Refusal> {
        self.query.as_ref().map_err(Refusal::clone)
    }

    /// Returns a path of the app as the browser sees it.
    fn after(&self, path: &str) -> String {
        format!("{}{path}", self.facts.base_path)
    }

    /// Returns the public URL that the request came to, or else the first one.
    fn public_url(&self) -> Option<PublicUrl> {
        match origin::select(&self.auth.config.public_urls, self.head.uri(), self.head.headers()) {
            Origin::Known(url) | Origin::Elsewhere(url) => Some(url),
            Origin::Unknown => None,
        }
    }

    /// Returns the redirect URIs of the app. If none is configured, the one that this request shows.
    fn redirect_uris(&self) -> Vec<String> {
        let config = &self.auth.config;
        let derived = self.public_url().filter(|_| config.public_urls.is_empty());
        let urls = config.public_urls.iter().chain(&derived);
        urls.map(|url| url.url(&config.callback_path)).collect()
    }

    fn pending_cookies(&self) -> PendingCookies<'_> {
        let session_cookie = &self.facts.session_cookie;
        let (cookies, config, foreign_bytes) = (&self.cookies, &self.auth.config, self.foreign_bytes);
        PendingCookies { cookies, config, session_cookie, foreign_bytes }
    }

    /// Returns the session id in the browser's cookie. The session may be over.
    fn session_id(&self) -> Option<SessionId> {
        let cookie = self.cookies.get(&self.facts.session_cookie)?;
        SessionId::parse(cookie.value().as_bytes()).filter(SessionId::is_well_formed)
    }
}

/// A refusal at an endpoint, and the page that a new sign-in should return to.
pub(super) struct Failed {
    refusal: Refusal,
    return_to: Option<String>,
}

impl Failed {
    fn towards(refusal: Refusal, return_to: Option<&str>) -> Self {
        Self { refusal, return_to: return_to.map(str::to_owned) }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, return_to: None }
    }
}

async fn handle(context: &Context<'_>, endpoint: Endpoint) -> Answer {
    let answered = match endpoint {
        Endpoint::SignIn => {
            let answered = signin::serve(context).await;
            answered.inspect(|_| context.auth.note_other_host(context.head)).map_err(Failed::from)
        }
        Endpoint::Callback => callback::serve(context).await,
        Endpoint::SignOut => signout::serve(context).await.map_err(Failed::from),
        Endpoint::Session => session::serve(context).await.map_err(Failed::from),
    };
    answered.unwrap_or_else(|Failed { refusal, return_to }| {
        let facts = context.facts.clone().returning_to(return_to.as_deref());
        refused(&context.auth.config, &facts, refusal)
    })
}
