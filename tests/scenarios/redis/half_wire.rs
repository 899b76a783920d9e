//! A proxy to Redis of which a test can stop one half: the connection for notifications, or the one for
//! questions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A proxy that passes everything on until a test changes that. It never closes connections.
pub(super) struct HalfWire {
    pub(super) addr: SocketAddr,
    state: Arc<watch::Sender<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    loses_notifications: bool,
    holds_answers: bool,
    /// The data held back so far.
    held: Vec<u8>,
    /// The notifications passed on so far.
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

    /// Drops notifications, like a firewall that forgot the connection. The connection stays open.
    pub(super) fn lose_notifications(&self) {
        self.state.send_modify(|state| state.loses_notifications = true);
    }

    /// Passes questions on and holds answers back.
    pub(super) fn hold_answers(&self) {
        self.state.send_modify(|state| state.holds_answers = true);
    }

    pub(super) fn release_answers(&self) {
        self.state.send_modify(|state| state.holds_answers = false);
    }

    /// Waits until an answer with this text is held back.
    pub(super) async fn holds(&self, text: &str) {
        let _ = self.state.subscribe().wait_for(|state| contains(&state.held, text)).await;
    }

    /// Waits until a notification with this text was passed on.
    pub(super) async fn told(&self, text: &str) {
        let _ = self.state.subscribe().wait_for(|state| contains(&state.told, text)).await;
    }

    /// Returns how often notifications named this text.
    pub(super) fn times_told(&self, text: &str) -> usize {
        let state = self.state.borrow();
        state.told.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }

    /// Clears the record of notifications.
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
    let released = async || drop(state.subscribe().wait_for(|state| !state.holds_answers).await);
    let back = async {
        let (mut chunk, mut pending) = (vec![0; 16 * 1024], Vec::new());
        loop {
            // Reads on while it holds data back: the answer to a heartbeat may come before the one that a test waits for.
            let length = tokio::select! {
                biased;
                () = released(), if !pending.is_empty() => {
                    to_client.write_all(&pending).await?;
                    pending.clear();
                    continue;
                }
                length = from_server.read(&mut chunk) => length?,
            };
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
            }
            pending.extend_from_slice(chunk);
        }
    };
    tokio::try_join!(there, back).map(drop)
}
