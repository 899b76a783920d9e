//! Reads a request: its cookies, its origin and its path.

pub(crate) mod cookie;
pub(crate) mod kind;
pub(crate) mod origin;
pub(crate) mod public_path;
