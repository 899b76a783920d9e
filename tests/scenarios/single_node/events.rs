//! The events of sessions that the app is told of.

mod listeners;
mod one_node;
