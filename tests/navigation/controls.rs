//! The addresses at which a test steers the provider and the clocks.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{MovableClock, RunningClock};

use crate::pages::Events;

/// Longer than an access token lives.
const TOKEN_EXPIRES: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Steered {
    osc: Arc<MockOsc>,
    clock: RunningClock,
    events: Events,
}

impl Steered {
    fn pass(&self, time: Duration) {
        self.osc.advance(time);
        self.clock.advance(time);
    }
}

pub(crate) fn routes(osc: MockOsc, clock: RunningClock, events: Events) -> Router {
    Router::new()
        .route("/pass/{seconds}", post(pass))
        .route("/outage/begin", post(begin_outage))
        .route("/outage/end", post(end_outage))
        .route("/end-sessions", post(end_sessions))
        .route("/end-streams", post(end_streams))
        .route("/approve", post(approve))
        .route("/asked", get(asked))
        .route("/saved", get(saved))
        .with_state(Steered { osc: Arc::new(osc), clock, events })
}

async fn pass(State(steered): State<Steered>, Path(seconds): Path<u64>) {
    steered.pass(Duration::from_secs(seconds));
}

/// The tokens expire, and the provider closes every connection that would refresh them.
async fn begin_outage(State(steered): State<Steered>) {
    let _ = steered.osc.fault(Endpoint::Token, Fault::HangUp);
    steered.pass(TOKEN_EXPIRES);
}

/// The pause before the next refresh ends too.
async fn end_outage(State(steered): State<Steered>) {
    steered.osc.clear_faults();
    steered.pass(Duration::from_secs(60));
}

/// The provider refuses the next refresh of every session, which is due.
async fn end_sessions(State(steered): State<Steered>) {
    steered.osc.revoke_refresh_tokens();
    steered.pass(TOKEN_EXPIRES);
}

/// Ends the event streams that are open, as a restart of a proxy does.
async fn end_streams(State(steered): State<Steered>) {
    steered.events.end_streams();
}

/// Consents to an authorization request, and returns the callback that the browser would be sent to.
async fn approve(State(steered): State<Steered>, url: String) -> Result<String, (StatusCode, String)> {
    let approved = steered.osc.approve(&url).await;
    approved.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// Returns how often browsers opened the provider's page.
async fn asked(State(steered): State<Steered>) -> String {
    let requests = steered.osc.requests(Endpoint::Authorize);
    requests.iter().filter(|request| request.method == "GET").count().to_string()
}

/// Returns how many forms the app received.
async fn saved(State(steered): State<Steered>) -> String {
    steered.events.saved().to_string()
}
