use crate::error::ConfigError;
use crate::oauth::{AuthMethod, ClientConfig};
use crate::secret::Secret;

/// Identifies your app to the provider, as an OAuth client (RFC 6749 §2).
///
/// ```
/// use osc_auth_layer::OAuthClient;
///
/// let by_hand = OAuthClient::confidential("osc_0123456789abcdefghijklmn", "osc_secret_…");
/// let without_a_secret = OAuthClient::public("cli");
/// let registered_at_first_use = OAuthClient::register("My app");
/// ```
#[derive(Clone, Debug)]
pub struct OAuthClient(pub(crate) ClientConfig);

impl OAuthClient {
    /// Makes a client with a secret, as the OSC console creates them (*My Apps*, *OAuth Apps*).
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(ClientConfig::Static {
            id: id.into(),
            secret: Some(Secret::new(secret.into())),
            auth_method: None,
        })
    }

    /// Makes a client without a secret. Only PKCE protects its sign-ins (RFC 7636).
    pub fn public(id: impl Into<String>) -> Self {
        Self(ClientConfig::Static { id: id.into(), secret: None, auth_method: None })
    }

    /// Makes a client that registers itself under `name` at the first sign-in (RFC 7591). Users read the name on the
    /// consent page and on the layer's pages, where [`app_name`](crate::OscAuthLayerBuilder::app_name) can set another. At most 100
    /// characters.
    ///
    /// Without a session store, the registration lives in this process, and every restart makes a new one. With a store,
    /// all nodes share one registration, sealed under the cookie key.
    pub fn register(name: impl Into<String>) -> Self {
        Self(ClientConfig::Register { name: name.into() })
    }
}

/// Says how a client with a secret authenticates (RFC 6749 §2.3.1). The names are those of RFC 7591 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// `client_secret_basic`: sends id and secret in the `Authorization` header.
    ClientSecretBasic,
    /// `client_secret_post`: sends id and secret in the request's form.
    ClientSecretPost,
}

const SETTING: &str = "CLIENT_AUTH_METHOD / auth_method";

impl ClientAuthMethod {
    pub(super) fn parse(name: &str) -> Result<Self, ConfigError> {
        match AuthMethod::parse(name) {
            Some(AuthMethod::Basic) => Ok(Self::ClientSecretBasic),
            Some(AuthMethod::Post) => Ok(Self::ClientSecretPost),
            Some(AuthMethod::None) | None => {
                let problem = format!("is {name:?}, which is not a supported method");
                let remedy = "Set it to client_secret_basic or client_secret_post, or leave it out to use a method that the \
                              provider announces.";
                Err(ConfigError::invalid(SETTING, problem, remedy))
            }
        }
    }

    /// Sets this method on `client`. Fails unless the client has a configured secret.
    pub(super) fn apply(self, client: &mut ClientConfig) -> Result<(), ConfigError> {
        let invalid = |problem, remedy: &str| Err(ConfigError::invalid(SETTING, problem, remedy));
        match client {
            ClientConfig::Static { secret: Some(_), auth_method, .. } => {
                *auth_method = Some(match self {
                    Self::ClientSecretBasic => AuthMethod::Basic,
                    Self::ClientSecretPost => AuthMethod::Post,
                });
                Ok(())
            }
            ClientConfig::Static { secret: None, .. } => {
                invalid("is set for a client without a secret", "Set CLIENT_SECRET, or leave the method out.")
            }
            ClientConfig::Register { .. } => invalid(
                "is set for a client that registers itself",
                "Leave it out. The client agrees on a method with the provider when it registers.",
            ),
        }
    }
}
