//! A mock of Eyevinn's Open Source Cloud (OSC): its OAuth 2.0 identity provider and its platform, in memory.
//!
//! Point your app at [`MockOsc::issuer`] and [`MockOsc::platform`], and it works as it does with OSC. In a test you can:
//!
//! - click *Allow* without a browser,
//! - let tokens expire without waiting,
//! - make any endpoint fail,
//! - read the requests that your app sent.
//!
//! ```
//! use mock_osc::{Endpoint, Fault, MockOsc};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let osc = MockOsc::builder().iss(true).start().await?;
//!
//! // The app sends the browser to this URL:
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
//! // The next two token requests fail, later ones succeed.
//! osc.fault(Endpoint::Token, Fault::Status(503)).times(2);
//! assert_eq!(osc.count(Endpoint::Token), 0);
//! osc.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Parts
//!
//! | part | path | host |
//! |---|---|---|
//! | metadata (RFC 8414) | `/.well-known/oauth-authorization-server` | `app[.ENV].osaas.io` |
//! | authorize, token, register, revoke, par | `/api/connect/…` | the same |
//! | catalog, token, money, deploy | `/S/…` | `S.svc.ENV.osaas.io` |
//! | the API of a service | its `apiUrl`, from the catalog | `api-SERVICE.auto.SITE.osaas.io` |
//!
//! The mock's own address serves every part at its path. A request whose `Host` is one of OSC's names reaches the same part
//! without the first segment of the path. [`MockOscBuilder::api_site`] sets the site.
//!
//! # Strictness
//!
//! The mock is at least as strict as OSC:
//!
//! - PKCE with S256 is mandatory.
//! - A code is good for one use and expires after 60 seconds.
//! - Redirect URIs must be registered; see [`MockOscBuilder::loose_redirect_uris`].
//! - Refresh tokens rotate, and a second use revokes the grant; see [`MockOscBuilder::rotation`] and [`MockOscBuilder::refresh_grace`].
//! - Each kind of token is accepted by its own hosts only. [`MockOsc::stray_tokens`] returns the requests that sent one
//!   elsewhere.
//!
//! Two users can sign in: `ada` and `grace`. [`MockOscBuilder::user`] replaces them. The mock asks for no password, so it listens
//! on 127.0.0.1 by default.
//!
//! # Layout
//!
//! A request passes `server` → `request` → `route` → `shared` (record, hold, fault) → `world` → a handler in `idp` or
//! `platform` → `reply` → `body`. Handlers are functions without I/O that take the time as an argument.
//!
//! The public interface for tests is in `builder`, `controls` and `decision`, and in `platform` in `builder`, `controls` and
//! `workspace_controls`.

mod accounts;
mod body;
mod builder;
mod controls;
mod decision;
mod delay;
mod endpoint;
mod fault;
mod hosts;
mod html;
mod idp;
mod jar;
mod jwt;
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
mod sign_in;
mod stray;
mod visitor;
mod watch;
mod words;
mod world;

pub use builder::MockOscBuilder;
pub use decision::DecisionError;
pub use delay::Delay;
pub use endpoint::Endpoint;
pub use fault::Fault;
pub use idp::access_token::AccessTokenForm;
pub use idp::grants::GrantUses;
pub use mock::MockOsc;
pub use plan::FaultPlan;
pub use platform::{ErrorForm, ExpiryForm, LogForm, WorkspaceControls};
pub use request::Recorded;
pub use settings::Rotation;
pub use sign_in::SignInError;
pub use visitor::{SignedIn, Visitor};
pub use watch::Hold;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Ignores a poisoned lock. The state stays usable after a panic, and the test that panicked fails anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
