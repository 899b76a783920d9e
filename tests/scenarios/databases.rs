//! The scenarios with real servers, files and processes, by deployment and then by topic, as in `main.rs`.

mod fleet;
mod postgres;
mod processes;
mod redis;
mod sqlite;
mod stores;
