//! Measures a signed-in request over loopback, in processor time of the server beyond that of the bare server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::apache::{self, Apache};
use crate::browser::{App, Browser};
use crate::peers::{oidc, oidc_1, oidc_client};
use crate::processes::{Kind, Process};
use crate::provider::Provider;
use crate::rounds::{Times, order};
use crate::signin::mark;

const ROUNDS: usize = 201;
const REQUESTS: usize = 200;
/// In microseconds over the bare server.
const AIM: f64 = 2.0;

struct Contender<'a> {
    name: &'static str,
    process: &'a Process,
    /// The position of its bare server.
    bare: usize,
    path: &'static str,
    stream: TcpStream,
    request: String,
}

impl<'a> Contender<'a> {
    async fn new(
        name: &'static str,
        process: &'a Process,
        bare: usize,
        sign_in: Option<(&Provider, &str)>,
        path: &'static str,
    ) -> Self {
        let mut browser = Browser::new(App::at(process.port));
        if let Some((provider, path)) = sign_in {
            browser.sign_in(provider, path).await;
        }
        let cookies = browser.cookie_header();
        let session = cookies.to_str().expect("cookies are ASCII");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, process.port)).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: app.example.com\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n\
             accept: application/json\r\naccept-language: en-GB,en;q=0.5\r\naccept-encoding: identity\r\n\
             referer: https://app.example.com/dashboard\r\nsec-fetch-dest: empty\r\nsec-fetch-mode: cors\r\n\
             sec-fetch-site: same-origin\r\ncookie: theme=dark; {session}; _ga=GA1.2.1234567890.1234567890\r\n\r\n"
        );
        Self { name, process, bare, path, stream, request: request.replace("theme=dark; ;", "theme=dark;") }
    }

    /// Sends requests one by one, and returns the server's processor time.
    fn drive(&mut self) -> Duration {
        let before = self.process.time();
        for _ in 0..REQUESTS {
            self.stream.write_all(self.request.as_bytes()).expect("the server reads");
            let (mut answer, mut length) = ([0; 8 * 1024], 0);
            while !answer[..length].ends_with(b"\r\n\r\n") {
                let read = self.stream.read(&mut answer[length..]).expect("the server answers");
                assert!(read > 0, "{} hangs up at {}", self.name, self.path);
                length += read;
            }
            let answer = &answer[..length];
            assert!(
                answer.starts_with(b"HTTP/1.1 200"),
                "{}: {}",
                self.name,
                String::from_utf8_lossy(answer)
            );
        }
        self.process.time().saturating_sub(before)
    }
}

pub(crate) async fn run() {
    let hour = Duration::from_secs(3600);
    let plain = Provider::start(hour, Duration::ZERO).await;
    let with_userinfo = Provider::with_userinfo(hour, Duration::ZERO).await;
    let apache = Apache::start(plain.issuer()).await;
    let start = |kind, provider: &Provider| Process::start(kind, provider.issuer());
    let [bare, layer, client, old, new] = [
        start(Kind::Bare, &plain),
        start(Kind::Layer, &plain),
        start(Kind::OidcClient, &plain),
        start(Kind::Oidc, &plain),
        start(Kind::Oidc1, &with_userinfo),
    ];
    let mut contenders = vec![
        Contender::new("bare axum", &bare, 0, None, "/").await,
        Contender::new("osc-auth-layer", &layer, 0, Some((&plain, "/auth/signin")), "/").await,
        Contender::new("axum-oidc-client 0.7", &client, 0, Some((&plain, oidc_client::SIGN_IN)), "/").await,
        Contender::new("axum-oidc 0.6", &old, 0, Some((&plain, oidc::SIGN_IN)), "/").await,
        Contender::new("axum-oidc 1.0.0-dev-2", &new, 0, Some((&with_userinfo, oidc_1::SIGN_IN)), "/").await,
    ];
    if let Some(Apache { process, .. }) = &apache {
        let at = contenders.len();
        contenders.push(Contender::new("bare Apache", process, at, None, apache::BARE).await);
        let sign_in = Some((&plain, apache::SIGN_IN));
        contenders.push(Contender::new("mod_auth_openidc", process, at, sign_in, "/").await);
    }

    let mut times = Times::new(contenders.len());
    for round in 0..=ROUNDS {
        for place in order(round, contenders.len()) {
            let time = contenders[place].drive();
            if round > 0 {
                times.note(place, time, REQUESTS);
            }
        }
    }
    println!("| contender | µs | over the bare server, µs | quartiles | aim |\n|---|---|---|---|---|");
    for (place, contender) in contenders.iter().enumerate() {
        let (name, time) = (contender.name, times.median(place) / 1e3);
        if contender.bare == place {
            println!("| {name} | {time:.1} | | | |");
            continue;
        }
        let [low, middle, high] = times.beyond(place, contender.bare).map(|time| time / 1e3);
        let aim = if place == 1 { mark(format!("≤ {AIM:.0} µs"), middle <= AIM) } else { String::new() };
        println!("| {name} | {time:.1} | {middle:.1} | {low:.1} to {high:.1} | {aim} |");
    }
    if apache.is_none() {
        println!("| mod_auth_openidc | not installed | | | |");
    }
}
