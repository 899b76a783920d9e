//! TLS in front of something that speaks plain HTTP, or the protocol of Redis, for whatever name a client asks for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{CipherSuite, ServerConfig};

use crate::{Certificates, Server, free_port};

/// A front with a certificate that only its own authority vouches for.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    suites: Arc<Mutex<Vec<CipherSuite>>>,
    _server: Server,
}

impl TlsFront {
    /// Passes everything on to `target`. Its clients have to be told not to check the certificate.
    ///
    /// # Panics
    /// When there is no free port, or no `openssl`.
    pub async fn to(target: SocketAddr) -> Self {
        Self::with(&Certificates::new(), target).await
    }

    /// The same, with one of `certificates`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn with(certificates: &Certificates, target: SocketAddr) -> Self {
        let (certificate, key) = certificates.server();
        // Named, for a test may be about the provider that the process has installed.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")));
        let (listener, address) = free_port().await;
        let suites = Arc::<Mutex<Vec<_>>>::default();
        let noted = suites.clone();
        let server = Server::start(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let (acceptor, noted) = (acceptor.clone(), noted.clone());
                // Ends with the connection, which the client or the target closes.
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

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What each connection was encrypted with so far.
    pub fn suites(&self) -> Vec<CipherSuite> {
        self.suites.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
