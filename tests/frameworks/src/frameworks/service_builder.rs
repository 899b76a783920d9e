use std::net::SocketAddr;

use http::Request;
use hyper::body::Incoming;
use osc_auth_layer::OscAuthLayer;
use tower::ServiceBuilder;

use super::hyper::greet;
use crate::server::serve;

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let app = ServiceBuilder::new()
        .map_request(|request: Request<Incoming>| request)
        .layer(auth) // table
        .service_fn(greet);
    serve(app).await
}
