//! Failures of the provider. The kind of failure decides what happens, and only a refusal ends a session.

mod answer;
mod backoff;
mod failures;
mod matrix;
mod one_account;
mod refused;
mod stampede;
mod unreachable;
