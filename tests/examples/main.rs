//! Each example of the layer, as a process that a user signs in to.
//!
//! `cargo test --workspace --all-features` has built the examples before these tests run. Other commands may not have, so each test asks
//! cargo for the path of its example, and cargo builds it if it is missing or stale.

mod kept_open;
mod list;
mod nodes;
mod pages;
mod visit;
