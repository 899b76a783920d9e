use std::net::SocketAddr;

use hyper::body::Bytes;
use osc_auth_layer::{OscAuthLayer, OscToken};
use tower::Layer;
use warp::Filter;

use crate::server::serve;

fn greet(token: OscToken, body: Bytes) -> String {
    let user = token.user().expect("OSC's tokens name the workspace");
    format!("{} from {}", String::from_utf8_lossy(&body), user.workspace())
}

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let routes =
        warp::path("greet").and(warp::post()).and(warp::ext::get()).and(warp::body::bytes()).map(greet);
    let app = auth.layer(warp::service(routes)); // table
    serve(app).await
}
