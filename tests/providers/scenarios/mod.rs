//! Scenarios that hold for every provider.

mod clients;
mod preflight;
mod refresh;
mod sign_in;

pub(crate) use clients::*;
pub(crate) use preflight::*;
pub(crate) use refresh::*;
pub(crate) use sign_in::*;
