//! The scenarios by topic. A name that begins with `sNN` is row NN of the security matrix.

mod answers;
mod architecture;
mod bad_input;
mod client;
mod cluster;
mod fleet;
mod flow;
mod guide;
mod model;
mod moving;
mod nodes;
mod outage;
mod placement;
mod postgres;
mod provider;
mod redis;
mod refresh;
mod returns;
mod security;
mod session;
mod sources;
mod sqlite;
mod stores;
mod strangers;
mod tower_services;
mod user;
