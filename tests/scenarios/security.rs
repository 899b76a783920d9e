//! The rows of the security matrix that a whole sign-in shows.

mod cookies;
mod flow;
mod leaks;
mod pending;
mod requests;
mod session;
