//! Measures a signed-in request over loopback, in processor time of the server beyond that of the bare server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::apache;
use crate::browser::{App, Browser};
use crate::field::Field;
use crate::processes::{Kind, Process};
use crate::provider::Provider;
use crate::rounds::{Times, mark, order};

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
    let field = Field::start().await;
    let bare = Process::start(Kind::Bare, field.plain.issuer());
    let mut contenders = vec![Contender::new("bare axum", &bare, 0, None, "/").await];
    for entrant in field.entrants() {
        let mut bare = 0;
        if entrant.name == apache::NAME {
            bare = contenders.len();
            contenders.push(Contender::new("bare Apache", entrant.process, bare, None, apache::BARE).await);
        }
        let sign_in = Some((entrant.provider, entrant.sign_in));
        contenders.push(Contender::new(entrant.name, entrant.process, bare, sign_in, "/").await);
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
    if field.apache.is_none() {
        println!("| {} | not installed | | | |", apache::NAME);
    }
}
