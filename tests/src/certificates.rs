//! A certificate for this machine's names, from an authority that no system trusts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const NAMES: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:app.dev.osaas.io";

/// A folder with `ca.crt`, `server.crt` and `server.key`. The process that created the folder removes it at
/// the end.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
    is_own: bool,
}

impl Certificates {
    /// Creates an authority and a certificate from it.
    ///
    /// # Panics
    /// If `openssl` is missing.
    #[expect(clippy::new_without_default, reason = "it runs a program")]
    pub fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("osc-tests-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the certificates");
        openssl(&folder, &["-subj", "/CN=osc-tests authority", "-keyout", "ca.key", "-out", "ca.crt"]);
        let leaf = ["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.crt"];
        let extensions = ["-addext", NAMES, "-addext", "basicConstraints=CA:FALSE"];
        openssl(&folder, &[&leaf[..], &extensions, &["-CA", "ca.crt", "-CAkey", "ca.key"]].concat());
        Self { folder, is_own: true }
    }

    /// Uses the certificates in `folder` that another process created.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), is_own: false }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of one of the files.
    ///
    /// # Panics
    /// If the path is not UTF-8.
    pub fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn server(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        (
            CertificateDer::from_pem_file(self.path("server.crt")).expect("a certificate"),
            PrivateKeyDer::from_pem_file(self.path("server.key")).expect("a key"),
        )
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        if self.is_own {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let key =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let made = Command::new("openssl").current_dir(folder).args(key).args(arguments).output();
    let made = made.expect("openssl is missing: run tests/run.sh once, or apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
