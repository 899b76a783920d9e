//! What the scenarios share: an app behind the layer, a browser with a cookie jar, and a provider to sign in with.

mod app;
mod browser;
mod logs;

pub use app::{App, Body, app, boxed, echo, layer, layer_for, token_of};
pub use browser::{Answer, Browser, location, path_of};
pub use logs::Logs;
