#![cfg_attr(all(feature = "axum", feature = "client", feature = "redis"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "client", feature = "redis")),
    doc = "A Tower layer that signs visitors in with Open Source Cloud; the full text needs features `axum`, `client` and `redis`."
)]
//!
//! # Layout
//!
//! The file list is the way of the data: `service` takes a request and asks `authenticate`, which reads the session id
//! (`cookie`), finds the session (`session::table`) and looks at its token (`session::token`); a token that is due is
//! replaced by `session::refresh` through the `provider`. With a `store` behind the table, `session::stored` reads what
//! the table does not know to be current, and `session::lease` sees to it that one node refreshes. The layer's own paths
//! (`route`) are served by `endpoints`. Every answer is made in `response`; `network` alone sends requests to others, `store`
//! alone talks to Redis.

// A lock in a `match` is held in all of its arms, where it is easily taken again.
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
