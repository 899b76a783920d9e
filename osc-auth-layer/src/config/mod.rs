//! The configuration: collected by the [`OscAuthLayerBuilder`], checked once by `build()`, immutable afterwards.

mod announcement;
mod authorization;
mod build;
mod builder;
mod check;
mod client;
mod env;
mod pages;
mod route;
mod store;
#[cfg(test)]
mod tests;

pub use self::builder::OscAuthLayerBuilder;
pub use self::client::{ClientAuthMethod, OAuthClient};
pub(crate) use self::route::{Endpoint, route};
use crate::pages::Pages;
use crate::request::cookie::CookieMode;
use crate::request::origin::PublicUrl;
use crate::request::public_path::PublicPaths;
use crate::store::Keyring;

/// The checked settings of a layer.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) public_urls: Vec<PublicUrl>,
    /// True if the public URL comes from `OSC_HOSTNAME`, because `PUBLIC_URL` is not set.
    pub(crate) is_osc_hostname: bool,
    pub(crate) signin_path: String,
    pub(crate) callback_path: String,
    pub(crate) signout_path: String,
    pub(crate) session_path: String,
    pub(crate) after_signin: String,
    pub(crate) after_signout: String,
    pub(crate) clear_cache_on_signout: bool,
    pub(crate) public_paths: PublicPaths,
    pub(crate) redirect_to_signin: bool,
    pub(crate) outage_status: http::StatusCode,
    pub(crate) pages: Pages,
    pub(crate) scopes: Vec<String>,
    /// Constant parameters. None of them is one that the layer sets itself.
    pub(crate) authorization_params: Vec<(String, String)>,
    pub(crate) cookies: CookieMode,
    /// The keys for the cookies of pending sign-ins.
    pub(crate) cookie_keys: Keyring,
}
