//! The scenarios by deployment, then by topic. A topic has the same name below each deployment. A name that begins with `sNN` is
//! row NN of the security matrix.
//!
//! Here: one process, and several nodes that share a store in memory. `databases.rs` has the others.

mod heard;
mod project;
mod shared_store;
mod single_node;
