//! A provider in a process of its own, so that its processor time does not count. It accepts everything and repeats no token.

use std::env;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use axum::Router;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header;
use serde_json::json;
use tokio::net::TcpListener;

use crate::stage::{ACCESS_TOKEN, REFRESH_TOKEN};

pub(crate) const ARGUMENT: &str = "--provider";
/// The lifetime of its access tokens, in seconds.
pub(crate) const LIFETIME: u64 = 60;
const USER: usize = 8;

pub(crate) struct Provider {
    process: Child,
    pub(crate) url: String,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let mut program = Command::new(env::current_exe().expect("a program has a path"));
        // It ends when its input does, however this process ends.
        program.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = program.spawn().expect("the benchmark starts itself");
        let mut url = String::new();
        let output = process.stdout.take().expect("the output is a pipe");
        BufReader::new(output).read_line(&mut url).expect("the provider prints its URL");
        Self { process, url: url.trim_end().to_owned() }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves until the input ends.
pub(crate) async fn run() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    println!("{url}");
    stdout().flush().expect("the benchmark reads it");
    thread::spawn(|| {
        let _ = stdin().lock().read_line(&mut String::new());
        std::process::exit(0);
    });
    let metadata = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    });
    let json = |body: String| ([(header::CONTENT_TYPE, "application/json")], body);
    let metadata = move || async move { json(metadata.to_string()) };
    let token = move |form: String| async move { json(grant(user_in(&form))) };
    let app = Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/token", post(token));
    axum::serve(listener, app).await.expect("the provider serves");
}

/// Returns the code or refresh token of a user.
pub(crate) fn spendable(user: usize, serial: usize) -> String {
    format!("{user:0>USER$}{serial:0>0$}", REFRESH_TOKEN - USER)
}

fn user_in(form: &str) -> usize {
    let mut fields = form.split('&').filter_map(|pair| pair.split_once('='));
    let spent = fields.find(|(name, _)| matches!(*name, "code" | "refresh_token")).map(|(_, value)| value);
    spent.and_then(|value| value.get(..USER)?.parse().ok()).expect("a code or refresh token of this provider")
}

/// Returns the answer to a grant: tokens as long as those of Open Source Cloud, which are JWTs.
pub(crate) fn grant(user: usize) -> String {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let claims = json!({
        "tenantId": "workspace",
        "userId": format!("user-{user}"),
        "iat": 1_790_000_000 + serial,
        "scope": "x".repeat(300),
    });
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let unsigned = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#));
    let answer = json!({
        "access_token": format!("{unsigned}{:s<1$}", "", ACCESS_TOKEN - unsigned.len()),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "refresh_token": spendable(user, serial),
    });
    answer.to_string()
}
