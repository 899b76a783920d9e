//! The common part of the two samples, apart from the layer and the server: the pages, and the creation of
//! instances. To copy a sample, put this folder next to its `main.rs` and remove the `#[path]` attribute
//! there.

pub(crate) mod account;
pub(crate) mod creations;
pub(crate) mod dashboard;
pub(crate) mod notes;
pub(crate) mod pages;
pub(crate) mod setup;
pub(crate) mod stop;
