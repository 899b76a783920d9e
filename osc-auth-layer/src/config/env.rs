use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Builder, Client, ClientAuthMethod};
use crate::error::{ConfigError, quoted, text};
use crate::oauth::ClientConfig;

impl Builder {
    /// Reads the settings from `variable`, which stands for the process's environment in tests.
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, ConfigError> {
        let text = |name| text(&variable, name);
        let client = match (text("CLIENT_ID")?, text("CLIENT_SECRET")?, text("OSC_APP_NAME")?) {
            (Some(id), Some(secret), _) => Client::confidential(id, secret),
            (Some(id), None, _) => {
                tracing::info!("CLIENT_SECRET is not set. The app signs users in as a public client.");
                Client::public(id)
            }
            (None, Some(_), Some(_)) => {
                return Err(ConfigError::missing(
                    "CLIENT_ID",
                    "Set the id that belongs to CLIENT_SECRET. Or unset CLIENT_SECRET, and the app registers itself as OSC_APP_NAME.",
                ));
            }
            (None, None, Some(name)) => Client::register(name),
            (None, _, None) => {
                return Err(ConfigError::missing(
                    "CLIENT_ID",
                    "Create an OAuth app in the OSC console (My Apps, OAuth Apps) and set CLIENT_ID and CLIENT_SECRET. \
                     Or set OSC_APP_NAME, and the app registers itself under that name.",
                ));
            }
        };
        let registers = matches!(client.0, ClientConfig::Register { .. });
        if registers && text("COOKIE_KEY")?.is_none() {
            return Err(ConfigError::missing(
                "COOKIE_KEY",
                "An app that registers itself needs a key. Set COOKIE_KEY to the output of openssl rand -base64 32, the \
                 same for all its instances.",
            ));
        }
        let mut builder = Self::new(client);
        if let Some(method) = text("CLIENT_AUTH_METHOD")? {
            builder = builder.auth_method(ClientAuthMethod::parse(&method)?);
        }
        if let Some(issuer) = text("OSC_ISSUER")? {
            builder = builder.issuer(issuer);
        }
        let public_urls = text("PUBLIC_URL")?.unwrap_or_default();
        for url in public_urls.split([',', ' ']).filter(|url| !url.is_empty()) {
            builder = builder.public_url(url);
        }
        if builder.public_urls.is_empty()
            && let Some(host) = text("OSC_HOSTNAME")?
        {
            if !is_host_name(&host) {
                let problem = format!("is {}, which is not a host name", quoted(&host));
                let remedy = "Set PUBLIC_URL to the URL that browsers use, such as https://app.example.com.";
                return Err(ConfigError::invalid("OSC_HOSTNAME", problem, remedy));
            }
            builder = builder.public_url(format!("https://{host}"));
            builder.is_osc_hostname = true;
        }
        #[cfg(feature = "client")]
        if let Some(base) = text("OSC_PLATFORM")? {
            builder = builder.platform(base);
        }
        if let Some(workspaces) = text("ALLOWED_WORKSPACES")? {
            let names = workspaces.split([',', ' ']).filter(|name| !name.is_empty());
            builder = builder.allowed_workspaces(names);
        }
        if let Some(key) = text("COOKIE_KEY")? {
            let bytes = STANDARD.decode(&key).or_else(|_| STANDARD_NO_PAD.decode(&key));
            // Not the decoder's own error, which would quote a byte of the key.
            let bytes = bytes.map_err(|_| {
                ConfigError::invalid(
                    "COOKIE_KEY / cookie_key",
                    "is not base64",
                    "Set it to the output of openssl rand -base64 32.",
                )
            })?;
            builder = builder.cookie_key(bytes);
        }
        Ok(builder)
    }
}

/// Returns true for a bare host name (RFC 1123 §2.1), without scheme, port or path.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}
