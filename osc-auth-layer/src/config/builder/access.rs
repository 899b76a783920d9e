//! Settings of who may enter, and of how the layer answers those who may not.

use std::sync::Arc;

use http::StatusCode;

use super::OscAuthLayerBuilder;
use crate::sessions::OscUser;

impl OscAuthLayerBuilder {
    /// Admits only users for whom `may_enter` returns true. Repeatable: then every rule must admit the user. Default: every
    /// account of the provider may enter.
    ///
    /// The layer asks at three times:
    ///
    /// - At sign-in, another user gets 403 `not_allowed`. The layer keeps nothing of the user and revokes the grant.
    /// - At a refresh, the session ends with 401 `session_ended`. The layer revokes the grant.
    /// - When the layer reads a session from the [`store`](Self::store), the request gets 401 `unauthenticated`. The session
    ///   stays in the store, so a mistake in a rule signs nobody out for good.
    ///
    /// With a rule, the layer also refuses users whose token names no workspace. A rule that panics refuses the user.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli"))
    ///     .authorize(|user| user.workspace() == "team" && user.user_id().is_some())
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn authorize(mut self, may_enter: impl Fn(&OscUser) -> bool + Send + Sync + 'static) -> Self {
        self.authorize.push(Arc::new(may_enter));
        self
    }

    /// Admits only users of these workspaces ([`OscUser::workspace`]). Otherwise like [`authorize`](Self::authorize).
    pub fn allowed_workspaces<I>(self, workspaces: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let allowed: Vec<String> = workspaces.into_iter().map(Into::into).collect();
        self.authorize(move |user| allowed.iter().any(|workspace| workspace == user.workspace()))
    }

    /// Lets requests for exactly this path pass without a session. Requests with a session still get their token.
    /// Repeatable. Default: no path is public.
    ///
    /// In an outage, requests with a session pass without a token. [`OscVisitor`](crate::OscVisitor) tells them from requests without
    /// a session.
    ///
    /// The layer compares the raw path, byte by byte.
    pub fn public_path(mut self, path: impl Into<String>) -> Self {
        self.public_paths.exact.push(path.into());
        self
    }

    /// Makes a path and everything below it public, by whole segments: `/static` covers `/static/app.css` but not
    /// `/statics`. Repeatable.
    ///
    /// A path that another parser could read differently is never public. Examples are `..`, `//`, `;`, `%2f`, a `%`
    /// without two hex digits, an escape that is not UTF-8, and a fullwidth `．`.
    pub fn public_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.public_paths.prefixes.push(prefix.into());
        self
    }

    /// Makes every path public. Requests with a session get their token, and all others pass without one.
    ///
    /// Risk: the layer no longer protects any path. Each handler has to ask for an `OscToken`. The extractors of feature
    /// `axum` then answer 401.
    pub fn allow_anonymous(mut self) -> Self {
        self.public_paths.every = true;
        self
    }

    /// Sends browsers without a session straight to sign-in, by a 303. Default: 401, with a page that links to sign-in.
    ///
    /// Only `GET` and `HEAD` requests that navigate the browser are redirected. API calls always get 401. An outage never
    /// redirects.
    pub fn redirect_to_signin(self) -> Self {
        Self { redirect_to_signin: true, ..self }
    }

    /// Sets the status of the answer `temporarily_unavailable`: the token has expired and the provider or the store is
    /// unreachable. Default: 503, so that scripts do not confuse an outage with a sign-out. Any 4xx or 5xx is accepted.
    ///
    /// Proxies with outlier ejection count 5xx answers, and may take this node out of service although it works. Tell such a
    /// proxy to ignore 503, or choose another status here.
    pub fn outage_status(self, status: StatusCode) -> Self {
        Self { outage_status: status, ..self }
    }
}
