//! The identity provider: OAuth 2.0 with PKCE, one file per endpoint.

pub(crate) mod access_token;
pub(crate) mod authorize;
pub(crate) mod client;
pub(crate) mod client_auth;
pub(crate) mod error;
pub(crate) mod grants;
pub(crate) mod metadata;
pub(crate) mod page;
pub(crate) mod par;
pub(crate) mod redirect_uri;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;
