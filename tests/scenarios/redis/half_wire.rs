//! A wire to Redis of which a test can stop either half: the connection that is told of changes, or the one that asks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes everything on until it is told otherwise. Connections stay open in any case.
pub(super) struct HalfWire {
    pub(super) addr: SocketAddr,
    state: Arc<watch::Sender<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    loses_notifications: bool,
    holds_answers: bool,
    /// What was held back by now.
    held: Vec<u8>,
    /// The notifications that were passed on.
    told: Vec<u8>,
}

impl HalfWire {
    pub(super) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let state: Arc<watch::Sender<State>> = Arc::default();
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, target, shared.clone()));
            }
        });
        Self { addr, state, accepting }
    }

    /// As behind a firewall that forgot the connection: it stays open and brings nothing any more.
    pub(super) fn lose_notifications(&self) {
        self.state.send_modify(|state| state.loses_notifications = true);
    }

    /// Questions arrive, answers wait.
    pub(super) fn hold_answers(&self) {
        self.state.send_modify(|state| state.holds_answers = true);
    }

    pub(super) fn release_answers(&self) {
        self.state.send_modify(|state| state.holds_answers = false);
    }

    /// Resolves once an answer with this text waits.
    pub(super) async fn holds(&self, text: &str) {
        let _ = self.state.subscribe().wait_for(|state| contains(&state.held, text)).await;
    }

    /// Resolves once a notification with this text was passed on.
    pub(super) async fn told(&self, text: &str) {
        let _ = self.state.subscribe().wait_for(|state| contains(&state.told, text)).await;
    }

    /// Forgets the notifications so far.
    pub(super) fn forget_told(&self) {
        self.state.send_modify(|state| state.told.clear());
    }
}

impl Drop for HalfWire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn connect(client: TcpStream, target: SocketAddr, state: Arc<watch::Sender<State>>) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (tracks, is_tracking) = watch::channel(false);
    let there = async {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let length = from_client.read(&mut chunk).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            if contains(&chunk[..length], "TRACKING") {
                tracks.send_replace(true);
            }
            to_server.write_all(&chunk[..length]).await?;
        }
    };
    let back = async {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let length = from_server.read(&mut chunk).await?;
            if length == 0 {
                return to_client.shutdown().await;
            }
            let chunk = &chunk[..length];
            if *is_tracking.borrow() {
                if !state.borrow().loses_notifications {
                    to_client.write_all(chunk).await?;
                    state.send_modify(|state| state.told.extend_from_slice(chunk));
                }
                continue;
            }
            if state.borrow().holds_answers {
                state.send_modify(|state| state.held.extend_from_slice(chunk));
                let _ = state.subscribe().wait_for(|state| !state.holds_answers).await;
            }
            to_client.write_all(chunk).await?;
        }
    };
    tokio::try_join!(there, back).map(drop)
}
