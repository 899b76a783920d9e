//! A Redis behind TLS, with a certificate from the test's own authority.

use mock_osc::MockOsc;
use osc_tests::{Certificates, NodeSetup, RedisServer, Sample, error_of, free_port};

use super::{Cluster, LONG, Place};

#[tokio::test]
async fn nodes_share_a_redis_behind_tls_and_check_its_certificate() {
    let certificates = Certificates::new();
    let (listener, tls) = free_port().await;
    drop(listener);
    let tls_port = tls.port().to_string();
    let (certificate, key) = (certificates.path("server.crt"), certificates.path("server.key"));
    let options = ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let redis = RedisServer::with(&[&options[..], &["--tls-auth-clients", "no"]].concat()).await;
    let osc = MockOsc::builder().token_ttl(LONG).start().await.expect("the mock starts");
    let (_port, addr) = free_port().await;
    let url = format!("rediss://localhost:{tls_port}");
    let stranger = NodeSetup::new(Sample::Axum, &osc, addr.port(), &url);
    let setup = stranger.clone().with("SSL_CERT_FILE", &certificates.path("ca.crt"));
    let nodes = vec![setup.start().await, setup.start().await, stranger.start().await];
    let host = format!("localhost:{}", addr.port());
    let mut cluster = Cluster { nodes, setup, place: Place::Redis(redis), osc, host, _port };

    let visitor = cluster.visitor().await;
    let answer = cluster.fetch(&visitor, 2, "/api/session").await;
    assert_eq!(error_of(&answer), "temporarily_unavailable", "{answer:?}");
    cluster.nodes.pop();
    cluster.nodes[0].restart().await;
    cluster.assert_alive(&[visitor]).await;
}
