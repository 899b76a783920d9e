//! The state that all visitors share: the app's address, the current trouble, and counts of the answers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use mock_osc::MockOsc;
use osc_tests::{App, Body, Browser, Line, boxed};
use tokio::sync::watch;
use tower::service_fn;

use crate::faults::Weather;

/// The port in the app's public URL. No visitor resolves that URL, so any port will do.
pub(crate) const PORT: u16 = 3000;
pub(crate) const SESSION_COOKIE: &str = "osc_session_3000";

#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) osc: MockOsc,
    pub(crate) app: SocketAddr,
    pub(crate) token_ttl: Duration,
    pub(crate) weather: Weather,
    pub(crate) tally: Tally,
    pub(crate) going_on: watch::Sender<bool>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sign_ins: Count,
    /// Sign-ins that failed because of the provider's trouble.
    pub(crate) failed_sign_ins: Count,
    pub(crate) sign_outs: Count,
    /// Sessions that the provider revoked.
    pub(crate) refused: Count,
    pub(crate) served: Count,
    /// Answers `temporarily_unavailable`, which keep the session.
    pub(crate) unavailable: Count,
    /// Answers of the app when the platform failed.
    pub(crate) platform_failed: Count,
    /// Requests that the visitor dropped before the answer.
    pub(crate) hung_up: Count,
    pub(crate) lost: Faults,
    pub(crate) strange: Faults,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Reports of answers that must not happen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<String>>);

impl Faults {
    pub(crate) fn note(&self, what: impl fmt::Display) {
        self.0.lock().expect("no holder of the lock panics").push(what.to_string());
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().expect("no holder of the lock panics").len()
    }

    /// Returns the first few. The rest are mostly repetitions.
    pub(crate) fn some(&self) -> Vec<String> {
        self.0.lock().expect("no holder of the lock panics").iter().take(5).cloned().collect()
    }
}

impl Crowd {
    /// Returns a new visitor's browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(keeping_alive(self.app)).at(&format!("localhost:{PORT}"))
    }

    pub(crate) fn is_going_on(&self) -> bool {
        *self.going_on.borrow()
    }

    /// Resolves when the visits are over.
    pub(crate) async fn over(&self) {
        let _ = self.going_on.subscribe().wait_for(|going_on| !going_on).await;
    }
}

/// Returns the app over a connection that is kept between requests. As in a browser, a concurrent request takes
/// another connection, and a dropped request closes its own.
fn keeping_alive(addr: SocketAddr) -> App {
    let kept: Arc<Mutex<Option<Line>>> = Arc::default();
    boxed(service_fn(move |request: Request<Body>| {
        let kept = kept.clone();
        async move {
            let line = kept.lock().expect("no holder of the lock panics").take();
            let mut line = match line {
                Some(line) => line,
                None => Line::to(addr).await.map_err(|error| error.to_string())?,
            };
            let answer = line.send(request).await.map_err(|error| error.to_string())?;
            kept.lock().expect("no holder of the lock panics").replace(line);
            Ok::<_, String>(answer.map(Body::new))
        }
    }))
}
