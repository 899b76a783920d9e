//! Both ends of a TLS connection, with a certificate made for this run.

use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) struct Ends {
    pub(crate) acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Ends {
    /// Returns `None` if `openssl` is missing.
    pub(crate) fn new() -> Option<Self> {
        let (certificate, key) = certificate()?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("a certificate");
        let mut server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate and its key");
        let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        for protocols in [&mut server.alpn_protocols, &mut client.alpn_protocols] {
            protocols.push(b"h2".to_vec());
        }
        Some(Self { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }

    pub(crate) async fn connect(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let name = "localhost".try_into().expect("a name");
        self.connector.connect(name, stream).await.expect("the server has the certificate")
    }
}

/// Makes a certificate for `localhost` that signs itself.
fn certificate() -> Option<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=CA:FALSE", "-keyout", "/dev/stdout"]);
    let made = openssl.output().ok().filter(|made| made.status.success())?.stdout;
    let certificate = CertificateDer::from_pem_slice(&made).expect("openssl writes a certificate");
    Some((certificate, PrivateKeyDer::from_pem_slice(&made).expect("openssl writes a key")))
}
