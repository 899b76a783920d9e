//! The mock's behaviour over a real socket.

#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

mod accounts;
mod authorize;
mod client_auth;
mod creation;
mod deploy;
mod fault;
mod grant;
mod hosts;
mod identity;
mod instances;
mod listening;
mod platform;
mod problem;
mod register;
mod service_token;
mod subscriptions;
mod support;
mod user;
