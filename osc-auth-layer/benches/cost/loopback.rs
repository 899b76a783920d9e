//! The processor time that a request costs an axum server, over loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use cpu_time::ThreadTime;
use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tower_layer::layer_fn;

use crate::contenders::Minimum;
use crate::rounds::median;
use crate::stage::{Stage, builder};
use crate::table::Row;

const REQUESTS: usize = 2_000;

/// A server on a thread of its own. It answers questions about the processor time of that thread.
struct Server {
    address: SocketAddr,
    clock: mpsc::UnboundedSender<oneshot::Sender<Duration>>,
}

impl Server {
    fn start(app: Router) -> Self {
        let (clock, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Duration>>();
        let (announce, announced) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
                announce.send(listener.local_addr().expect("it is bound")).expect("the starter waits for it");
                let began_at = ThreadTime::now();
                let answering = async {
                    while let Some(answer) = asked.recv().await {
                        let _ = answer.send(began_at.elapsed());
                    }
                };
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("the server serves"),
                    () = answering => {}
                }
            });
        });
        Self { address: announced.recv().expect("the server starts"), clock }
    }

    fn time(&self) -> Duration {
        let (answer, answered) = oneshot::channel();
        self.clock.send(answer).expect("the server runs");
        answered.blocking_recv().expect("the server runs")
    }

    /// Returns the thread's processor time per request, in nanoseconds.
    fn cost(&self, cookies: &HeaderValue) -> f64 {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let cookies = cookies.to_str().expect("cookies are ASCII");
        let request = format!(
            "GET / HTTP/1.1\r\nhost: app.example.com\r\naccept: application/json\r\naccept-language: en-GB\r\n\
             cookie: {cookies}\r\nsec-fetch-mode: cors\r\n\r\n"
        );
        let before = self.time();
        for _ in 0..REQUESTS {
            stream.write_all(request.as_bytes()).expect("the server reads");
            read_answer(&mut stream);
        }
        (self.time() - before).as_secs_f64() * 1e9 / REQUESTS as f64
    }
}

/// Reads an answer without a body.
fn read_answer(stream: &mut TcpStream) {
    let (mut answer, mut length) = ([0; 1024], 0);
    while !answer[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut answer[length..]).expect("the server answers");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..length]));
}

pub(crate) fn loopback(rows: &mut Vec<Row>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let auth = builder().build().expect("the bench's layer builds");
    let stage = runtime.block_on(Stage::new(&auth, 1_000));
    let app = || Router::new().route("/", get(async || ()));
    let sessions = stage.minimum.sessions.clone();
    let minimum = layer_fn(move |inner| Minimum { inner, sessions: sessions.clone() });
    let (bare, minimum, layer) =
        (Server::start(app()), Server::start(app().layer(minimum)), Server::start(app().layer(auth)));

    let mut rounds: Vec<[f64; 3]> = stage.cookies[..101]
        .iter()
        .map(|cookies| [bare.cost(cookies), minimum.cost(cookies), layer.cost(cookies)])
        .collect();
    rounds.remove(0);
    let median = |figure: &dyn Fn(&[f64; 3]) -> f64| median(rounds.iter().map(figure).collect());
    let detail = format!(
        "bare {:.1} µs, minimum {:.1} µs, layer {:.1} µs",
        median(&|round| round[0]) / 1e3,
        median(&|round| round[1]) / 1e3,
        median(&|round| round[2]) / 1e3
    );
    let figure = "processor time of an axum server on loopback, relative to the minimum";
    rows.push(Row::ratio(figure, median(&|round| round[2] / round[1]), 1.05).detail(detail));
}
