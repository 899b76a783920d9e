//! TLS in front of something that speaks plain HTTP, for whatever name a client asks for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Server, free_port};

/// A front with a certificate that it signed itself: its clients have to be told not to check.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    _server: Server,
}

impl TlsFront {
    /// Passes everything on to `target`. Build a layer first: it installs the process's TLS provider.
    ///
    /// # Panics
    /// When there is no free port, or no `openssl`.
    pub async fn to(target: SocketAddr) -> Self {
        let (certificate, key) = self_signed();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")));
        let (listener, address) = free_port().await;
        let server = Server::start(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let acceptor = acceptor.clone();
                // Ends with the connection, which the client or the target closes.
                tokio::spawn(async move {
                    let mut front = acceptor.accept(stream).await?;
                    let mut back = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut front, &mut back).await
                });
            }
        });
        Self { port: address.port(), _server: server }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A folder that goes when the files in it have been read.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn self_signed() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("osc-tests-front-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the certificate");
    let folder = Folder(folder);
    let made = Command::new("openssl")
        .current_dir(&folder.0)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=osc-tests", "-keyout", "key", "-out", "certificate"])
        .output();
    let made = made.expect("openssl is missing: run tests/run.sh once, or apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (
        CertificateDer::from_pem_file(folder.0.join("certificate")).expect("a certificate"),
        PrivateKeyDer::from_pem_file(folder.0.join("key")).expect("a key"),
    )
}
