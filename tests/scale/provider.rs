//! An identity provider on loopback that answers refreshes in virtual time, and notices what a layer must not do.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::clock::VirtualClock;
use crate::paper::{AHEAD, ANSWERS_AFTER, LIFETIME, NODES};
use crate::tally::{Event, Tally};

/// Clones are the same provider.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

struct Inner {
    issuer: String,
    clock: VirtualClock,
    tally: Tally,
    is_down: AtomicBool,
    /// By the number of the user.
    accounts: Mutex<Vec<Account>>,
    /// The requests of each node that have no answer yet.
    held: [AtomicUsize; NODES],
    /// The time of each node's first refresh since the provider works again.
    first: Mutex<[Option<u64>; NODES]>,
    /// The most of a node.
    limit: usize,
}

/// The tokens of a user that are valid.
#[derive(Clone, Copy, Default)]
struct Account {
    /// The number of the refresh token. Each refresh makes another one.
    generation: u64,
    issued_at: u64,
}

impl Provider {
    /// Starts the provider of this many users. A node may have `limit` requests under way.
    pub(crate) async fn start(clock: VirtualClock, tally: Tally, users: usize, limit: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let provider = Self(Arc::new(Inner {
            issuer,
            clock,
            tally,
            is_down: AtomicBool::default(),
            accounts: Mutex::new(vec![Account::default(); users]),
            held: Default::default(),
            first: Mutex::default(),
            limit,
        }));
        tokio::spawn(accept(listener, provider.clone()));
        provider
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Answers 503 from now on, or no longer.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Relaxed);
        *self.first() = Default::default();
    }

    /// Returns the number of requests that have no answer yet.
    pub(crate) fn held(&self) -> usize {
        self.0.held.iter().map(|held| held.load(Relaxed)).sum()
    }

    fn first(&self) -> MutexGuard<'_, [Option<u64>; NODES]> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time by which each node had refreshed a token since the provider works again. `None` if one has not.
    pub(crate) fn used_by_all_since(&self) -> Option<u64> {
        self.first().iter().copied().collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Account>> {
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of users of whom a token was issued, and has expired.
    pub(crate) fn expired(&self) -> usize {
        let now = self.0.clock.millis();
        let has_expired =
            |account: &&Account| account.generation > 0 && now >= account.issued_at + LIFETIME * 1000;
        self.accounts().iter().filter(has_expired).count()
    }

    /// Returns the answer of the token endpoint to a user's sign-in.
    pub(crate) fn sign_in(&self, user: usize) -> String {
        let account = &mut self.accounts()[user];
        account.generation += 1;
        account.issued_at = self.0.clock.millis();
        tokens(user, account.generation)
    }

    /// Spends a refresh token: the user's number, a dot and the generation.
    pub(crate) fn refresh(&self, token: &str) -> Option<String> {
        let (user, generation) = token.split_once('.')?;
        let (user, generation): (usize, u64) = (user.parse().ok()?, generation.parse().ok()?);
        let now = self.0.clock.millis();
        let mut accounts = self.accounts();
        let account = accounts.get_mut(user)?;
        if generation != account.generation {
            self.0.tally.fail(|| format!("user {user} spent a refresh token twice"));
            return None;
        }
        let due_at = account.issued_at + (LIFETIME - AHEAD.end) * 1000;
        if now < due_at {
            self.0.tally.fail(|| format!("user {user} refreshed {} ms before it was due", due_at - now));
        }
        *account = Account { generation: generation + 1, issued_at: now };
        Some(tokens(user, account.generation))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let is_metadata = request.uri().path().starts_with("/.well-known/");
        if is_metadata {
            return reply(StatusCode::OK, &self.metadata().to_string());
        }
        let node = node_of(request.headers());
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let fields = form_urlencoded::parse(&body);
        let token =
            fields.into_iter().find(|(name, _)| name == "refresh_token").map(|(_, value)| value.into_owned());
        self.0.tally.add(Event::Tried);
        let held = self.0.held[node].fetch_add(1, Relaxed) + 1;
        let _held = Held(self, node);
        if held > self.0.limit {
            self.0.tally.fail(|| format!("node {node} sent {held} refreshes at a time"));
        }
        self.0.clock.pause(Duration::from_secs_f64(ANSWERS_AFTER)).await;
        if self.0.is_down.load(Relaxed) {
            return reply(StatusCode::SERVICE_UNAVAILABLE, "");
        }
        match token.and_then(|token| self.refresh(&token)) {
            Some(tokens) => {
                self.0.tally.add(Event::Refreshed);
                self.first()[node].get_or_insert(self.0.clock.millis());
                reply(StatusCode::OK, &tokens)
            }
            None => reply(StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#),
        }
    }

    fn metadata(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        })
    }
}

/// A request that has no answer yet.
struct Held<'p>(&'p Provider, usize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.held[self.1].fetch_sub(1, Relaxed);
    }
}

/// Returns the user agent of a node, by which the provider tells nodes apart.
pub(crate) fn user_agent(node: usize) -> String {
    format!("node-{node}")
}

fn node_of(headers: &HeaderMap) -> usize {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let number = agent.and_then(|agent| agent.strip_prefix("node-")?.parse().ok());
    number.filter(|number| *number < NODES).expect("a request of a node")
}

fn reply(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// Returns an access token that names its user, and the refresh token of this generation.
fn tokens(user: usize, generation: u64) -> String {
    let claims = json!({ "tenantId": "osaas", "userId": user.to_string(), "jti": generation });
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let access_token = format!("{}.{}.{}", part("{}"), part(&claims.to_string()), part("signature"));
    json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "refresh_token": format!("{user}.{generation}"),
    })
    .to_string()
}

async fn accept(listener: TcpListener, provider: Provider) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let provider = provider.clone();
        let service = service_fn(move |request| {
            let provider = provider.clone();
            async move { Ok::<_, Infallible>(provider.answer(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
