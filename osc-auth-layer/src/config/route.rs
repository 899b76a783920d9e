//! Recognises the layer's own paths.

use super::Config;

/// An endpoint that the layer serves itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Endpoint {
    SignIn,
    Callback,
    SignOut,
    Session,
}

impl Endpoint {
    /// Returns the name in spans.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SignIn => "signin",
            Self::Callback => "callback",
            Self::SignOut => "signout",
            Self::Session => "session",
        }
    }
}

/// Returns the endpoint of a path. Compares the raw path: a path that only decodes to one of the layer's belongs to the app and
/// is protected.
pub(crate) fn route(config: &Config, path: &str) -> Option<Endpoint> {
    let endpoints = [
        (&config.signin_path, Endpoint::SignIn),
        (&config.callback_path, Endpoint::Callback),
        (&config.signout_path, Endpoint::SignOut),
        (&config.session_path, Endpoint::Session),
    ];
    endpoints.into_iter().find_map(|(own, endpoint)| (own == path).then_some(endpoint))
}
