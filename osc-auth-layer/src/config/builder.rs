//! The collected settings of a layer, with their defaults. Each submodule has the setters of one topic.

mod access;
mod endpoints;
mod provider;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use sync_wrapper::SyncWrapper;

use super::pages::PageSettings;
use super::{ClientAuthMethod, OAuthClient};
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, quoted};
use crate::request::public_path::PublicPaths;
use crate::sessions::{Authorize, Listener, Timing};
use crate::store::SessionStore;

type ConfigureHttp = Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

/// Configures an [`OscAuthLayer`](crate::OscAuthLayer). Every setter is optional.
///
/// ```
/// use osc_auth_layer::{OAuthClient, OscAuthLayer};
///
/// let auth = OscAuthLayer::builder(OAuthClient::public("cli"))
///     .public_url("https://app.example.com")
///     .public_path("/")
///     .public_prefix("/static")
///     .redirect_to_signin()
///     .build()?;
/// # Ok::<(), osc_auth_layer::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build()`"]
pub struct OscAuthLayerBuilder {
    pub(super) client: OAuthClient,
    pub(super) auth_method: Option<ClientAuthMethod>,
    pub(super) issuer: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) known_endpoints: bool,
    pub(super) public_urls: Vec<String>,
    /// True if the public URL comes from `OSC_HOSTNAME`, because `PUBLIC_URL` is not set.
    pub(super) is_osc_hostname: bool,
    pub(super) scopes: Vec<String>,
    pub(super) authorization_params: Vec<(String, String)>,
    pub(super) signin_path: String,
    pub(super) callback_path: String,
    pub(super) signout_path: String,
    pub(super) session_path: String,
    pub(super) authorize: Vec<Authorize>,
    pub(super) listeners: Vec<Listener>,
    pub(super) after_signin: String,
    pub(super) after_signout: String,
    pub(super) clear_cache_on_signout: bool,
    pub(super) public_paths: PublicPaths,
    pub(super) redirect_to_signin: bool,
    pub(super) outage_status: StatusCode,
    pub(super) pages: PageSettings,
    pub(super) timing: Timing,
    pub(super) max_sessions: usize,
    /// See [`scaled_down`](Self::scaled_down).
    pub(super) scaled_down: usize,
    pub(super) cookie_name: Option<String>,
    pub(super) cookie_keys: Vec<Vec<u8>>,
    /// The result of the last of `store` and `store_url`. `build()` reports its error.
    pub(super) store: Result<Option<Arc<dyn SessionStore>>, ConfigError>,
    pub(super) configure_http: Option<SyncWrapper<ConfigureHttp>>,
    pub(super) clock: Arc<dyn Clock>,
    #[cfg(feature = "client")]
    pub(super) platform: Option<String>,
}

impl OscAuthLayerBuilder {
    pub(crate) fn new(client: OAuthClient) -> Self {
        Self {
            client,
            auth_method: None,
            issuer: None,
            environment: None,
            known_endpoints: false,
            public_urls: Vec::new(),
            is_osc_hostname: false,
            scopes: Vec::new(),
            authorization_params: Vec::new(),
            signin_path: "/auth/signin".to_owned(),
            callback_path: "/auth/callback".to_owned(),
            signout_path: "/auth/signout".to_owned(),
            session_path: "/auth/session".to_owned(),
            authorize: Vec::new(),
            listeners: Vec::new(),
            after_signin: "/".to_owned(),
            after_signout: "/".to_owned(),
            clear_cache_on_signout: false,
            public_paths: PublicPaths::default(),
            redirect_to_signin: false,
            outage_status: StatusCode::SERVICE_UNAVAILABLE,
            pages: PageSettings::default(),
            timing: Timing {
                refresh_leeway: Duration::from_secs(60),
                refresh_ahead: Duration::from_secs(5 * 60),
                idle_timeout: Duration::from_secs(24 * 60 * 60),
                absolute_timeout: Duration::from_secs(30 * 24 * 60 * 60),
            },
            max_sessions: 100_000,
            scaled_down: 1,
            cookie_name: None,
            cookie_keys: Vec::new(),
            store: Ok(None),
            configure_http: None,
            clock: Arc::new(SystemClock),
            #[cfg(feature = "client")]
            platform: None,
        }
    }
}

impl std::fmt::Debug for OscAuthLayerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OscAuthLayerBuilder")
            .field("client", &self.client)
            .field("issuer", &self.issuer.as_deref().map(quoted))
            .field("environment", &self.environment)
            .field("public_urls", &self.public_urls.iter().map(|url| quoted(url)).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
