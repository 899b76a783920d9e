//! Mistakes in a deployment that show in requests. Each log line names the setting and the remedy.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, Request, Uri, header};

use super::Auth;
use super::pending::PendingSignIn;
use crate::clock::Timestamp;
use crate::config::{Endpoint, route};
use crate::redact::line;
use crate::request::origin::{self, Origin};
use crate::response::Refusal;
use crate::secret::random_bytes;
use crate::seldom::Seldom;

const LONGEST: usize = 253;

/// Holds the facts that the process learnt about its deployment, and the time when it last logged each mistake.
pub(crate) struct Diagnoses {
    /// A random number that tells the app's processes apart. Two processes have the same one with a chance of 1 in 65,535.
    process: u16,
    started_at: Timestamp,
    /// True once a sign-in or callback has arrived without the path of the public URL.
    is_prefix_removed: AtomicBool,
    kept_prefix: Seldom,
    unknown_host: Seldom,
    other_host: Seldom,
    foreign_page: Seldom,
    other_process: Seldom,
    other_key: Seldom,
}

impl Diagnoses {
    pub(super) fn new(started_at: Timestamp) -> Self {
        Self {
            process: u16::from_be_bytes(random_bytes()).max(1),
            started_at,
            is_prefix_removed: AtomicBool::default(),
            kept_prefix: Seldom::default(),
            unknown_host: Seldom::default(),
            other_host: Seldom::default(),
            foreign_page: Seldom::default(),
            other_process: Seldom::default(),
            other_key: Seldom::default(),
        }
    }

    pub(super) fn process(&self) -> u16 {
        self.process
    }
}

impl Auth {
    /// Returns a refusal if the proxy did not remove the path of the public URL from a request for one of the layer's paths.
    /// Without this answer, the sign-in link would lead to itself.
    ///
    /// Returns `None` once a sign-in or callback has arrived without that path. Then the proxy is right, and `path` belongs to
    /// the app.
    pub(crate) fn kept_prefix(&self, path: &str, base_path: &str) -> Option<Refusal> {
        if self.diagnoses.is_prefix_removed.load(Ordering::Relaxed) {
            return None;
        }
        // With `location /app` and `proxy_pass http://app/`, nginx leaves two slashes. If the public URL has no path, `rest` is
        // the whole path. That is none of the layer's paths, because the layer itself answers those.
        let rest = path.strip_prefix(base_path).or_else(|| path.strip_prefix('/'))?;
        route(&self.config, rest)?;
        if self.diagnoses.kept_prefix.is_due(self.sessions.now()) {
            let example = format!("location {base_path}/ {{ proxy_pass http://app:3000/; }}");
            tracing::error!(
                "A request for {path} reached the app, although {base_path} is the path of PUBLIC_URL. The proxy in front of the app \
                 has to remove {base_path}. In nginx, both slashes matter: {example}. If the proxy is to keep it, mount the app and \
                 the layer with axum's nest."
            );
        }
        Some(Refusal::KeptPrefix { prefix: base_path.to_owned() })
    }

    pub(super) fn note_own_path<B>(&self, endpoint: Endpoint, request: &Request<B>) {
        let is_flow = matches!(endpoint, Endpoint::SignIn | Endpoint::Callback);
        if is_flow && self.config.public_urls.iter().any(|url| !url.base_path.is_empty()) {
            let selected = origin::select(&self.config.public_urls, request.uri(), request.headers());
            if matches!(selected, Origin::Known(url) if !url.base_path.is_empty()) {
                self.diagnoses.is_prefix_removed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Refuses a sign-in at a host that `PUBLIC_URL` does not name, and logs the remedy.
    pub(super) fn unknown_host(&self, host: &str) -> Refusal {
        let host = line(host, LONGEST);
        if self.diagnoses.unknown_host.is_due(self.sessions.now()) {
            tracing::error!(
                "A visitor opened the app at {host}, which PUBLIC_URL does not name. Set PUBLIC_URL to https://{host}, or to \
                 all the app's URLs, separated by commas. Register the callback of each with the OAuth app."
            );
        }
        Refusal::UnknownHost { host }
    }

    /// Logs that a sign-in moved to the first public URL, because it came to none of them.
    pub(super) fn note_other_host(&self, head: &Request<()>) {
        let (uri, headers) = (head.uri(), head.headers());
        if let Origin::Elsewhere(url) = origin::select(&self.config.public_urls, uri, headers)
            && self.diagnoses.other_host.is_due(self.sessions.now())
        {
            let host = origin::unknown_authority(&self.config.public_urls, uri, headers);
            let (host, url) = (line(host.unwrap_or_default(), LONGEST), url.url("/"));
            tracing::warn!(
                "A sign-in came to the host {host:?}, which PUBLIC_URL does not name. The layer sent the browser to {url}. Add the \
                 app's URL at that host to PUBLIC_URL, or let the proxy pass on the browser's Host. In nginx: proxy_set_header \
                 Host $http_host;"
            );
        }
    }

    /// Logs that a request was refused because of the page that sent it.
    pub(crate) fn note_foreign_page(&self, uri: &Uri, headers: &HeaderMap) {
        if let Some(page) = headers.get(header::ORIGIN)
            && origin::is_foreign(&self.config.public_urls, uri, headers)
            && self.diagnoses.foreign_page.is_due(self.sessions.now())
        {
            let page = line(&String::from_utf8_lossy(page.as_bytes()), LONGEST);
            let host = line(origin::authority(uri, headers).unwrap_or_default(), LONGEST);
            tracing::warn!(
                "The layer refused a WebSocket, a sign-out or a session check from the page {page:?}, because the request is for \
                 {host:?} and PUBLIC_URL does not name that page. If the page is the app's own, add it to PUBLIC_URL, or let the \
                 development proxy keep the Host header (Vite, webpack: changeOrigin: false)."
            );
        }
    }

    /// Logs that this browser has the cookie of a sign-in whose `state` does not open.
    pub(super) fn note_other_key(&self) {
        if self.diagnoses.other_key.is_due(self.sessions.now()) {
            tracing::warn!(
                "A browser came back from its sign-in with a state that this node cannot open. Give all nodes of the app \
                 the same COOKIE_KEY, PUBLIC_URL and OSC_ISSUER, and keep them at a restart."
            );
        }
    }

    /// Logs that another process began this sign-in while this one was running, and that they share no sessions.
    ///
    /// A process that started later may have replaced the other one.
    pub(super) fn note_other_process(&self, pending: &PendingSignIn) {
        let Diagnoses { process, started_at, .. } = self.diagnoses;
        let state = &pending.state.carried;
        if state.process != process
            && state.began_at > started_at
            && self.sessions.backing.is_none()
            && self.diagnoses.other_process.is_due(self.sessions.now())
        {
            tracing::warn!(
                "A sign-in began at one process of the app and ended at another, but each keeps its own sessions. So users have to \
                 sign in again and again. Set SESSION_STORE to a store that all processes share, or run one process."
            );
        }
    }
}
