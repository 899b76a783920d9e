//! Which of the layer's own endpoints a path is, if any.

use crate::config::Config;

/// The paths the layer serves itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Endpoint {
    SignIn,
    Callback,
    SignOut,
    Session,
}

/// The raw path is compared: what only decodes to one of ours belongs to the app, and is protected.
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
    /// The one method it answers to.
    pub(crate) fn method(self) -> http::Method {
        match self {
            Self::SignIn | Self::Callback | Self::Session => http::Method::GET,
            Self::SignOut => http::Method::POST,
        }
    }
}
