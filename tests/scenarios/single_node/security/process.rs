//! The process-wide state belongs to the app. Each test runs in its own process, because rustls' default
//! provider can be installed only once.

use std::any::type_name_of_val;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use mock_osc::MockOsc;
use osc_auth_layer::store::RedisStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Browser, Certificates, HeldDns, RedisServer, TlsFront, app, soon, token_of};
use reqwest::Certificate;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::{CipherSuite, ServerConfig};

use crate::project::sources::text_below;

const FOLDER: &str = "OSC_TESTS_CERTIFICATES";

/// Returns the certificates that the system trusts, if this is the test's own process. Otherwise runs that
/// process and returns `None`.
fn alone<T>(test: &T) -> Option<Certificates> {
    if let Some(folder) = env::var_os(FOLDER) {
        return Some(Certificates::of(Path::new(&folder)));
    }
    let (_, name) = type_name_of_val(test).split_once("::").expect("a test is in a module");
    let certificates = Certificates::new();
    let ran = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, certificates.folder())
        .env("SSL_CERT_FILE", certificates.path("ca.crt"))
        .output()
        .expect("this program runs again");
    let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
    None
}

/// An OSC and a Redis, both behind TLS.
struct Servers {
    osc: MockOsc,
    authority: Certificate,
    https: TlsFront,
    redis: RedisServer,
    rediss: TlsFront,
}

impl Servers {
    /// Starts the servers. The system trusts Redis's certificate, and the app must name that of OSC.
    async fn start(trusted: &Certificates) -> Self {
        let named = Certificates::new();
        let osc =
            MockOsc::builder().issuer("https://app.dev.osaas.io").start().await.expect("the mock starts");
        let authority = fs::read(named.path("ca.crt")).expect("the authority's certificate");
        let https = TlsFront::with(&named, osc.address()).await;
        let redis = RedisServer::start().await;
        let rediss = TlsFront::with(trusted, redis.addr()).await;
        let authority = Certificate::from_pem(&authority).expect("a certificate");
        Self { osc, authority, https, redis, rediss }
    }

    fn layer(&self) -> OscAuthLayer {
        let dns = HeldDns::default();
        dns.lead_to(self.https.port());
        let authority = self.authority.clone();
        let store =
            RedisStore::from_url(&format!("rediss://localhost:{}", self.rediss.port())).expect("a URL");
        OscAuthLayer::builder(OAuthClient::confidential(self.osc.client_id(), self.osc.client_secret()))
            .environment("dev")
            .public_url("http://localhost:3000")
            .configure_http(move |http| http.dns_resolver(Arc::new(dns)).tls_certs_merge([authority]))
            .store(store)
            .build()
            .expect("it builds")
    }

    /// Signs in at one node and uses the session at another. All traffic uses TLS.
    async fn use_both(&self, first: &OscAuthLayer, second: &OscAuthLayer) {
        let mut browser = Browser::new(app(first));
        soon(browser.sign_in(&self.osc)).await;
        browser.switch_app(app(second));
        assert!(token_of(&soon(browser.fetch("/")).await).is_some());
        assert!(!self.https.suites().is_empty() && !self.rediss.suites().is_empty());
        assert!(!self.redis.command(&["KEYS", "osc-auth:s:*"]).await.is_empty());
    }
}

/// Builds a configuration without naming a provider, so that rustls chooses it.
fn build_a_tls_configuration_of_the_apps_own() {
    let (_, _) = (ServerConfig::builder(), CryptoProvider::get_default().expect("now there is one"));
}

#[tokio::test]
async fn s80_https_and_rediss_leave_process_state_unchanged() {
    let Some(trusted) = alone(&s80_https_and_rediss_leave_process_state_unchanged) else { return };
    let servers = Servers::start(&trusted).await;
    let before = process_wide_state();
    servers.use_both(&servers.layer(), &servers.layer()).await;
    assert!(CryptoProvider::get_default().is_none(), "a provider was installed");
    assert!(!tracing::dispatcher::has_been_set(), "a subscriber was installed");
    assert_eq!(process_wide_state(), before);
}

/// Returns the environment, the working directory, and the process's signal settings.
fn process_wide_state() -> BTreeSet<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let signals = status.lines().filter(|line| line.starts_with("Sig") && !line.starts_with("SigQ"));
    let variables = env::vars_os().map(|variable| format!("{variable:?}"));
    let folder = env::current_dir().map(|folder| folder.display().to_string());
    signals.map(str::to_owned).chain(variables).chain(folder).collect()
}

#[tokio::test]
async fn s80_an_app_may_install_its_tls_provider_after_the_layer_is_built() {
    let Some(trusted) = alone(&s80_an_app_may_install_its_tls_provider_after_the_layer_is_built) else {
        return;
    };
    let servers = Servers::start(&trusted).await;
    let (first, second) = (servers.layer(), servers.layer());
    servers.use_both(&first, &second).await;
    aws_lc_rs::default_provider().install_default().expect("there is none yet");
    build_a_tls_configuration_of_the_apps_own();
    servers.use_both(&first, &second).await;
    servers.use_both(&servers.layer(), &second).await;
}

#[tokio::test]
async fn s80_a_tls_provider_installed_by_the_app_is_used() {
    let Some(trusted) = alone(&s80_a_tls_provider_installed_by_the_app_is_used) else { return };
    // A provider that is recognizable by its only cipher suite.
    let only = aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
    let provider = CryptoProvider { cipher_suites: vec![only], ..aws_lc_rs::default_provider() };
    provider.install_default().expect("there is none yet");
    let servers = Servers::start(&trusted).await;
    servers.use_both(&servers.layer(), &servers.layer()).await;
    for suite in [servers.https.suites(), servers.rediss.suites()].concat() {
        assert_eq!(suite, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    }
}

#[tokio::test]
async fn s80_an_app_may_leave_the_choice_of_tls_provider_to_rustls() {
    let Some(trusted) = alone(&s80_an_app_may_leave_the_choice_of_tls_provider_to_rustls) else { return };
    let servers = Servers::start(&trusted).await;
    let (first, second) = (servers.layer(), servers.layer());
    // This panics if the layer compiles a second provider into the app's rustls.
    build_a_tls_configuration_of_the_apps_own();
    servers.use_both(&first, &second).await;
}

#[test]
fn s80_no_source_file_changes_process_state() {
    const PROCESS_WIDE: [&str; 12] = [
        "install_default",
        "ClientConfig::builder()",
        "ServerConfig::builder()",
        "set_hook",
        "take_hook",
        "set_var",
        "remove_var",
        "set_current_dir",
        "set_global_default",
        "set_logger",
        ".try_init(",
        "signal::",
    ];
    let sources = text_below("osc-auth-layer/src");
    assert!(sources.contains("fn layer("));
    for name in PROCESS_WIDE {
        assert!(!sources.contains(name), "{name}");
    }
}
