//! Accepts connections, reads requests, and closes connections on demand.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::body::Scripted;
use crate::reply::Reply;
use crate::request::Recorded;
use crate::shared::Shared;

const BODY_LIMIT: usize = 1024 * 1024;

/// An error that makes hyper close the connection without an answer.
#[derive(Debug)]
pub(crate) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mock hung up")
    }
}

impl std::error::Error for HangUp {}

/// An open socket. Dropping it closes it and all its connections.
#[derive(Debug)]
pub(crate) struct Listening {
    task: JoinHandle<()>,
    /// Requests in progress outlive their connection, but not this sender.
    _alive: watch::Sender<()>,
}

impl Listening {
    pub(crate) fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let (alive, watching) = watch::channel(());
        Self { task: tokio::spawn(accept(listener, shared, watching)), _alive: alive }
    }

    /// Closes the socket. Connections are refused as soon as this returns.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, alive: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared), alive.clone()));
                }
                // Most likely the process is out of file descriptors. Other connections must close first.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, alive: watch::Receiver<()>) {
    // The first half of a broken answer must be sent at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request, alive.clone()));
    // An error here means that the client went away or that a fault broke the connection.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    mut alive: watch::Receiver<()>,
) -> Result<Response<Scripted>, HangUp> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(Reply::reason(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").into_response());
    };
    let request = Recorded::new(&parts, &body.to_bytes());
    // A separate task, because a server also finishes requests whose client has gone.
    let work = tokio::spawn(async move {
        tokio::select! {
            answer = shared.answer(request) => answer,
            _ = alive.changed() => Err(HangUp),
        }
    });
    work.await.unwrap_or(Err(HangUp))
}
