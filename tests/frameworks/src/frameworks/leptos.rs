use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;
use leptos::prelude::*;
use osc_auth_layer::{OscAuthLayer, OscUser};

use crate::server::listen;

#[server(endpoint = "greet")]
async fn greet(text: String) -> Result<String, ServerFnError> {
    let user: OscUser = leptos_axum::extract().await?;
    Ok(format!("{text} from {}", user.workspace()))
}

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    leptos::server_fn::axum::register_explicit::<Greet>();
    let app = Router::new().route("/api/{*name}", post(leptos_axum::handle_server_fns));
    let app = app.layer(auth); // table
    let (listener, address) = listen().await;
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}
