use std::net::SocketAddr;

use osc_auth_layer::OscAuthLayer;
use tower::ServiceBuilder;

use super::hyper::greet;
use crate::server::serve;

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let app = ServiceBuilder::new()
        .layer(auth) // table
        .service_fn(greet);
    serve(app).await
}
