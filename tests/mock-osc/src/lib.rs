//! A mock of Eyevinn's Open Source Cloud (OSC): its OAuth 2.0 identity provider and its platform, in memory.
//!
//! Point an app at [`MockOsc::issuer`] and [`MockOsc::platform`], and it finds what it would find at OSC. A test can
//! click *Allow* without a browser, let tokens die, make anything fail, and read what was asked.
//!
//! ```
//! use mock_osc::{Endpoint, Fault, MockOsc};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let osc = MockOsc::builder().iss(true).start().await?;
//!
//! // What the app would send the browser to:
//! let authorize_url = format!(
//!     "{}/api/connect/authorize?response_type=code&client_id={}&redirect_uri={}&state=s\
//!      &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
//!     osc.issuer(),
//!     osc.client_id(),
//!     "http://localhost:3000/auth/callback",
//! );
//! let callback = osc.approve(&authorize_url).await?;
//! assert!(callback.starts_with("http://localhost:3000/auth/callback?code="));
//!
//! // The next two token requests fail; the provider is well again afterwards.
//! osc.fault(Endpoint::Token, Fault::Status(503)).times(2);
//! assert_eq!(osc.count(Endpoint::Token), 0);
//! osc.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is
//!
//! | part | where |
//! |---|---|
//! | metadata (RFC 8414) | `/.well-known/oauth-authorization-server` |
//! | authorize, token, register, revoke, par | `/api/connect/…` |
//! | catalog, token, money, deploy | `/S/…`, or `/…` with the host `S.svc.ENV.osaas.io` |
//! | instances of a service | its `apiUrl`, as the catalog tells; also by the host `api-SERVICE.auto.ENV.osaas.io` |
//!
//! It is stricter than OSC is known to be: PKCE with S256 always, a code for one use and 60 seconds, redirect URIs as
//! registered, refresh tokens that rotate and revoke their grant when used twice. [`Builder`] loosens each of these.
//!
//! Two fictive people can sign in, `ada` and `grace`, each with a workspace of their own. Everything is in the open:
//! whoever reaches its port is let in, so it listens on 127.0.0.1 unless told otherwise.
//!
//! # Layout
//!
//! One request goes `server` → `request` → `route` → `shared` (record, hold, fault) → `world` → a handler in `idp` or
//! `platform` → `reply` → `body`. Handlers are functions without I/O that take the time as an argument. What a test
//! sets and reads is in `builder` and `controls`, and in the files of these names in `platform`.

mod body;
mod builder;
mod controls;
mod fault;
mod html;
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
pub use idp::grants::GrantUses;
pub use mock::{DecisionError, MockOsc};
pub use plan::FaultPlan;
pub use platform::{ErrorForm, ExpiryForm, LogForm};
pub use request::Recorded;
pub use route::Endpoint;
pub use settings::Rotation;
pub use watch::Hold;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state stays usable after a panic elsewhere: the test that panicked fails by itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
