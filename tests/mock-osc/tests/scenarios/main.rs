//! What the mock promises, over a real socket.

#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

mod authorize;
mod client_auth;
mod fault;
mod grant;
mod listening;
mod platform;
mod register;
mod support;
