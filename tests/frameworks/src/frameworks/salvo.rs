use std::net::SocketAddr;

use osc_auth_layer::{OscAuthLayer, OscToken};
use salvo::Service;
use salvo::conn::tcp::TcpAcceptor;
use salvo::prelude::{Request, Router, Server, StatusError, TowerLayerCompat, handler};

use crate::server::listen;

#[handler]
async fn greet(request: &mut Request) -> Result<String, StatusError> {
    let token = request.extensions().get::<OscToken>().cloned().ok_or_else(StatusError::unauthorized)?;
    let user = token.user().ok_or_else(StatusError::internal_server_error)?;
    let body = request.payload().await.map_err(|_| StatusError::bad_request())?;
    Ok(format!("{} from {}", String::from_utf8_lossy(body), user.workspace()))
}

pub(crate) async fn start(auth: OscAuthLayer) -> SocketAddr {
    let router = Router::with_path("greet").post(greet);
    // A `hoop` of the service sees every path, one of a router only the paths that it matches.
    let app = Service::new(router).hoop(auth.compat()); // table
    let (listener, address) = listen().await;
    let acceptor = TcpAcceptor::try_from(listener).expect("a listener");
    tokio::spawn(Server::new(acceptor).serve(app));
    address
}
