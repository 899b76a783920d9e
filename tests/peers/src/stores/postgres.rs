//! Starts a PostgreSQL server for the comparison.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tower_sessions_sqlx_store::sqlx::{Connection, PgConnection};

/// Debian's user and group `nobody`. PostgreSQL does not run as root.
const NOBODY: u32 = 65534;

pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub(crate) async fn start(directory: &Path) -> Self {
        let data = directory.join("postgres");
        fs::create_dir(&data).expect("a new directory");
        if is_root() {
            chown(&data, Some(NOBODY), Some(NOBODY)).expect("root may change owners");
        }
        let made = program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=owner", "-D"])
            .arg(&data)
            .output();
        let made = made.expect("PostgreSQL is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let log = File::create(directory.join("log")).expect("a file for the log");
        let process = program("postgres")
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-p",
                &port.to_string(),
                "-D",
            ])
            .arg(&data)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("PostgreSQL is installed");
        let server = Self { process, port };
        while PgConnection::connect(&server.url(server.addr())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the URL of the database at this address.
    pub(crate) fn url(&self, addr: SocketAddr) -> String {
        format!("postgres://owner@{addr}/postgres?sslmode=disable")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Returns a program of the newest PostgreSQL. Debian has them in no folder of `PATH`.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let mut command = match version {
        Some(version) => Command::new(format!("/usr/lib/postgresql/{version}/bin/{name}")),
        None => Command::new(name),
    };
    if is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}
