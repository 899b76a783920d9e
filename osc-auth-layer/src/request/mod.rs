//! Reads a request: its cookies, its origin, its path, and the framing of its body.

pub(crate) mod cookie;
pub(crate) mod framing;
pub(crate) mod kind;
pub(crate) mod origin;
pub(crate) mod public_path;
