//! What the mock promises, over a real socket.

#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

mod authorize;
mod client_auth;
mod fault;
mod grant;
mod instances;
mod listening;
mod platform;
mod problem;
mod register;
mod service_token;
mod subscriptions;
mod support;
mod user;
