use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;
use osc_auth_layer::{OscAuthLayer, OscUser};

use crate::server::listen;

pub(super) async fn greet(user: OscUser, body: String) -> String {
    format!("{body} from {}", user.workspace())
}

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let app = Router::new().route("/greet", post(greet));
    let app = app.layer(auth); // table
    let (listener, address) = listen().await;
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}
