use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Builder, Client, ConfigError};

impl Builder {
    /// Reads the settings from `variable`, which answers for the environment.
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, ConfigError> {
        let text = |name: &'static str| match variable(name).map(std::ffi::OsString::into_string) {
            Some(Err(_)) => Err(ConfigError::invalid(name, "is not UTF-8", "set it to plain text")),
            Some(Ok(value)) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
            None => Ok(None),
        };
        let id = text("CLIENT_ID")?.ok_or_else(|| {
            ConfigError::missing(
                "CLIENT_ID",
                "create an OAuth app in the OSC console (My Apps, OAuth Apps) and set CLIENT_ID and CLIENT_SECRET, \
                 or build the layer with Client::register",
            )
        })?;
        let client = match text("CLIENT_SECRET")? {
            Some(secret) => Client::confidential(id, secret),
            None => {
                tracing::info!("CLIENT_SECRET is not set: the app is a public client");
                Client::public(id)
            }
        };
        let mut builder = Self::new(client);
        if let Some(issuer) = text("OSC_ISSUER")? {
            builder = builder.issuer(issuer);
        }
        for url in text("PUBLIC_URL")?.iter().flat_map(|urls| urls.split([',', ' '])) {
            if !url.is_empty() {
                builder = builder.public_url(url);
            }
        }
        #[cfg(feature = "client")]
        if let Some(base) = text("OSC_PLATFORM")? {
            builder = builder.platform(base);
        }
        if let Some(key) = text("COOKIE_KEY")? {
            let bytes = STANDARD.decode(&key).or_else(|_| STANDARD_NO_PAD.decode(&key));
            // The decoder's own error would quote a byte of the key.
            let bytes = bytes.map_err(|_| {
                ConfigError::invalid(
                    "COOKIE_KEY / cookie_key",
                    "is not base64",
                    "set it to what `openssl rand -base64 32` prints",
                )
            })?;
            builder = builder.cookie_key(bytes);
        }
        Ok(builder)
    }
}
