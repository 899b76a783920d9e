//! A connection to a server, used as browsers use it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Answer, Body};

/// One keep-alive connection. Requests are sent over it one after another.
#[derive(Debug)]
pub struct Line(SendRequest<Body>);

/// Why a request got no answer.
#[derive(Debug)]
pub enum LineError {
    /// The connection ended before the answer began.
    Unanswered(hyper::Error),
    /// The connection ended in the middle of the answer.
    Torn(hyper::Error),
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// If nothing listens at this address.
    pub async fn to(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // The task ends with the last request. That request reports its error too.
        tokio::spawn(connection);
        Ok(Self(requests))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// If the connection ends earlier.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Answer, LineError> {
        self.0.ready().await.map_err(LineError::Unanswered)?;
        let response = self.0.send_request(request).await.map_err(LineError::Unanswered)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(LineError::Torn)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(error) => write!(f, "the connection ended before the answer: {error}"),
            Self::Torn(error) => write!(f, "the connection ended in the middle of the answer: {error}"),
        }
    }
}
