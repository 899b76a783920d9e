use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use osc_auth_layer::OscAuthLayer;
use tower::steer::Steer;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

use super::hyper::greet;
use crate::server::serve;

type App = BoxCloneService<Request<Incoming>, Response<Full<Bytes>>, Infallible>;

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let api = service_fn(greet).boxed_clone();
    let about = service_fn(async |_| Ok(Response::new("about".into()))).boxed_clone();
    let pick = |request: &Request<Incoming>, _: &[App]| usize::from(request.uri().path() == "/about");
    let app = auth.layer(Steer::new([api, about], pick)); // table
    serve(app).await
}
