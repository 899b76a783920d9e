//! Acting on the user's behalf: a client for Open Source Cloud (feature `client`).
//!
//! [`OscContext`] comes from a token or a session and is all a handler needs. Its answers are the other types here.

mod access;
mod answer;
mod builder;
mod catalog;
mod context;
mod error;
mod hosts;
mod instance;
mod instances;
mod platform;
mod request;
mod service_token;
mod source;
mod subscribe;
mod wait;
mod workspace;

pub(crate) use self::access::LIMITS;
pub use self::builder::ContextBuilder;
pub use self::catalog::{App, ServiceType, Subscription, TokenBalance};
pub use self::context::OscContext;
pub use self::error::{ContextError, ContextErrorKind};
pub use self::instance::{Instance, InstanceHealth, InstanceRef, Port, Scaling};
pub(crate) use self::platform::Platform;
pub use self::service_token::ServiceAccessToken;
pub(crate) use self::workspace::Workspace;
