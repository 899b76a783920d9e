//! The cost of a sign-in: the redirect to the provider, and the callback with its exchange of the code.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderName, Request, StatusCode, header};
use osc_auth_layer::OscAuthLayer;
use reqwest::Url;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower_layer::Layer;

use crate::contenders::{App, Body};
use crate::instructions::per_repetition;
use crate::loopback::{Server, runtime};
use crate::provider::{Provider, spendable};
use crate::rounds::turns;
use crate::stage::{CLIENT_ID, builder};
use crate::table::Row;

pub(crate) const ARGUMENT: &str = "--sign-in";
const ROUNDS: usize = 41;
const SIGN_INS: usize = 100;
const HEADERS: [(&str, &str); 8] = [
    ("host", "app.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
];

/// The parts of a redirect that a browser acts on.
struct Redirect {
    location: String,
    cookies: Vec<String>,
}

/// Signs a user in. `send` sends a request for a path, with cookies and a `Sec-Fetch-Site`.
fn visit(user: usize, mut send: impl FnMut(&str, &str, &str) -> Redirect) {
    let begun = send("/auth/signin?return_to=/dashboard", "theme=dark", "same-origin");
    let location: Url = begun.location.parse().expect("the provider's URL");
    let mut parameters = location.query_pairs();
    let (_, state) = parameters.find(|(name, _)| name == "state").expect("a sign-in has a state");
    let [pending] = &begun.cookies[..] else { panic!("a sign-in sets one cookie") };
    let callback = format!("/auth/callback?code={}&state={state}", spendable(user, 0));
    let ended = send(&callback, &format!("theme=dark; {pending}"), "cross-site");
    assert_eq!(ended.location, "/dashboard");
    assert!(ended.cookies.iter().any(|cookie| !cookie.ends_with('=')), "a sign-in sets the session's cookie");
}

/// Measures the processor time of an axum server on loopback. Each visitor opens a connection.
pub(crate) fn sign_in(rows: &mut Vec<Row>) {
    let (provider, runtime) = (Provider::start(), runtime());
    let app = Router::new().route("/", get(async || ())).layer(layer(&provider.url));
    let servers = [minimum(&provider.url), app].map(|app| Server::start(app, None));
    // The first round opens the connections to the provider.
    let times = turns(ROUNDS, servers.len(), |server| cost(&runtime, &servers[server]));
    let layer = times.spread(|times| times[1]);
    let detail = format!("{layer}; minimum {:.0}", times.of(0));
    rows.push(Row::count("processor time of a sign-in, in µs", layer.median, 600.0).detail(detail));
    let ratio = times.ratio(1, 0);
    let figure = "the same, relative to the minimum";
    rows.push(Row::observed(figure, format!("{:.2}", ratio.median)).detail(ratio.to_string()));
    let figure = "instructions of a sign-in, without a server";
    rows.push(match per_repetition(&[ARGUMENT, &provider.url], 50, 250) {
        Some(instructions) => Row::observed(figure, format!("{instructions:.0}")),
        None => Row::missing(figure, "valgrind is not installed, or it failed"),
    });
}

fn layer(provider: &str) -> OscAuthLayer {
    builder().issuer(provider).build().expect("the bench's layer builds")
}

/// A server that answers with redirects of the same size and sends the same request, but checks nothing.
fn minimum(provider: &str) -> Router {
    let location = format!(
        "{provider}/authorize?response_type=code&client_id={CLIENT_ID}\
         &redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback&code_challenge_method=S256\
         &code_challenge={:c<43}&state={:s<300}",
        "", ""
    );
    let pending = format!(
        "__Host-osc_session_signin_{:t<8}={:v<24}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600",
        "", ""
    );
    let begin = async move || redirect(&location, &pending);
    let client = reqwest::Client::new();
    let token_endpoint: Url = format!("{provider}/token").parse().expect("a URL");
    let end = async |State((client, token_endpoint)): State<(reqwest::Client, Arc<Url>)>,
                     request: Request<axum::body::Body>| {
        let code = request.uri().query().and_then(|query| query.get(5..69)).expect("a code");
        let body = format!(
            "grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback\
             &code_verifier={:v<43}&client_id={CLIENT_ID}&client_secret=a+secret+of+more+than+32+characters",
            ""
        );
        let request = client
            .post((*token_endpoint).clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.expect("the provider answers");
        assert!(answer.bytes().await.expect("the provider answers").len() > 1_000);
        redirect(
            "/dashboard",
            &format!(
                "__Host-osc_session={:i<43}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000",
                ""
            ),
        )
    };
    Router::new()
        .route("/auth/signin", get(begin))
        .route("/auth/callback", get(end))
        .with_state((client, Arc::new(token_endpoint)))
}

fn redirect(location: &str, cookie: &str) -> impl IntoResponse + use<> {
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, location.to_owned()), (header::SET_COOKIE, cookie.to_owned())],
    )
}

/// Returns the microseconds of a sign-in.
fn cost(runtime: &Runtime, server: &Server) -> f64 {
    let before = runtime.block_on(server.time());
    for user in 0..SIGN_INS {
        let mut stream = TcpStream::connect(server.address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        visit(user, |path, cookies, site| {
            let headers: String =
                HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let request = format!(
                "GET {path} HTTP/1.1\r\n{headers}cookie: {cookies}\r\nsec-fetch-site: {site}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).expect("the server reads");
            read_redirect(&mut stream)
        });
    }
    (runtime.block_on(server.time()) - before).as_secs_f64() * 1e6 / SIGN_INS as f64
}

fn read_redirect(stream: &mut TcpStream) -> Redirect {
    let (mut answer, mut length) = ([0; 8192], 0);
    while !answer[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut answer[length..]).expect("the server answers");
    }
    let answer = str::from_utf8(&answer[..length]).expect("a head without a body");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let headers = answer.lines().filter_map(|line| line.split_once(": "));
    let all = |wanted: &str| {
        headers.clone().filter(move |(name, _)| *name == wanted).map(|(_, value)| value.to_owned()).collect()
    };
    to_redirect(all("location"), all("set-cookie"))
}

fn to_redirect(location: Vec<String>, cookies: Vec<String>) -> Redirect {
    let first = |cookie: String| cookie.split(';').next().unwrap_or_default().to_owned();
    Redirect { location: location.concat(), cookies: cookies.into_iter().map(first).collect() }
}

/// Signs users in, in this process and without a server.
pub(crate) fn run(provider: &str, sign_ins: usize) {
    let runtime = runtime();
    let layer = layer(provider).layer(App);
    for user in 0..sign_ins {
        visit(user, |path, cookies, site| {
            let mut request = Request::builder().uri(path).header(header::COOKIE, cookies);
            for (name, value) in HEADERS {
                request = request.header(name, value);
            }
            let request =
                request.header("sec-fetch-site", site).body(Body::default()).expect("a valid request");
            let Ok(answer) = runtime.block_on(layer.clone().oneshot(request));
            assert_eq!(answer.status(), 303);
            let all = |name: HeaderName| {
                let values = answer.headers().get_all(name).into_iter();
                values.map(|value| value.to_str().expect("ASCII").to_owned()).collect()
            };
            to_redirect(all(header::LOCATION), all(header::SET_COOKIE))
        });
    }
}
