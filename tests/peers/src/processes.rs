//! Apps in processes of their own, so that their processor time is theirs alone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpListener;
use tower_sessions_14::MemoryStore;

use crate::peers::{oidc, oidc_1, oidc_client, ours};

/// The apps that [`serve`] knows.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Bare,
    Layer,
    OidcClient,
    Oidc,
    Oidc1,
}

const NAMES: [(&str, Kind); 5] = [
    ("bare", Kind::Bare),
    ("layer", Kind::Layer),
    ("oidc-client", Kind::OidcClient),
    ("oidc", Kind::Oidc),
    ("oidc-1", Kind::Oidc1),
];

/// A running app. It stops when this value is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// Runs this program again, as an app that signs in with this issuer.
    pub(crate) fn start(kind: Kind, issuer: &str) -> Self {
        let (name, _) = NAMES[kind as usize];
        let program = std::env::current_exe().expect("a path");
        let child = Command::new(program).args(["app", name, issuer]).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the program runs again");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("the app announces its port");
        let port = line.trim().parse().expect("a port");
        Self { child, port }
    }

    /// Wraps a server that was started by other means.
    pub(crate) fn new(child: Child, port: u16) -> Self {
        Self { child, port }
    }

    /// Returns the processor time of the process and its children so far.
    pub(crate) fn time(&self) -> Duration {
        time_of(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for pid in children(self.child.id()) {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds up the threads, because the kernel counts in nanoseconds per thread only.
fn time_of(pid: u32) -> Duration {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let counted = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        nanoseconds += counted.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Duration::from_nanos(nanoseconds) + children(pid).into_iter().map(time_of).sum::<Duration>()
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Serves an app until the process is killed, and prints its port first.
pub(crate) fn serve(name: &str, issuer: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (_, kind) = NAMES.into_iter().find(|(known, _)| *known == name).expect("a known app");
        let app = match kind {
            Kind::Bare => ours::bare(),
            Kind::Layer => ours::layer(ours::auth(issuer)),
            Kind::OidcClient => oidc_client::router(issuer).await,
            Kind::Oidc => oidc::router(issuer, MemoryStore::default()).await,
            Kind::Oidc1 => oidc_1::router(issuer, tower_sessions::MemoryStore::default()).await,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        println!("{}", listener.local_addr().expect("it is bound").port());
        axum::serve(listener, app).await.expect("the app serves");
    });
}
