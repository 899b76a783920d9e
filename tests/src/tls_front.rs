//! TLS in front of a plain HTTP or Redis server. It accepts every server name.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{CipherSuite, ServerConfig};

use crate::{Certificates, Server, free_port};

/// A TLS server whose certificate comes from an authority of its own.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    suites: Arc<Mutex<Vec<CipherSuite>>>,
    _server: Server,
}

impl TlsFront {
    /// Passes everything on to `target`. Clients must not check the certificate.
    ///
    /// # Panics
    /// If there is no free port, or no `openssl`.
    pub async fn to(target: SocketAddr) -> Self {
        Self::with(&Certificates::new(), target).await
    }

    /// Passes HTTP/2 on to `target`, as a proxy in front of an app does.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn http2(certificates: &Certificates, target: SocketAddr) -> Self {
        Self::start(certificates, target, &[b"h2"]).await
    }

    /// Passes everything on to `target`, with one of `certificates`.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn with(certificates: &Certificates, target: SocketAddr) -> Self {
        Self::start(certificates, target, &[]).await
    }

    async fn start(certificates: &Certificates, target: SocketAddr, protocols: &[&[u8]]) -> Self {
        let (certificate, key) = certificates.server();
        // Named explicitly, because a test may check which provider the process has installed.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let mut config = config.expect("a certificate and its key");
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = free_port().await;
        let suites = Arc::<Mutex<Vec<_>>>::default();
        let noted = suites.clone();
        let server = Server::start(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let (acceptor, noted) = (acceptor.clone(), noted.clone());
                // The task ends when the client or the target closes the connection.
                tokio::spawn(async move {
                    let mut front = acceptor.accept(stream).await?;
                    let suite = front.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite());
                    noted.lock().unwrap_or_else(PoisonError::into_inner).extend(suite);
                    let mut back = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut front, &mut back).await
                });
            }
        });
        Self { port: address.port(), suites, _server: server }
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the cipher suite of each connection so far.
    pub fn suites(&self) -> Vec<CipherSuite> {
        self.suites.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
