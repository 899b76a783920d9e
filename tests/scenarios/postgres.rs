//! Sessions in a real PostgreSQL, when the server, the connection or the nodes fail.

mod contract;
mod fleet;
mod outage;
mod processes;
mod restored;
mod wrong;
