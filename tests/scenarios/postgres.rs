//! Sessions in a real PostgreSQL, when the server, the connection or the nodes fail.

mod contract;
mod processes;
