//! Makes the configuration of the checked settings.

use sync_wrapper::SyncWrapper;

use super::check;
use super::{Config, OscAuthLayerBuilder};
use crate::error::ConfigError;
use crate::network::HttpClient;
use crate::oauth::Issuer;
use crate::sessions::{Admission, GroupKeys, Settings};
use crate::store::Keyring;
#[cfg(feature = "client")]
use crate::workspace::Platform;

impl OscAuthLayerBuilder {
    /// Checks the settings. Sends nothing.
    pub(crate) fn check(mut self) -> Result<(Config, Settings), ConfigError> {
        let issuer = Issuer::new(self.issuer.as_deref(), self.environment.as_deref(), self.known_endpoints)?;
        check::client(&self.client.0)?;
        if let Some(method) = self.auth_method {
            method.apply(&mut self.client.0)?;
        }
        check::authorization_params(&self.authorization_params)?;
        let public_urls = check::public_urls(&self.public_urls)?;
        check::paths(&self)?;
        check::base_paths(&self, &public_urls)?;
        check::timing(&self.timing)?;
        let cookies = check::cookie_mode(self.cookie_name.as_deref(), &public_urls)?;
        check::limits(&self)?;
        let pages = self.pages.check(&self.client.0)?;
        let store = self.store?;
        let secrets = check::cookie_keys(&self.cookie_keys, &self.client.0, store.is_some())?;
        #[cfg(feature = "client")]
        let extensions = {
            let platform = self.platform.as_deref().map(Platform::at).transpose()?;
            let mut extensions = http::Extensions::new();
            if let Some(platform) = platform.or_else(|| Platform::of(&issuer)) {
                extensions.insert(platform);
            }
            extensions
        };
        let http = HttpClient::new(self.configure_http.map(SyncWrapper::into_inner), self.clock.clone())?;
        for prefix in &mut self.public_paths.prefixes {
            prefix.truncate(prefix.trim_end_matches('/').len());
        }
        let settings = Settings {
            timing: self.timing,
            admission: Admission::new(self.authorize),
            max_sessions: self.max_sessions,
            scaled_down: self.scaled_down,
            issuer,
            client: self.client.0,
            http,
            clock: self.clock,
            store,
            registration_keys: Keyring::derive(&secrets, b"osc-auth-layer/v1 registration"),
            group_keys: GroupKeys::derive(&secrets),
            listeners: self.listeners,
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
            clear_cache_on_signout: self.clear_cache_on_signout,
            public_paths: self.public_paths,
            redirect_to_signin: self.redirect_to_signin,
            outage_status: self.outage_status,
            pages,
            scopes: self.scopes,
            authorization_params: self.authorization_params,
            cookies,
            cookie_keys: Keyring::derive(&secrets, b"osc-auth-layer/v1 state of a sign-in"),
        };
        Ok((config, settings))
    }
}
