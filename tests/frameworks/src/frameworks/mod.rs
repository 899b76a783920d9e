//! One app per framework.

pub(crate) mod axum;
pub(crate) mod hyper;
pub(crate) mod leptos;
pub(crate) mod poem;
pub(crate) mod salvo;
pub(crate) mod service_builder;
pub(crate) mod steer;
pub(crate) mod tonic;
pub(crate) mod tower_http;
pub(crate) mod warp;
