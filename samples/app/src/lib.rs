//! The common part of the two samples: their settings, their pages, and their work in the user's workspace.
//!
//! A sample adds the layer, the server and the routes. To copy one, copy this crate with it.

mod account;
mod app;
mod creations;
mod dashboard;
mod notes;
mod page;
mod progress;
mod setup;
mod stop;

pub use app::{App, Creation};
pub use page::{Answer, HEADERS, SCRIPT};
pub use setup::{AnyError, configure, listen, listen_for_metrics, ready, start_preflight};
pub use stop::{patience, signal};
