//! The provider fails: what kind of failure it is decides what happens, and none but a refusal ends a session.

mod answer;
mod backoff;
mod failures;
mod matrix;
mod one_account;
mod refused;
mod stampede;
mod unreachable;
