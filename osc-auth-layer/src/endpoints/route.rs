//! Recognises the layer's own paths.

use crate::config::Config;

/// An endpoint that the layer serves itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Endpoint {
    SignIn,
    Callback,
    SignOut,
    Session,
}

/// Returns the endpoint of a path. Compares the raw path: a path that only decodes to one of the layer's belongs to the app and
/// is protected.
pub(crate) fn route(config: &Config, path: &str) -> Option<Endpoint> {
    if path == config.signin_path {
        Some(Endpoint::SignIn)
    } else if path == config.callback_path {
        Some(Endpoint::Callback)
    } else if path == config.signout_path {
        Some(Endpoint::SignOut)
    } else if path == config.session_path {
        Some(Endpoint::Session)
    } else {
        None
    }
}

impl Endpoint {
    /// Returns the only method that the endpoint accepts.
    pub(crate) fn method(self) -> http::Method {
        match self {
            Self::SignIn | Self::Callback | Self::Session => http::Method::GET,
            Self::SignOut => http::Method::POST,
        }
    }
}
