//! Checks the settings and builds the layer.

use sync_wrapper::SyncWrapper;

use super::check::{
    check_authorization_params, check_client, check_limits, check_paths, check_timing, cookie_keys,
    cookie_mode, parse_public_urls,
};
use super::{Admission, Builder, Config, ConfigError};
#[cfg(feature = "client")]
use crate::client::Platform;
use crate::layer::OscAuthLayer;
use crate::network::HttpClient;
use crate::provider::Issuer;
use crate::public_path::PublicPaths;
use crate::shared::Shared;

impl Builder {
    /// Checks the settings and builds the layer. Works outside a Tokio runtime and sends nothing.
    ///
    /// TLS uses the rustls crypto provider that the process has installed, or else aws-lc-rs for this layer only. The layer
    /// installs no provider, so your app may install its own before or afterwards.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is missing or cannot be used, and says what to do.
    pub fn build(mut self) -> Result<OscAuthLayer, ConfigError> {
        let issuer = Issuer::new(self.issuer.as_deref(), self.environment.as_deref(), self.known_endpoints)?;
        check_client(&self.client.0)?;
        if let Some(method) = self.auth_method {
            method.apply(&mut self.client.0)?;
        }
        check_authorization_params(&self.authorization_params)?;
        let public_urls = parse_public_urls(&self.public_urls)?;
        check_paths(&self)?;
        check_timing(&self.timing)?;
        let cookies = cookie_mode(&self.cookie_name, &public_urls)?;
        let cookie_keys = cookie_keys(&self.cookie_keys, &self.client.0, self.store.is_some())?;
        check_limits(&self)?;
        #[cfg(feature = "client")]
        let platform = match &self.platform {
            Some(base) => Some(Platform::at(base)?),
            None => Platform::of(&issuer),
        };
        let http = HttpClient::new(self.configure_http.map(SyncWrapper::into_inner), self.clock.clone())?;
        let mut public_paths = PublicPaths::default();
        self.public_paths.iter().for_each(|path| public_paths.allow(path));
        self.public_prefixes.iter().for_each(|prefix| public_paths.allow_below(prefix));
        if self.optional {
            public_paths.allow_every();
        }
        let config = Config {
            public_urls,
            is_osc_hostname: self.is_osc_hostname,
            signin_path: self.signin_path,
            callback_path: self.callback_path,
            signout_path: self.signout_path,
            session_path: self.session_path,
            after_signin: self.after_signin,
            after_signout: self.after_signout,
            public_paths,
            redirect_to_signin: self.redirect_to_signin,
            outage_status: self.outage_status,
            scopes: self.scopes,
            admission: Admission::new(self.authorize),
            authorization_params: self.authorization_params,
            timing: self.timing,
            max_sessions: self.max_sessions,
            cookies,
            cookie_keys,
            #[cfg(feature = "client")]
            platform,
        };
        Ok(OscAuthLayer::new(Shared::new(config, issuer, self.client.0, http, self.clock, self.store)))
    }
}
