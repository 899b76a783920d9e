//! The settings of a mock. The builder sets them, and tests can change them later.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;

use crate::accounts::{Account, Accounts};
use crate::endpoint::Endpoint;
use crate::idp::access_token::AccessTokenSettings;
use crate::platform::PlatformSettings;

/// The fate of a refresh token after its use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// Each refresh returns a new refresh token. A second use of an old one revokes the whole grant (RFC 9700
    /// §4.14.2).
    #[default]
    Always,
    /// Each refresh returns a new refresh token. A second use of an old one is refused, but the grant stays
    /// valid.
    WithoutReuseDetection,
    /// The refresh token stays the same, and the answer leaves it out (RFC 6749 §6).
    Never,
    /// The refresh token stays the same, and the answer repeats it.
    Repeat,
}

/// Fields of a JSON answer to set (`Some`) or to leave out (`None`).
pub(crate) type Overrides = BTreeMap<String, Option<Value>>;

/// Applies the overrides to a JSON object.
pub(crate) fn override_fields(object: &mut Value, overrides: &Overrides) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    for (name, value) in overrides {
        match value {
            Some(value) => object.insert(name.clone(), value.clone()),
            None => object.remove(name),
        };
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) issuer: String,
    pub(crate) platform_url: String,
    /// The site of the services' APIs. `None` means the environment itself.
    pub(crate) api_site: Option<String>,
    pub(crate) token_ttl: Duration,
    pub(crate) access_token: AccessTokenSettings,
    pub(crate) accounts: Accounts,
    pub(crate) rotation: Rotation,
    pub(crate) refresh_grace: Duration,
    pub(crate) loose_redirect_uris: bool,
    pub(crate) metadata: bool,
    pub(crate) iss: bool,
    pub(crate) par: bool,
    pub(crate) require_par: bool,
    pub(crate) revocation: bool,
    /// The account that allows the access at once. `None` shows the consent page.
    pub(crate) auto_consent: Option<Account>,
    pub(crate) delays: HashMap<Endpoint, Duration>,
    pub(crate) auth_methods: Vec<String>,
    pub(crate) registered_secret_ttl: Option<Duration>,
    pub(crate) metadata_fields: Overrides,
    pub(crate) token_fields: Overrides,
    pub(crate) platform: PlatformSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            platform_url: String::new(),
            api_site: None,
            token_ttl: Duration::from_secs(3600),
            access_token: AccessTokenSettings::default(),
            accounts: Accounts::default(),
            rotation: Rotation::default(),
            refresh_grace: Duration::ZERO,
            loose_redirect_uris: false,
            metadata: true,
            iss: false,
            par: false,
            require_par: false,
            revocation: true,
            auto_consent: None,
            delays: HashMap::new(),
            auth_methods: ["client_secret_post", "client_secret_basic", "none"].map(str::to_owned).to_vec(),
            registered_secret_ttl: None,
            metadata_fields: Overrides::new(),
            token_fields: Overrides::new(),
            platform: PlatformSettings::default(),
        }
    }
}
