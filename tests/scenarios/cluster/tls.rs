//! A Redis behind TLS, with a certificate of the test's own authority.

use std::path::{Path, PathBuf};
use std::process::Command;

use mock_osc::MockOsc;
use osc_tests::{NodeSetup, RedisServer, Sample, error_of, free_port};

use super::{Cluster, LONG};

/// A folder with `ca.crt`, `redis.crt` and `redis.key`, gone with the test.
struct Certificates(PathBuf);

impl Certificates {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("osc-tests-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the certificates");
        let ca = ["-subj", "/CN=osc-tests authority", "-keyout", "ca.key", "-out", "ca.crt"];
        openssl(&folder, &ca);
        let extensions = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"];
        let issued_by = ["-CA", "ca.crt", "-CAkey", "ca.key"];
        let leaf = ["-subj", "/CN=localhost", "-keyout", "redis.key", "-out", "redis.crt"];
        openssl(&folder, &[&leaf[..], &extensions, &issued_by].concat());
        Self(folder)
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let key =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let made = Command::new("openssl").current_dir(folder).args(key).args(arguments).output();
    let made = made.expect("openssl is missing: run tests/run.sh once, or apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn nodes_share_a_redis_behind_tls_and_trust_no_certificate_they_cannot_check() {
    let certificates = Certificates::new();
    let (listener, tls) = free_port().await;
    drop(listener);
    let tls_port = tls.port().to_string();
    let (certificate, key) = (certificates.path("redis.crt"), certificates.path("redis.key"));
    let options = ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let redis = RedisServer::with(&[&options[..], &["--tls-auth-clients", "no"]].concat()).await;
    let osc = MockOsc::builder().token_ttl(LONG).start().await.expect("the mock starts");
    let (_port, addr) = free_port().await;
    let url = format!("rediss://localhost:{tls_port}");
    let stranger = NodeSetup::new(Sample::Axum, &osc, addr.port(), &url);
    let setup = stranger.clone().with("SSL_CERT_FILE", &certificates.path("ca.crt"));
    let nodes = vec![setup.start().await, setup.start().await, stranger.start().await];
    let host = format!("localhost:{}", addr.port());
    let mut cluster = Cluster { nodes, setup, redis, osc, host, _port };

    let visitor = cluster.visitor().await;
    let answer = cluster.fetch(&visitor, 2, "/api/session").await;
    assert_eq!(error_of(&answer), "temporarily_unavailable", "{answer:?}");
    cluster.nodes.pop();
    cluster.nodes[0].restart().await;
    cluster.assert_alive(&[visitor]).await;
}
