//! Sessions in a real PostgreSQL, when the server, the connection or the nodes fail.

mod clocks;
mod contract;
mod diagnoses;
mod fleet;
mod moving;
mod outage;
mod preflight;
mod processes;
mod restored;
mod security;

/// Ends all connections but the one that says so.
const END_CONNECTIONS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
