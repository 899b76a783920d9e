//! The layer.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::config::{Builder, Client, ConfigError};
use crate::service::OscAuth;
use crate::shared::Shared;

/// Signs visitors in with Open Source Cloud, and gives every request that reaches the wrapped service a valid
/// [`OscToken`](crate::OscToken), or answers it with 401.
///
/// Clones share their sessions. In axum it must be the last layer on the outermost router: it can answer only on paths
/// it gets to see (for other placements feature `axum` has `routes`).
///
/// ```no_run
/// use osc_auth_layer::{OscAuthLayer, OscToken};
/// use tower::ServiceBuilder;
///
/// # async fn handle(_: http::Request<String>) -> Result<http::Response<String>, std::convert::Infallible> { todo!() }
/// let auth = OscAuthLayer::from_env()?; // CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, …
/// let service = ServiceBuilder::new().layer(auth).service_fn(handle);
/// # Ok::<(), osc_auth_layer::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OscAuthLayer {
    pub(crate) shared: Arc<Shared>,
}

impl OscAuthLayer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Starts a configuration; only the client is required.
    pub fn builder(client: Client) -> Builder {
        Builder::new(client)
    }

    /// Starts a configuration from the environment variables that [`from_env`](Self::from_env) reads.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or cannot be used, and the remedy.
    pub fn builder_from_env() -> Result<Builder, ConfigError> {
        Builder::from_variables(|name| std::env::var_os(name))
    }

    /// Builds a layer from the environment. A variable that is empty counts as unset.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `CLIENT_ID` | the OAuth app's id; required unless `OSC_APP_NAME` is set |
    /// | `CLIENT_SECRET` | its secret; without it the client is public |
    /// | `OSC_APP_NAME` | without `CLIENT_ID`: the app registers itself under this name ([`Client::register`]); wants `COOKIE_KEY` |
    /// | `PUBLIC_URL` | the URL that browsers use for the app; several are separated by commas |
    /// | `OSC_HOSTNAME` | set by OSC; without `PUBLIC_URL`, `https://$OSC_HOSTNAME` is the public URL |
    /// | `CLIENT_AUTH_METHOD` | `client_secret_basic` or `client_secret_post`; what the provider announces unless set |
    /// | `OSC_ISSUER` | the provider, `https://app.osaas.io` unless set |
    /// | `COOKIE_KEY` | 32 bytes or more in base64, for sealed cookies |
    /// | `ALLOWED_WORKSPACES` | the workspaces whose users may enter, separated by commas; see [`Builder::allowed_workspaces`] |
    /// | `OSC_PLATFORM` | with feature `client`: a base URL of the platform's services for tests, see [`Builder`] |
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or cannot be used, and the remedy.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder_from_env()?.build()
    }

    /// Starts no further refresh, and waits up to `deadline` for those under way (and for revocations), so that no
    /// rotated refresh token is lost. Call it when the server has stopped. Tells whether all ended in time.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.shut_down(deadline).await
    }
}

impl<S> Layer<S> for OscAuthLayer {
    type Service = OscAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OscAuth::new(inner, self.shared.clone())
    }
}
