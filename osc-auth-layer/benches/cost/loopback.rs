//! The processor time that a request costs a server, over loopback: with HTTP/1.1, HTTP/2 and TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use cpu_time::ThreadTime;
use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use crate::rounds::turns;
use crate::routers::Routers;
use crate::stage::{Stage, builder};
use crate::table::Row;
use crate::tls;

const ROUNDS: usize = 400;
const REQUESTS: usize = 100;

#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
    /// HTTP/2, as browsers speak it.
    Tls,
}

/// A server on a thread of its own. It answers questions about the processor time of that thread.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    clock: mpsc::UnboundedSender<oneshot::Sender<Duration>>,
}

impl Server {
    pub(crate) fn start(app: Router, tls: Option<TlsAcceptor>) -> Self {
        let (clock, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Duration>>();
        let (announce, announced) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            runtime().block_on(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
                announce.send(listener.local_addr().expect("it is bound")).expect("the starter waits for it");
                let began_at = ThreadTime::now();
                let answering = async {
                    while let Some(answer) = asked.recv().await {
                        let _ = answer.send(began_at.elapsed());
                    }
                };
                tokio::join!(serve(listener, app, tls), answering);
            });
        });
        Self { address: announced.recv().expect("the server starts"), clock }
    }

    pub(crate) async fn time(&self) -> Duration {
        let (answer, answered) = oneshot::channel();
        self.clock.send(answer).expect("the server runs");
        answered.await.expect("the server runs")
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Serves one connection after another.
async fn serve(listener: TcpListener, app: Router, tls: Option<TlsAcceptor>) {
    let (server, app) = (auto::Builder::new(TokioExecutor::new()), TowerToHyperService::new(app));
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket");
        let served = match &tls {
            None => server.serve_connection(TokioIo::new(stream), app.clone()).await,
            Some(tls) => {
                let stream = tls.accept(stream).await.expect("the client trusts the certificate");
                server.serve_connection(TokioIo::new(stream), app.clone()).await
            }
        };
        // The client hangs up when it has measured.
        let _ = served;
    }
}

enum Client {
    Http1(conn::http1::SendRequest<Body>),
    Http2(conn::http2::SendRequest<Body>),
}

impl Client {
    async fn http1(stream: TcpStream) -> Self {
        let (client, connection) = conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        Self::Http1(client)
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Self {
        let handshake = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (client, connection) = handshake.await.expect("a connection");
        tokio::spawn(connection);
        Self::Http2(client)
    }

    async fn send(&mut self, cookies: &HeaderValue) {
        let request = Request::get("https://app.example.com/")
            .header("accept", "application/json")
            .header("accept-language", "en-GB")
            .header("cookie", cookies)
            .header("sec-fetch-mode", "cors");
        let answer = match self {
            Self::Http1(client) => {
                let request = request.uri("/").header("host", "app.example.com").body(Body::empty());
                client.send_request(request.expect("a request")).await
            }
            Self::Http2(client) => client.send_request(request.body(Body::empty()).expect("a request")).await,
        };
        let answer = answer.expect("the server answers");
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.expect("a whole answer");
    }
}

/// A server and a client with one connection.
struct Pair {
    server: Server,
    client: Client,
}

impl Pair {
    async fn new(app: Router, protocol: Protocol, tls: &tls::Ends) -> Self {
        let is_tls = matches!(protocol, Protocol::Tls);
        let server = Server::start(app, is_tls.then(|| tls.acceptor.clone()));
        let stream = TcpStream::connect(server.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let client = match protocol {
            Protocol::Http1 => Client::http1(stream).await,
            Protocol::Http2 => Client::http2(stream).await,
            Protocol::Tls => Client::http2(tls.connect(stream).await).await,
        };
        Self { server, client }
    }

    /// Returns the processor time of the server per request, in microseconds.
    async fn cost(&mut self, cookies: &HeaderValue) -> f64 {
        let before = self.server.time().await;
        for _ in 0..REQUESTS {
            self.client.send(cookies).await;
        }
        (self.server.time().await - before).as_secs_f64() * 1e6 / REQUESTS as f64
    }
}

/// Measures on a thread of its own, which stays on one processor together with the servers that it starts.
pub(crate) fn loopback(rows: &mut Vec<Row>) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            stay_on_one_processor();
            measure(rows);
        });
    });
}

/// Keeps this thread and those that it starts on one processor. On several, the cost of a request depends on where the system wakes
/// each thread.
fn stay_on_one_processor() {
    #[cfg(target_os = "linux")]
    {
        let mut first = rustix::thread::CpuSet::new();
        first.set(0);
        rustix::thread::sched_setaffinity(None, &first).expect("a thread may choose its processor");
    }
}

fn measure(rows: &mut Vec<Row>) {
    let runtime = runtime();
    let auth = builder().build().expect("the bench's layer builds");
    let stage = runtime.block_on(Stage::new(&auth, 1_000));
    let Some(tls) = tls::Ends::new() else {
        rows.push(Row::missing("processor time of a server on loopback", "openssl is not installed"));
        return;
    };
    for (name, protocol, most) in [
        ("HTTP/1.1", Protocol::Http1, 1.03),
        ("HTTP/2", Protocol::Http2, 1.05),
        ("HTTP/2 over TLS", Protocol::Tls, 1.05),
    ] {
        let Routers { bare, minimum, layer } = Routers::new(&stage, auth.clone());
        let mut pairs: Vec<Pair> = Vec::new();
        for app in [bare, minimum, layer] {
            pairs.push(runtime.block_on(Pair::new(app, protocol, &tls)));
        }
        let mut cookies = stage.cookies.iter().cycle();
        let mut next = || cookies.next().expect("there are users");
        let times = turns(ROUNDS, pairs.len(), |pair| runtime.block_on(pairs[pair].cost(next())));

        let ratio = times.ratio(2, 1);
        let figure = format!("server on loopback, {name}, relative to the minimum");
        rows.push(Row::ratio(&figure, ratio.median, most).detail(format!(
            "{ratio}; bare {:.1} µs, minimum {:.1} µs, layer {:.1} µs",
            times.of(0),
            times.of(1),
            times.of(2)
        )));
        let beyond = times.spread(|times| times[2] - times[0]);
        let of_minimum = times.spread(|times| times[1] - times[0]);
        let figure = format!("server on loopback, {name}, beyond the bare one");
        let detail = format!("{beyond}; minimum {:.2} µs, {of_minimum}", of_minimum.median);
        rows.push(Row::micros(&figure, beyond.median, 2.0).detail(detail));
    }
}
