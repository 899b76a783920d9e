//! The guide's table of frameworks, made from what runs here.

use std::fmt::Write;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use http::Method;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
    CONTENT_ENCODING, COOKIE, ORIGIN,
};
use mock_osc::MockOsc;
use osc_auth_layer::{OAuthClient, OscAuthLayer};

use crate::frameworks::{axum, hyper, leptos, poem, salvo, service_builder, steer, tonic, tower_http, warp};
use crate::tour::{Call, Visitor};

type Start = fn(OscAuthLayer) -> Pin<Box<dyn Future<Output = SocketAddr>>>;

struct Row {
    name: &'static str,
    file: &'static str,
    /// The crate whose version the table names.
    package: &'static str,
    source: &'static str,
    start: Start,
    call: Call,
}

/// The folder of the apps.
const FOLDER: &str = "https://github.com/Eyevinn/osc-auth-layer/blob/main/tests/frameworks/src/frameworks";

const PLAIN: Call = Call::Post("/greet", "text/plain", "hello");

macro_rules! row {
    ($module:ident, $name:literal, $package:literal, $call:expr) => {
        Row {
            name: $name,
            file: concat!(stringify!($module), ".rs"),
            package: $package,
            source: include_str!(concat!("frameworks/", stringify!($module), ".rs")),
            start: |auth| Box::pin($module::start(auth)),
            call: $call,
        }
    };
}

const ROWS: [Row; 10] = [
    row!(axum, "axum", "axum", PLAIN),
    row!(hyper, "hyper", "hyper", PLAIN),
    row!(tonic, "tonic", "tonic", Call::Grpc),
    row!(warp, "warp", "warp", PLAIN),
    row!(salvo, "salvo", "salvo", PLAIN),
    row!(poem, "poem", "poem", PLAIN),
    row!(
        leptos,
        "Leptos, with server functions on axum",
        "leptos_axum",
        Call::Post("/api/greet", "application/x-www-form-urlencoded", "text=hello")
    ),
    row!(service_builder, "`ServiceBuilder`", "tower", PLAIN),
    row!(steer, "`Steer`", "tower", PLAIN),
    row!(tower_http, "tower-http: compression, traces, timeouts, CORS, files", "tower-http", PLAIN),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_framework_of_the_guide_runs_the_layer() {
    let osc = MockOsc::builder().start().await.expect("a free port");
    let mut table = "| framework | crate | the line that adds the layer |\n|---|---|---|\n".to_owned();
    let mut failures = Vec::new();
    for row in ROWS {
        let address = (row.start)(layer_for(&osc)).await;
        let visitor = Visitor::new(&osc, format!("http://{address}"));
        match visitor.tour(row.call).await {
            Ok(()) => {
                let Row { name, file, package, source, .. } = row;
                let (version, line) = (version(package), line(source).replace('|', "\\|"));
                writeln!(table, "| [{name}]({FOLDER}/{file}) | {package} {version} | `{line}` |")
                    .expect("text");
            }
            Err(failure) => failures.push(format!("{}: {failure}", row.name)),
        }
    }
    print!("{table}");
    assert!(failures.is_empty(), "{failures:#?}");
    let guide = include_str!("../../../osc-auth-layer/src/guide/frameworks.md");
    assert!(guide.contains(&table), "the table of the guide differs from this one:\n{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layers_of_tower_http_work_around_this_one() {
    let osc = MockOsc::builder().start().await.expect("a free port");
    let address = tower_http::start(layer_for(&osc)).await;
    let visitor = Visitor::new(&osc, format!("http://{address}"));

    // A preflight request has no cookies.
    let preflight = visitor.request(Method::OPTIONS, "/greet").header(ORIGIN, "https://shop.example");
    let preflight = preflight.header(ACCESS_CONTROL_REQUEST_METHOD, "POST").send().await.expect("an answer");
    assert_eq!(preflight.status(), 200);

    let file = || visitor.request(Method::GET, "/files/Cargo.toml").header(ACCEPT_ENCODING, "gzip");
    let refused = file().header(ORIGIN, "https://shop.example").send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");

    let session = visitor.sign_in().await.expect("a sign-in");
    let served = file().header(COOKIE, session).send().await.expect("an answer");
    assert_eq!(served.status(), 200);
    assert_eq!(served.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(served.headers()[CACHE_CONTROL], "private");
}

fn layer_for(osc: &MockOsc) -> OscAuthLayer {
    let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
    OscAuthLayer::builder(client).issuer(osc.issuer()).build().expect("a valid configuration")
}

/// Returns the line of the source that the table shows.
fn line(source: &str) -> &str {
    let mut lines = source.lines().filter_map(|line| line.strip_suffix(" // table"));
    let line = lines.next().expect("a line for the table");
    let line = line.trim().trim_end_matches([';', ',']);
    line.split_once(" = ").map_or(line, |(_, expression)| expression)
}

/// Returns the version that this project is locked to, without the last number.
fn version(package: &str) -> String {
    let lock: toml::Table = include_str!("../Cargo.lock").parse().expect("a lock file");
    let packages = lock["package"].as_array().expect("packages");
    // Of several versions the newest is the one that runs here. Others come with other frameworks.
    let mut found = packages.iter().filter(|entry| entry["name"].as_str() == Some(package));
    let version = found.next_back().and_then(|entry| entry["version"].as_str()).expect("a locked package");
    version.rsplit_once('.').expect("three numbers").0.to_owned()
}
