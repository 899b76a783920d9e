use crate::provider::ClientConfig;
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
        Self(ClientConfig::Static { id: id.into(), secret: Some(Secret::new(secret.into())) })
    }

    /// A client without a secret, protected by PKCE alone (RFC 7636).
    pub fn public(id: impl Into<String>) -> Self {
        Self(ClientConfig::Static { id: id.into(), secret: None })
    }

    /// A client that registers itself under `name` at the first sign-in (RFC 7591).
    ///
    /// The registration lives in this process, and every restart makes a new one; with a session store all nodes share
    /// one, sealed under the cookie key.
    pub fn register(name: impl Into<String>) -> Self {
        Self(ClientConfig::Register { name: name.into() })
    }
}
