//! An event stream that ends when the session ends. Run it:
//! `cargo run -p osc-auth-layer --all-features --example event_stream`.

mod common;

use std::convert::Infallible;
use std::time::Duration;

use axum::response::Html;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Router, routing::get};
use futures_util::stream::{self, Stream, StreamExt};
use osc_auth_layer::OscSession;

async fn events(session: OscSession) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let clock = tokio::time::interval(Duration::from_secs(1));
    let events = stream::unfold((session.clone(), clock, 1), |(session, mut clock, count)| async move {
        clock.tick().await;
        let event = match session.token().await {
            Ok(_token) => Event::default().data(format!("event {count}")), // call OSC with the token here
            Err(error) => Event::default().comment(error.to_string()),     // an outage: the session is kept
        };
        Some((Ok(event), (session, clock, count + 1)))
    });
    let last = stream::iter([Ok(Event::default().event("session_ended").data("sign in again"))]);
    Sse::new(session.until_ended(events).chain(last)).keep_alive(KeepAlive::default())
}

const PAGE: &str = r#"<form method="post" action="/auth/signout" target="_blank"><button>Sign out</button></form><pre id="log"></pre>
<script>
  const log = (text) => document.getElementById('log').append(text + '\n');
  const events = new EventSource('/events');
  events.onmessage = ({ data }) => log(data);
  events.addEventListener('session_ended', ({ data }) => {
    events.close(); // or the browser would connect again
    log(data);
  });
</script>"#;

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::builder_from_env()?.redirect_to_signin().build()?
    let auth = common::auth().await?.redirect_to_signin().build()?;
    let app = Router::new().route("/", get(async || Html(PAGE))).route("/events", get(events)).layer(auth);
    Ok(axum::serve(common::listen().await?, app).await?)
}
