//! Refresh: a session's token is refreshed in time, once for all requests, and never lost.

mod early;
mod handle;
mod interrupted;
mod late;
mod rotation;
mod sign_out;
mod single_flight;
