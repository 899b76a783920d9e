//! Several nodes of one app that share a session store in memory, all in this process. A visitor can use any node, and the nodes do not
//! interfere with each other.

mod events;
mod model;
mod outage;
mod preflight;
mod provider;
mod readiness;
mod refresh;
mod security;
mod session;
mod sign_in;
mod spans;
mod user;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Answer, Nodes, RunningClock, error_of, token_of};

/// Returns this many nodes with a store that notifies of changes, and with one that does not.
async fn both_kinds(nodes: usize) -> [Nodes; 2] {
    [Nodes::notified(nodes).await, Nodes::polling(nodes).await]
}

/// Returns nodes whose clocks run.
async fn running(is_notified: bool, nodes: usize) -> Nodes<RunningClock> {
    Nodes::with(MockOsc::builder(), is_notified, nodes, |layer| layer).await.sign_in().await
}

/// Checks for a refusal with this error and without a token. In an outage the status is 503, else 401.
fn assert_refused(answer: &Answer, error: &str) {
    let status = match error {
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    assert_eq!((answer.status(), error_of(answer).as_str()), (status, error));
    assert!(token_of(answer).is_none());
}
