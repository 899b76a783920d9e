//! What the two samples have in common, beside the layer and the server: the pages and the calls to Open Source Cloud.
//! To copy a sample, put this folder next to its `main.rs`.

pub(crate) mod dashboard;
pub(crate) mod pages;
pub(crate) mod platform;
pub(crate) mod stop;
