// The README's links lead to files. Of two definitions of a link the first counts, so here they lead to pages and URLs.
//! [Your first app]: guide::first_app
//! [Who the user is]: guide::user
//! [Where to put the layer in axum]: guide::axum_layer
//! [hyper and bare Tower]: guide::hyper
//! [Other frameworks]: guide::frameworks
//! [Single-page apps]: guide::single_page_apps
//! [WebSockets and event streams]: guide::streams
//! [Acting in the workspace]: guide::workspace
//! [Calling your own APIs]: guide::outbound
//! [Forms and CSRF]: guide::forms
//! [Kinds of requests]: guide::navigation
//! [The layer's pages]: guide::pages
//! [Behind a proxy]: guide::proxy
//! [On Open Source Cloud]: guide::on_osc
//! [Sessions and stores]: guide::stores
//! [What is promised at refresh]: guide::refresh
//! [Metrics and spans]: guide::observability
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
    all(
        feature = "axum",
        feature = "client",
        feature = "metrics",
        feature = "outbound",
        feature = "postgres",
        feature = "redis",
        feature = "sqlite",
        feature = "test-util"
    ),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "client",
        feature = "metrics",
        feature = "outbound",
        feature = "postgres",
        feature = "redis",
        feature = "sqlite",
        feature = "test-util"
    )),
    doc = "A Tower layer that signs users in with Open Source Cloud. Build the documentation with all features to get the full text."
)]
//!
//! # Types of other crates
//!
//! These crates are part of the API: `http` 1, `http-body` 1, `bytes` 1, `futures-core` 0.3, `tower-layer` 0.3 and `tower-service` 0.3,
//! and `reqwest` 0.13 in [`configure_http`](OscAuthLayerBuilder::configure_http). With their features: `axum` 0.8, `serde_json` 1
//! (`client`), the client of `reqwest` (`outbound`), and the pools of `sqlx` 0.9 (`postgres`, `sqlite`). Taking another of
//! these versions is a breaking change of this crate.
//!
//! # Source layout
//!
//! For readers of the source, the modules in the order in which a request passes them:
//!
//! 1. `service` receives the request and asks `gate` for a decision.
//! 2. `endpoints` recognises the layer's own paths and serves them.
//! 3. For all other paths, `request` reads the session id, and `sessions` finds the session and its token.
//! 4. `sessions` refreshes a token that is about to expire, through `oauth`. A `store` makes sure that only one node refreshes.
//! 5. `response` builds every answer that the layer gives by itself.
//!
//! Only `network` sends the layer's HTTP requests, only `outbound` sends your app's, and only `store` talks to databases. No
//! module imports from one above it. CONTRIBUTING.md has a drawing.

#![cfg_attr(docsrs, feature(doc_cfg))]
// A lock guard in a `match` head lives through all arms. An arm that takes the same lock would deadlock.
#![warn(clippy::significant_drop_in_scrutinee)]

#[cfg(feature = "axum")]
pub mod axum;
mod bells;
mod body;
mod caching;
mod clock;
mod config;
mod drain;
mod endpoints;
mod error;
mod finding;
mod flight;
mod future;
mod gate;
#[cfg(all(
    doc,
    feature = "axum",
    feature = "client",
    feature = "metrics",
    feature = "outbound",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite",
    feature = "test-util"
))]
pub mod guide;
mod layer;
mod meter;
mod network;
mod oauth;
#[cfg(feature = "outbound")]
pub mod outbound;
mod pages;
pub mod preflight;
// Beside the fuzz targets that call them. Public for these.
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/mod.rs"]
pub mod properties;
mod readiness;
mod redact;
mod request;
mod response;
mod secret;
mod seldom;
mod service;
mod sessions;
pub mod store;
mod sweeper;
mod tasks;
#[cfg(feature = "test-util")]
pub mod test_util;
#[cfg(feature = "client")]
pub mod workspace;

pub use self::body::ResponseBody;
pub use self::clock::Clock;
pub use self::config::{ClientAuthMethod, OAuthClient, OscAuthLayerBuilder};
pub use self::drain::{Drain, DrainBody, DrainLayer};
pub use self::error::ConfigError;
pub use self::future::ResponseFuture;
pub use self::layer::{OscAuthLayer, ShutdownError};
#[cfg(feature = "outbound")]
pub use self::outbound::{Outbound, OutboundError, OutboundErrorKind};
pub use self::pages::{Page, PageAction, PageHtml};
pub use self::readiness::{Impairment, Readiness};
pub use self::response::RequestHead;
pub use self::service::OscAuth;
pub use self::sessions::{
    EndReason, OscSession, OscToken, OscUser, OscVisitor, OtherUser, SessionError, SessionErrorKind,
    SessionEvent, SessionEventKind, SessionInfo, UserSessions,
};
#[cfg(feature = "client")]
pub use self::workspace::{ContextError, ContextErrorKind, OscContext};
