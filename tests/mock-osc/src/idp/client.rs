//! Registered clients.

use std::time::SystemTime;

use crate::idp::redirect_uri::RedirectUris;

/// A client of the identity provider. Without a secret it is public.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    /// `None` never expires.
    pub(crate) secret_expires_at: Option<SystemTime>,
    /// `None` allows any announced method.
    pub(crate) auth_method: Option<String>,
    pub(crate) name: String,
    pub(crate) redirect_uris: RedirectUris,
}

impl Client {
    pub(crate) fn new(id: String, secret: Option<String>, redirect_uris: RedirectUris) -> Self {
        let name = id.clone();
        Self { id, secret, secret_expires_at: None, auth_method: None, name, redirect_uris }
    }
}
