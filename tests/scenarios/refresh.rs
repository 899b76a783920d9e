//! A session's token is refreshed in time, once for all who want it, and nothing that happens meanwhile loses it.

mod early;
mod handle;
mod interrupted;
mod late;
mod rotation;
mod sign_out;
mod single_flight;
