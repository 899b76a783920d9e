//! A session that every node knows: its records, its end, and what a node remembers of it.

mod crowded;
mod deployment;
mod ended;
mod endings;
pub(super) mod persistence;
mod sign_out;
mod warm;
