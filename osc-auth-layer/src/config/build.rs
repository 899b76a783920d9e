//! Makes the configuration of the checked settings.

use sync_wrapper::SyncWrapper;

use super::check::{
    check_authorization_params, check_client, check_limits, check_paths, check_timing, cookie_keys,
    cookie_mode, parse_public_urls,
};
use super::{Builder, Config};
use crate::error::ConfigError;
use crate::network::HttpClient;
use crate::oauth::Issuer;
use crate::request::public_path::PublicPaths;
use crate::sessions::{Admission, Settings};
use crate::store::Keyring;
#[cfg(feature = "client")]
use crate::workspace::Platform;

impl Builder {
    /// Checks the settings. Sends nothing.
    pub(crate) fn check(mut self) -> Result<(Config, Settings), ConfigError> {
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
        let secrets = cookie_keys(&self.cookie_keys, &self.client.0, self.store.is_some())?;
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
        #[cfg(feature = "client")]
        let mut extensions = http::Extensions::new();
        #[cfg(feature = "client")]
        if let Some(platform) = platform {
            extensions.insert(platform);
        }
        let settings = Settings {
            timing: self.timing,
            admission: Admission::new(self.authorize),
            max_sessions: self.max_sessions,
            issuer,
            client: self.client.0,
            http,
            clock: self.clock,
            store: self.store,
            registration_keys: Keyring::derive(&secrets, b"osc-auth-layer/v1 registration"),
            #[cfg(feature = "client")]
            extensions,
        };
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
            authorization_params: self.authorization_params,
            cookies,
            cookie_keys: Keyring::derive(&secrets, b"osc-auth-layer/v1 pending sign-in cookie"),
        };
        Ok((config, settings))
    }
}
