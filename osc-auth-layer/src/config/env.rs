use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{ClientAuthMethod, OAuthClient, OscAuthLayerBuilder};
use crate::error::{ConfigError, quoted, text};
use crate::oauth::ClientConfig;

impl OscAuthLayerBuilder {
    /// Reads the settings from `variable`, which stands for the process's environment in tests.
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, ConfigError> {
        let text = |name| text(&variable, name);
        let client = match (text("CLIENT_ID")?, text("CLIENT_SECRET")?, text("OSC_APP_NAME")?) {
            (Some(id), Some(secret), _) => OAuthClient::confidential(id, secret),
            (Some(id), None, _) => {
                tracing::info!("CLIENT_SECRET is not set. The app signs users in as a public client.");
                OAuthClient::public(id)
            }
            (None, Some(_), Some(_)) => {
                let remedy = "Set the id that belongs to CLIENT_SECRET. Or unset CLIENT_SECRET, and the app registers itself \
                              as OSC_APP_NAME.";
                return Err(ConfigError::missing("CLIENT_ID", remedy));
            }
            (None, None, Some(name)) => OAuthClient::register(name),
            (None, _, None) => {
                let remedy = "Create an OAuth app in the OSC console (My Apps, OAuth Apps) and set CLIENT_ID and \
                              CLIENT_SECRET. Or set OSC_APP_NAME, and the app registers itself under that name.";
                return Err(ConfigError::missing("CLIENT_ID", remedy));
            }
        };
        if matches!(client.0, ClientConfig::Register { .. }) && text("COOKIE_KEY")?.is_none() {
            let remedy = "An app that registers itself needs a key. Set COOKIE_KEY to the output of openssl rand -base64 32, \
                          the same for all its instances.";
            return Err(ConfigError::missing("COOKIE_KEY", remedy));
        }
        let mut builder = Self::new(client);
        builder.auth_method =
            text("CLIENT_AUTH_METHOD")?.map(|method| ClientAuthMethod::parse(&method)).transpose()?;
        builder.pages.app_name = text("OSC_APP_NAME")?;
        builder.issuer = text("OSC_ISSUER")?;
        builder.public_urls = list(&text("PUBLIC_URL")?.unwrap_or_default());
        if builder.public_urls.is_empty()
            && let Some(host) = text("OSC_HOSTNAME")?
        {
            if !is_host_name(&host) {
                let problem = format!("is {}, which is not a host name", quoted(&host));
                let remedy = "Set PUBLIC_URL to the URL that browsers use, such as https://app.example.com.";
                return Err(ConfigError::invalid("OSC_HOSTNAME", problem, remedy));
            }
            builder.public_urls.push(format!("https://{host}"));
            builder.is_osc_hostname = true;
        }
        if let Some(url) = text("SESSION_STORE")? {
            builder = builder.store_url(url);
        }
        #[cfg(feature = "client")]
        {
            builder.platform = text("OSC_PLATFORM")?;
        }
        if let Some(workspaces) = text("ALLOWED_WORKSPACES")? {
            builder = builder.allowed_workspaces(list(&workspaces));
        }
        builder.cookie_name = text("COOKIE_NAME")?;
        if let Some(key) = text("COOKIE_KEY")? {
            let bytes = STANDARD.decode(&key).or_else(|_| STANDARD_NO_PAD.decode(&key));
            // Not the decoder's own error, which would quote a byte of the key.
            builder.cookie_keys.push(bytes.map_err(|_| {
                let remedy = "Set it to the output of openssl rand -base64 32.";
                ConfigError::invalid("COOKIE_KEY / cookie_key", "is not base64", remedy)
            })?);
        }
        Ok(builder)
    }
}

/// Splits a list at commas and spaces.
fn list(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Returns true for a bare host name (RFC 1123 §2.1), without scheme, port or path.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}
