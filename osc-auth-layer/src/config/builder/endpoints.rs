//! Settings of the layer's own paths, and of the pages that they lead to.

use super::OscAuthLayerBuilder;

impl OscAuthLayerBuilder {
    /// Adds a URL under which browsers find the app's root, for example `https://app.example.com`. Repeatable.
    ///
    /// The request's host selects one of the URLs and can select nothing else (RFC 9700 §4.13). A URL may have a path, for
    /// an app below axum's `nest` or behind a proxy that strips a prefix. Plain `http` is accepted on loopback only. Give
    /// each origin once, and do not mix `https` and `http`.
    ///
    /// Default: none. Then sign-in works on loopback hosts without a proxy, and answers 500 on any other host.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli"))
    ///     .public_url("https://app.example.com")
    ///     .public_url("https://example.org/app")
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_urls.push(url.into());
        self
    }

    /// Sets the path that starts a sign-in. Default: `/auth/signin`.
    ///
    /// The query parameter `return_to` names the page that the user returns to: path, query and fragment on the same origin, as
    /// the browser sees them. An address of up to 2,048 bytes comes back unchanged. Of a longer one, only the path counts.
    ///
    /// The sign-in leads to [`after_signin`](Self::after_signin) instead in three cases:
    ///
    /// - some parser could read the path as another host's address (`//evil.example`, `/%2Fevil.example`);
    /// - the path has dot segments;
    /// - the path is one of the layer's own.
    pub fn signin_path(self, path: impl Into<String>) -> Self {
        Self { signin_path: path.into(), ..self }
    }

    /// Sets the path of the redirect URI (RFC 6749 §3.1.2). Default: `/auth/callback`. Register the whole URL, such as
    /// `https://app.example.com/auth/callback`, with the provider.
    pub fn callback_path(self, path: impl Into<String>) -> Self {
        Self { callback_path: path.into(), ..self }
    }

    /// Sets the path that signs the user out. Default: `/auth/signout`. It accepts `POST` from the same origin only.
    pub fn signout_path(self, path: impl Into<String>) -> Self {
        Self { signout_path: path.into(), ..self }
    }

    /// Sets the path that tells the app's scripts whether the user is signed in. Default: `/auth/session`.
    ///
    /// | situation | status | JSON |
    /// |---|---|---|
    /// | signed in | 200 | `{"signed_in":true,"workspace":…,"user":…,"expires_at":…,"signout":…}` |
    /// | not signed in | 200 | `{"signed_in":false,"signin":…}` |
    /// | the store is unreachable | 503 | `{"signed_in":null,"retry_after":…}`, in seconds |
    /// | the request comes from a page of another origin | 403 | `{"error":"forbidden",…}` |
    ///
    /// `workspace` and `user` are null if they are unknown. `expires_at` is the time, in seconds since 1970, at which the
    /// session ends if nobody uses it. A request to this path never refreshes, never redirects and does not count as
    /// use of the session.
    pub fn session_path(self, path: impl Into<String>) -> Self {
        Self { session_path: path.into(), ..self }
    }

    /// Sets the path, below the public URL, that a sign-in without `return_to` leads to. Default: `/`.
    pub fn after_signin(self, path: impl Into<String>) -> Self {
        Self { after_signin: path.into(), ..self }
    }

    /// Sets the path, below the public URL, that a sign-out leads to. Default: `/`. Make it
    /// [public](Self::public_path), or the user is asked to sign in again at once.
    pub fn after_signout(self, path: impl Into<String>) -> Self {
        Self { after_signout: path.into(), ..self }
    }

    /// Asks the browser at sign-out to drop its cache of the app (`Clear-Site-Data: "cache"`). Default: off.
    ///
    /// For an app whose pages browsers may store. Pages with `Cache-Control: no-store` do not need it.
    ///
    /// Risk: with a full cache, Chromium takes two to three seconds, and the sign-out waits for it.
    pub fn clear_cache_on_signout(self) -> Self {
        Self { clear_cache_on_signout: true, ..self }
    }
}
