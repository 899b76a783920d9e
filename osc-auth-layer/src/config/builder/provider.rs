//! Settings of the provider, and of the client that talks to it.

use sync_wrapper::SyncWrapper;

use super::OscAuthLayerBuilder;
use crate::config::ClientAuthMethod;

impl OscAuthLayerBuilder {
    /// Sets the provider's issuer identifier (RFC 8414 §2): an `https` URL, or `http` on loopback.
    ///
    /// Default: `https://app.osaas.io`, OSC's production. The provider's metadata must name exactly the same `issuer`.
    /// Cannot be combined with [`environment`](Self::environment).
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Selects an OSC environment by name, such as `prod`, `stage` or `dev`. Default: `prod`.
    ///
    /// The issuer of `prod` is `https://app.osaas.io`, that of any other environment `https://app.{name}.osaas.io`.
    /// Cannot be combined with [`issuer`](Self::issuer).
    pub fn environment(self, name: impl Into<String>) -> Self {
        Self { environment: Some(name.into()), ..self }
    }

    /// Sets how a client with a secret authenticates at the token, revocation and pushed-authorization endpoints. Needed
    /// for a provider that announces several methods but binds each client to one.
    ///
    /// Default: a method that the provider announces, preferably `client_secret_post`. A method that you set is used
    /// even if the provider does not announce it. A client that registers itself agrees on a method when it registers, so
    /// it cannot have this setting.
    pub fn auth_method(self, method: ClientAuthMethod) -> Self {
        Self { auth_method: Some(method), ..self }
    }

    /// Falls back to OSC's endpoint paths below the issuer (`/api/connect/authorize`, …) while the provider's metadata
    /// cannot be fetched.
    ///
    /// Default: only for OSC's own issuers. The layer never falls back if the metadata names another `issuer`.
    pub fn known_endpoints(self) -> Self {
        Self { known_endpoints: true, ..self }
    }

    /// Sets the scopes that sign-in asks for (RFC 6749 §3.3).
    ///
    /// Default: none. Then the provider decides; some providers answer `access_denied`.
    pub fn scopes<I>(self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self { scopes: scopes.into_iter().map(Into::into).collect(), ..self }
    }

    /// Adds a constant parameter to each authorization request, such as `prompt=consent` for a provider that issues a
    /// refresh token only after the user consents. Repeatable. Default: none.
    ///
    /// `build()` refuses:
    /// - parameters that the layer sets itself or relies on, such as `client_id`, `state`, `response_mode` and `nonce`;
    /// - a name that is given twice, except `resource` (RFC 8707);
    /// - more than 512 bytes of parameters, percent-encoded.
    ///
    /// If the provider supports pushed authorization requests (RFC 9126), the parameters are pushed.
    pub fn authorization_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.authorization_params.push((name.into(), value.into()));
        self
    }

    /// Changes the HTTP client that talks to the provider: a proxy, further root certificates, a user agent, …
    ///
    /// The type is that of `reqwest` 0.13. Its TLS settings apply whether or not the process has a default rustls provider.
    /// The layer sets these afterwards, so they cannot be changed:
    /// - no redirects and no retries;
    /// - 5 seconds to connect;
    /// - 10 seconds for an answer, 25 seconds for a token request, and 30 seconds for OSC's platform (feature `client`).
    pub fn configure_http<F>(self, configure: F) -> Self
    where
        F: FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    {
        Self { configure_http: Some(SyncWrapper::new(Box::new(configure))), ..self }
    }

    /// Sets the base URL of the platform's services, for tests: service `S` is at `{base}/S`. It must be `https`, or on
    /// loopback. Tokens go nowhere else.
    ///
    /// Default: the platform of the issuer's environment. Issuers other than OSC's have none.
    #[cfg(feature = "client")]
    pub fn platform(self, base: impl Into<String>) -> Self {
        Self { platform: Some(base.into()), ..self }
    }
}
