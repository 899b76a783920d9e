//! Mock OSC.

mod body;
mod builder;
mod controls;
mod fault;
mod idp;
mod mock;
mod plan;
mod platform;
mod random;
mod reply;
mod request;
mod route;
mod server;
mod settings;
mod shared;
mod watch;
mod world;

pub use builder::Builder;
pub use fault::Fault;
pub use mock::{DecisionError, MockOsc};
pub use plan::FaultPlan;
pub use request::Recorded;
pub use route::Endpoint;
pub use settings::{ExpiryUnit, Rotation};
pub use watch::Hold;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state stays usable after a panic elsewhere: the test that panicked fails by itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
