//! The examples whose work goes on after the request, until the session ends.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, NodeSetup, soon};

use crate::visit::{Open, forged, page_key, refuses_strangers, sign_out, signed_in, start, text};

const ADA: &str = "ada/adalovelace";

#[tokio::test]
async fn websocket_answers_and_closes_with_a_reason_at_sign_out() {
    let example = start("websocket").await;
    refuses_strangers(&example, "/", StatusCode::SEE_OTHER).await;
    let mut browser = signed_in(&example, ADA).await;
    assert!(text(&mut browser, "/").await.contains("new WebSocket('/socket')"));
    let upgrade = |origin: &str| {
        format!(
            "Connection: upgrade\r\nUpgrade: websocket\r\nOrigin: {origin}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
    };
    let (ours, theirs) = (upgrade("http://localhost:3000"), upgrade("https://evil.example"));
    Open::at(&example, &browser, "/socket", &theirs, StatusCode::UNAUTHORIZED).await;

    let mut socket = Open::at(&example, &browser, "/socket", &ours, StatusCode::SWITCHING_PROTOCOLS).await;
    socket.send("hello").await;
    assert_eq!(socket.frame().await, (0x81, b"adalovelace said hello".to_vec()));
    sign_out(&mut browser).await;
    assert_eq!(socket.frame().await, (0x88, b"\x03\xf0session ended".to_vec())); // 1008
}

#[tokio::test]
async fn event_stream_delivers_events_and_ends_at_sign_out() {
    let example = start("event_stream").await;
    refuses_strangers(&example, "/events", StatusCode::SEE_OTHER).await;
    let mut browser = signed_in(&example, ADA).await;
    assert!(text(&mut browser, "/").await.contains("new EventSource('/events')"));
    let mut events = Open::at(&example, &browser, "/events", "", StatusCode::OK).await;
    events.until("data: event 1\n\n").await;
    events.until("data: event 2\n\n").await;
    sign_out(&mut browser).await;
    events.until("event: session_ended\ndata: sign in again\n\n").await;
    events.until("\r\n0\r\n\r\n").await; // the last chunk
}

#[tokio::test]
async fn background_job_outlives_its_request_and_ends_at_sign_out() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let example = with_client(NodeSetup::example("background_job"), &osc).start().await;
    refuses_strangers(&example, "/", StatusCode::SEE_OTHER).await;
    let mut browser = Browser::new(example.app());
    soon(browser.sign_in(&osc)).await;
    let page = text(&mut browser, "/").await;
    assert_eq!(forged(&mut browser, "/").await, StatusCode::FORBIDDEN);
    assert_eq!(soon(browser.submit("/", &[])).await.status(), StatusCode::BAD_REQUEST);
    let answer = soon(browser.submit("/", &[("osc_user", page_key(&page))])).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);

    // The request is over.
    example.wrote("step 2: 1250 tokens left").await;
    assert_eq!(osc.count_grants("refresh_token"), 0);
    // The platform accepts the old token no more, so the next step takes a fresh one.
    let refresh = osc.hold(Endpoint::Token);
    osc.advance(Duration::from_secs(3601));
    soon(refresh.arrived(1)).await;
    refresh.release();
    sign_out(&mut browser).await;
    example.wrote("The session has ended, so the job stops.").await;
}

/// Returns the settings of an example that uses this mock in place of its own.
pub(crate) fn with_client(example: NodeSetup, osc: &MockOsc) -> NodeSetup {
    let example = example.with("CLIENT_ID", &osc.client_id()).with("CLIENT_SECRET", &osc.client_secret());
    example.with("OSC_ISSUER", &osc.issuer()).with("OSC_PLATFORM", &osc.platform())
}
