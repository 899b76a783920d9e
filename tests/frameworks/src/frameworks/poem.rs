//! poem's own adapter for Tower layers hands them a `poem::Request`. So no layer for `http::Request` fits it, and here the layer
//! is outside of poem.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Scheme;
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use osc_auth_layer::{OscAuthLayer, OscToken};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Route, handler, post};
use tower::{Layer, service_fn};

use crate::server::serve;

#[handler]
fn greet(request: &Request, body: String) -> poem::Result<String> {
    let token = request.extensions().get::<OscToken>();
    let user =
        token.and_then(OscToken::user).ok_or_else(|| poem::Error::from_status(StatusCode::UNAUTHORIZED))?;
    Ok(format!("{body} from {}", user.workspace()))
}

/// Gives poem the request that the layer let pass.
async fn answer(
    routes: Arc<Route>,
    request: http::Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, std::io::Error>>, Infallible> {
    let request = Request::from((request, LocalAddr::default(), RemoteAddr::default(), Scheme::HTTP));
    Ok(routes.get_response(request).await.into())
}

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let routes = Arc::new(Route::new().at("/greet", post(greet)));
    let app = auth.layer(service_fn(move |request| answer(routes.clone(), request))); // table
    serve(app).await
}
