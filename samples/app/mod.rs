//! What the two samples have in common, beside the layer and the server: the pages, and the instances on their way.
//! To copy a sample, put this folder next to its `main.rs`, and take the `#[path]` out of that.

pub(crate) mod creations;
pub(crate) mod dashboard;
pub(crate) mod notes;
pub(crate) mod pages;
pub(crate) mod setup;
pub(crate) mod stop;
