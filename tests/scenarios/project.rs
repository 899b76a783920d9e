//! The project itself: its documents, its guide and the direction of its imports.

mod architecture;
mod documents;
mod guide;
mod matrix;
pub(crate) mod sources;
