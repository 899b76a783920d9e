//! A WebSocket that closes when the session ends. Run it:
//! `cargo run -p osc-auth-layer --all-features --example websocket`.

mod common;

use std::pin::pin;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{Html, Response};
use axum::{Router, routing::get};
use osc_auth_layer::OscSession;

async fn open(session: OscSession, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| talk(socket, session))
}

async fn talk(mut socket: WebSocket, session: OscSession) {
    let mut ended = pin!(session.ended());
    loop {
        let text = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return, // the browser has gone
                Some(Ok(_)) => continue, // axum answers pings
            },
            () = &mut ended => {
                let frame = CloseFrame { code: close_code::POLICY, reason: "session ended".into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                return;
            }
        };
        let answer = match session.token().await {
            // The token is good now. Call OSC with it here.
            Ok(token) => {
                format!("{} said {text}", token.user().map_or("?".into(), |user| user.workspace().to_owned()))
            }
            Err(error) => error.to_string(), // an outage: the session is kept
        };
        if socket.send(Message::Text(answer.into())).await.is_err() {
            return;
        }
    }
}

const PAGE: &str = r#"<form method="post" action="/auth/signout" target="_blank"><button>Sign out</button></form><pre id="log"></pre>
<script>
  const log = (text) => document.getElementById('log').append(text + '\n');
  const socket = new WebSocket('/socket');
  socket.onopen = () => socket.send('hello');
  socket.onmessage = ({ data }) => log(data);
  socket.onclose = ({ reason }) => log('closed: ' + reason);
</script>"#;

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    let auth = common::auth().await?.redirect_to_signin().build()?; // your app: OscAuthLayer::builder_from_env()?
    let app = Router::new().route("/", get(async || Html(PAGE))).route("/socket", get(open)).layer(auth);
    Ok(axum::serve(common::listen().await?, app).await?)
}
