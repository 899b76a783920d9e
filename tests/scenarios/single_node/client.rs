//! The client for Open Source Cloud, which acts in the user's workspace: its requests, caches, refusals and
//! errors.

mod addresses;
mod axum;
mod bare_token;
mod clicks;
mod creating;
mod declined;
mod environment;
mod errors;
mod expiry;
mod faults;
mod handles;
mod instances;
mod jobs;
mod leaks;
mod more_calls;
mod official;
mod refused;
mod requests;
mod retries;
mod sign_out;
mod wait_ends;
mod waiting;
