// The README's links lead to files. Of two definitions of a link the first counts, so here they lead to pages and URLs.
//! [Your first app]: guide::first_app
//! [Who the user is]: guide::user
//! [Where to put the layer in axum]: guide::axum_layer
//! [hyper and bare Tower]: guide::hyper
//! [Single-page apps]: guide::single_page_apps
//! [WebSockets and event streams]: guide::streams
//! [Acting in the workspace]: guide::workspace
//! [Forms and CSRF]: guide::forms
//! [Behind a proxy]: guide::proxy
//! [On Open Source Cloud]: guide::on_osc
//! [Sessions and stores]: guide::stores
//! [What is promised at refresh]: guide::refresh
//! [Testing your app]: guide::testing
//! [Answers, errors and logs]: guide::answers
//! [Configuration]: guide::configuration
//! [Security model]: guide::security
//! [From Express to Rust]: guide::from_express
//! [screenshot]: https://raw.githubusercontent.com/Eyevinn/osc-auth-layer/main/samples/screenshot.png
//! [Benchmarks]: https://github.com/Eyevinn/osc-auth-layer/blob/main/BENCHMARKS.md
//! [CONTRIBUTING.md]: https://github.com/Eyevinn/osc-auth-layer/blob/main/CONTRIBUTING.md
//! [SECURITY.md]: https://github.com/Eyevinn/osc-auth-layer/blob/main/SECURITY.md
//! [samples/axum]: https://github.com/Eyevinn/osc-auth-layer/blob/main/samples/axum
//! [samples/hyper]: https://github.com/Eyevinn/osc-auth-layer/blob/main/samples/hyper
//!
#![cfg_attr(
    all(feature = "axum", feature = "client", feature = "redis", feature = "test-util"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "axum", feature = "client", feature = "redis", feature = "test-util")),
    doc = "A Tower layer that signs users in with Open Source Cloud. Build the documentation with all features to get the full text."
)]
//!
//! # Source layout
//!
//! For readers of the source, the modules in the order in which a request passes them:
//!
//! 1. `service` receives the request and asks `authenticate` for a decision.
//! 2. `route` recognises the layer's own paths, and `endpoints` serves them.
//! 3. For all other paths, `cookie` reads the session id, and `session` finds the session and its token.
//! 4. `session` refreshes a token that is about to expire, through the `provider`. A `store` makes sure that only one node
//!    refreshes.
//! 5. `response` builds every answer that the layer gives by itself.
//!
//! Only `network` sends HTTP requests, and only `store` talks to Redis.

// A lock guard in a `match` head lives through all arms. An arm that takes the same lock would deadlock.
#![warn(clippy::significant_drop_in_scrutinee)]

mod authenticate;
#[cfg(feature = "axum")]
pub mod axum;
mod body;
#[cfg(feature = "client")]
pub mod client;
mod clock;
mod config;
mod cookie;
mod endpoints;
mod flight;
mod future;
#[cfg(all(doc, feature = "axum", feature = "client", feature = "redis", feature = "test-util"))]
pub mod guide;
mod layer;
mod network;
mod origin;
#[cfg(all(test, not(fuzzing)))]
mod properties;
#[cfg(fuzzing)]
pub mod properties;
mod provider;
mod public_path;
mod redact;
mod response;
mod route;
mod secret;
mod seldom;
mod service;
mod session;
mod shared;
mod store;
mod sweep;
#[cfg(feature = "test-util")]
pub mod test_util;

pub use self::body::ResponseBody;
#[cfg(feature = "client")]
pub use self::client::{ContextError, ContextErrorKind, OscContext};
pub use self::clock::Clock;
pub use self::config::{Builder, Client, ClientAuthMethod, ConfigError};
pub use self::future::ResponseFuture;
pub use self::layer::OscAuthLayer;
pub use self::service::OscAuth;
pub use self::session::{OscSession, OscToken, OscUser, SessionError, SessionErrorKind};
#[cfg(feature = "redis")]
pub use self::store::redis::RedisStore;
pub use self::store::{
    ENDED_FOR, Ending, Expiry, Found, Leased, Record, Replaced, SessionStore, StoreError, StoreFuture,
    Watcher, Watching,
};

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
