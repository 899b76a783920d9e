use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use osc_auth_layer::{OscAuthLayer, OscToken};
use tower::{Layer, service_fn};

use crate::server::serve;

pub(super) async fn greet(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let token = request.extensions().get::<OscToken>().expect("every path of this app needs a session");
    let user = token.user().expect("OSC's tokens name the workspace");
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let greeting = format!("{} from {}", String::from_utf8_lossy(&body), user.workspace());
    Ok(Response::new(greeting.into()))
}

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let app = auth.layer(service_fn(greet)); // table
    serve(app).await
}
