//! Scenarios that hold for every provider.

mod clients;
mod refresh;
mod sign_in;

pub(crate) use clients::*;
pub(crate) use refresh::*;
pub(crate) use sign_in::*;
