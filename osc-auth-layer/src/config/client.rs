use super::ConfigError;
use crate::provider::{AuthMethod, ClientConfig};
use crate::secret::Secret;

/// Who this app is to the provider (RFC 6749 §2).
///
/// ```
/// use osc_auth_layer::Client;
///
/// let by_hand = Client::confidential("osc_0123456789abcdefghijklmn", "osc_secret_…");
/// let without_a_secret = Client::public("cli");
/// let registered_at_first_use = Client::register("My app");
/// ```
#[derive(Clone, Debug)]
pub struct Client(pub(crate) ClientConfig);

impl Client {
    /// A client with a secret, as the console creates them (My Apps, OAuth Apps).
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(ClientConfig::Static {
            id: id.into(),
            secret: Some(Secret::new(secret.into())),
            auth_method: None,
        })
    }

    /// A client without a secret, protected by PKCE alone (RFC 7636).
    pub fn public(id: impl Into<String>) -> Self {
        Self(ClientConfig::Static { id: id.into(), secret: None, auth_method: None })
    }

    /// A client that registers itself under `name` at the first sign-in (RFC 7591).
    ///
    /// The registration lives in this process, and every restart makes a new one; with a session store all nodes share
    /// one, sealed under the cookie key.
    pub fn register(name: impl Into<String>) -> Self {
        Self(ClientConfig::Register { name: name.into() })
    }
}

/// How a client with a secret authenticates (RFC 6749 §2.3.1), by the names of RFC 7591 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// `client_secret_basic`: id and secret in the `Authorization` header.
    ClientSecretBasic,
    /// `client_secret_post`: id and secret in the request's form.
    ClientSecretPost,
}

const SETTING: &str = "CLIENT_AUTH_METHOD / auth_method";

impl ClientAuthMethod {
    pub(super) fn parse(name: &str) -> Result<Self, ConfigError> {
        match AuthMethod::parse(name) {
            Some(AuthMethod::Basic) => Ok(Self::ClientSecretBasic),
            Some(AuthMethod::Post) => Ok(Self::ClientSecretPost),
            Some(AuthMethod::None) | None => {
                let remedy = "set it to client_secret_basic or client_secret_post, or leave it out to use what the provider \
                              announces";
                Err(ConfigError::invalid(SETTING, format!("is {name:?}"), remedy))
            }
        }
    }

    /// Makes it the method of `client`, which has to be one with a configured secret.
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
                invalid("is set for a client without a secret", "set CLIENT_SECRET, or leave the method out")
            }
            ClientConfig::Register { .. } => invalid(
                "is set for a client that registers itself",
                "leave it out: the client agrees on a method with the provider when it registers",
            ),
        }
    }
}
