//! One process that keeps its sessions in memory. With `SCENARIO_STORE`, the same scenarios run with a store.

mod answers;
mod bad_input;
mod client;
mod diagnoses;
mod events;
mod outage;
mod outbound;
mod pages_of_others;
mod placement;
mod preflight;
mod provider;
mod readiness;
mod refresh;
mod returns;
mod security;
pub(crate) mod session;
mod sign_in;
mod strangers;
mod test_tools;
mod tower_services;
mod user;
