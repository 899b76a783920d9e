//! A connection that a test can cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// A TCP proxy in this process. It passes everything on until a test changes that. Dropping it closes all
/// connections.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    // All tasks end when this is dropped.
    wire: watch::Sender<Wire>,
    is_listening: watch::Receiver<bool>,
    accepted: Arc<AtomicUsize>,
    // Reserves the port while nothing listens on it.
    _reserved: TcpSocket,
}

#[derive(Clone, Copy, Debug)]
struct Wire {
    target: SocketAddr,
    listens: bool,
    passes_there: bool,
    passes_back: bool,
    delay: Duration,
    cuts: usize,
    forgotten: usize,
}

#[derive(Clone, Copy)]
enum Way {
    There,
    Back,
}

impl Wire {
    fn passes(&self, way: Way) -> bool {
        match way {
            Way::There => self.passes_there,
            Way::Back => self.passes_back,
        }
    }
}

impl Proxy {
    /// Starts a proxy to `target` on a free port.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn to(target: SocketAddr) -> Self {
        let reserved = bound(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let addr = reserved.local_addr().expect("it is bound");
        let (passes_there, passes_back, delay) = (true, true, Duration::ZERO);
        let passing = Wire { target, listens: true, passes_there, passes_back, delay, cuts: 0, forgotten: 0 };
        let wire = watch::Sender::new(passing);
        let (listening, is_listening) = watch::channel(false);
        let accepted = Arc::default();
        let accepting = accept(addr, wire.subscribe(), listening, Arc::clone(&accepted));
        tokio::spawn(async move { accepting.await.expect("a reserved port can be listened on") });
        let proxy = Self { addr, wire, is_listening, accepted, _reserved: reserved };
        proxy.listening(true).await;
        proxy
    }

    /// Returns the address that the proxy listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the number of accepted connections.
    pub fn connections(&self) -> usize {
        self.accepted.load(Relaxed)
    }

    /// Leads new connections to another server.
    pub fn lead_to(&self, target: SocketAddr) {
        self.wire.send_modify(|wire| wire.target = target);
    }

    /// Stops passing data on. Connections stay open, and new ones are accepted.
    pub fn black_hole(&self) {
        self.wire.send_modify(|wire| (wire.passes_there, wire.passes_back) = (false, false));
    }

    /// Passes requests on but holds answers back.
    pub fn swallow_answers(&self) {
        self.wire.send_modify(|wire| (wire.passes_there, wire.passes_back) = (true, false));
    }

    /// Passes data on with this delay.
    pub fn delay(&self, delay: Duration) {
        self.wire.send_modify(|wire| wire.delay = delay);
    }

    /// Stops passing data on over the connections of now, for good. New ones work, as after a firewall has
    /// forgotten the old ones.
    pub fn forget(&self) {
        self.wire.send_modify(|wire| wire.forgotten += 1);
    }

    /// Closes all connections. Data on its way is lost.
    pub fn cut(&self) {
        self.wire.send_modify(|wire| wire.cuts += 1);
    }

    /// Refuses new connections from now on. Existing ones stay open.
    pub async fn refuse(&self) {
        self.wire.send_modify(|wire| wire.listens = false);
        self.listening(false).await;
    }

    /// Passes on the data that was held back, and all data from now on, without delay. Listens again.
    pub async fn resume(&self) {
        self.wire.send_modify(|wire| {
            (wire.listens, wire.passes_there, wire.passes_back) = (true, true, true);
            wire.delay = Duration::ZERO;
        });
        self.listening(true).await;
    }

    async fn listening(&self, yes: bool) {
        let mut is_listening = self.is_listening.clone();
        is_listening
            .wait_for(|is| *is == yes)
            .await
            .expect("the proxy accepts connections until it is dropped");
    }
}

fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn accept(
    addr: SocketAddr,
    mut wire: watch::Receiver<Wire>,
    listening: watch::Sender<bool>,
    accepted: Arc<AtomicUsize>,
) -> io::Result<()> {
    let connections = wire.clone();
    while wire.wait_for(|wire| wire.listens).await.is_ok() {
        let listener: TcpListener = bound(addr)?.listen(1024)?;
        listening.send_replace(true);
        loop {
            tokio::select! {
                biased;
                _ = wire.wait_for(|wire| !wire.listens) => break,
                client = listener.accept() => {
                    accepted.fetch_add(1, Relaxed);
                    tokio::spawn(connect(client?.0, connections.clone()));
                }
            }
        }
        drop(listener);
        listening.send_replace(false);
    }
    Ok(())
}

async fn connect(client: TcpStream, mut wire: watch::Receiver<Wire>) {
    let Wire { target, cuts, .. } = *wire.borrow();
    let cut = wire.clone();
    let connection = async move {
        let server = TcpStream::connect(target).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::try_join!(
            pass(from_client, to_server, cut.clone(), Way::There),
            pass(from_server, to_client, cut, Way::Back)
        )
    };
    tokio::select! {
        biased;
        _ = wire.wait_for(|wire| wire.cuts != cuts) => {}
        // An error ends the connection, as it would without a proxy.
        _ = connection => {}
    }
}

/// Copies one direction of a connection. Data that was read is kept while nothing passes.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
    way: Way,
) -> io::Result<()> {
    let mut chunk = vec![0; 16 * 1024];
    let forgotten = wire.borrow().forgotten;
    loop {
        let length = from.read(&mut chunk).await?;
        let delay = wire.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        wire.wait_for(|wire| wire.passes(way) && wire.forgotten == forgotten)
            .await
            .map_err(io::Error::other)?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..length]).await?;
    }
}

#[cfg(test)]
mod tests;
