//! What all visitors share: where the app is, what goes wrong there, and the count of what they met.

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

/// The app's public URL: any port will do, since nobody resolves it.
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
    /// Attempts that the provider's trouble made fail.
    pub(crate) failed_sign_ins: Count,
    pub(crate) sign_outs: Count,
    /// Sessions that the provider ended.
    pub(crate) refused: Count,
    pub(crate) served: Count,
    /// Told to come back, with the session kept.
    pub(crate) unavailable: Count,
    /// Answered by the app, which got nothing of use from the platform.
    pub(crate) platform_failed: Count,
    /// Visitors who hung up before the answer.
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

/// What must not happen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<String>>);

impl Faults {
    pub(crate) fn note(&self, what: impl fmt::Display) {
        self.0.lock().expect("nobody panics with it").push(what.to_string());
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().expect("nobody panics with it").len()
    }

    /// The first few: the others are most often the same again.
    pub(crate) fn some(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with it").iter().take(5).cloned().collect()
    }
}

impl Crowd {
    /// Somebody new.
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

/// The app over a connection that is kept from request to request. What is asked at the same time takes another, and a
/// request that is given up closes its own, as in browsers.
fn keeping_alive(addr: SocketAddr) -> App {
    let kept: Arc<Mutex<Option<Line>>> = Arc::default();
    boxed(service_fn(move |request: Request<Body>| {
        let kept = kept.clone();
        async move {
            let line = kept.lock().expect("nobody panics with it").take();
            let mut line = match line {
                Some(line) => line,
                None => Line::to(addr).await.map_err(|error| error.to_string())?,
            };
            let answer = line.send(request).await.map_err(|error| error.to_string())?;
            kept.lock().expect("nobody panics with it").replace(line);
            Ok::<_, String>(answer.map(Body::new))
        }
    }))
}
