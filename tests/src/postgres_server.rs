//! A real PostgreSQL that a test can kill, restart and reset to an earlier state.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row, ValueRef};
use tokio::sync::Mutex;

use crate::redis_server::server_port;

const OWNER: &str = "owner";
const PASSWORD: &str = "owner-password";

/// A PostgreSQL server on a free port of 127.0.0.1 with its own directory. Dropping it kills the processes.
///
/// It does not wait for its disk, because a process that is killed leaves its writes to the system.
#[derive(Debug)]
pub struct PostgresServer {
    process: Child,
    port: u16,
    directory: PathBuf,
}

/// A database of its own in a server that tests share.
#[derive(Clone, Debug)]
pub struct PostgresDatabase {
    server: Arc<PostgresServer>,
    name: String,
}

impl PostgresDatabase {
    /// Makes an empty database in the server of this test process.
    ///
    /// # Panics
    /// If PostgreSQL is missing, or does not start.
    pub async fn create() -> Self {
        static SHARED: Mutex<Weak<PostgresServer>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        let server = match shared.upgrade() {
            Some(server) => server,
            None => Arc::new(PostgresServer::start().await),
        };
        *shared = Arc::downgrade(&server);
        drop(shared);
        let name = format!("test_{:016x}", rand::random::<u64>());
        server.sql(&format!("CREATE DATABASE {name}")).await;
        let database = Self { server, name };
        // The first connection to a database makes its caches, which takes long. Others then need not.
        database.sql("SELECT 1").await;
        database
    }

    /// Returns the address of the server.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Returns the database's URL, for its owner.
    pub fn url(&self) -> String {
        self.url_at(self.addr())
    }

    /// Returns the URL through a [`Proxy`](crate::Proxy).
    pub fn url_at(&self, addr: SocketAddr) -> String {
        url(addr, OWNER, PASSWORD, &self.name)
    }

    /// Returns the URL for another user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        url(self.addr(), user, password, &self.name)
    }

    /// Runs statements as the owner. Returns the last one's rows, with `|` between the columns.
    ///
    /// # Panics
    /// If a statement fails.
    pub async fn sql(&self, statements: &str) -> Vec<String> {
        sql(&self.url(), statements).await
    }
}

impl PostgresServer {
    /// Starts a server with an empty database.
    ///
    /// # Panics
    /// If PostgreSQL is missing, or does not start.
    pub async fn start() -> Self {
        let port = server_port();
        let directory = std::env::temp_dir().join(format!("osc-postgres-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the server's files");
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("its owner's directory");
        fs::create_dir(directory.join("data")).expect("a new directory");
        fs::write(directory.join("password"), PASSWORD).expect("a file in it");
        give_away(&directory.join("data"));
        let mut initdb = program("initdb");
        initdb.args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--wal-segsize=1",
            "--auth=scram-sha-256",
        ]);
        initdb.args(["--username", OWNER]).arg("--pwfile").arg(directory.join("password"));
        let made = initdb.arg(directory.join("data")).output().unwrap_or_else(missing);
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let process = launch(port, &directory);
        let mut server = Self { process, port, directory };
        server.ready().await;
        server
    }

    /// Returns the address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the URL of the server's first database, for its owner.
    pub fn url(&self) -> String {
        self.url_at(self.addr())
    }

    /// Returns the URL through a [`Proxy`](crate::Proxy).
    pub fn url_at(&self, addr: SocketAddr) -> String {
        url(addr, OWNER, PASSWORD, "postgres")
    }

    /// Runs statements as the owner. Returns the last one's rows, with `|` between the columns.
    ///
    /// # Panics
    /// If a statement fails.
    pub async fn sql(&self, statements: &str) -> Vec<String> {
        sql(&self.url(), statements).await
    }

    /// Kills the server with SIGKILL. Its other processes end by themselves.
    ///
    /// # Panics
    /// If the process cannot be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("a killed server ends");
    }

    /// Stops the server, which ends all connections and writes its data.
    ///
    /// # Panics
    /// If the server has ended.
    pub fn stop(&mut self) {
        let process = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("an id");
        kill_process(process, Signal::INT).expect("the process is there");
        self.process.wait().expect("a stopped server ends");
    }

    /// Starts the server on its port, killed or not.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn restart(&mut self) {
        self.kill();
        self.start_again().await;
    }

    /// Stops the server, copies its data, and starts it again.
    ///
    /// # Panics
    /// If the data cannot be copied.
    pub async fn save_backup(&mut self) {
        self.stop();
        copy(&self.directory.join("data"), &self.directory.join("backup"));
        self.start_again().await;
    }

    /// Restarts the server with the data of the backup.
    ///
    /// # Panics
    /// If there is no backup.
    pub async fn restore_backup(&mut self) {
        self.stop();
        fs::remove_dir_all(self.directory.join("data")).expect("the newer data");
        copy(&self.directory.join("backup"), &self.directory.join("data"));
        self.start_again().await;
    }

    /// Restarts the server as a standby, which refuses writes until `SELECT pg_promote()`.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn restart_as_standby(&mut self) {
        self.stop();
        let signal = self.directory.join("data/standby.signal");
        fs::write(&signal, "").expect("a file");
        give_away(&signal);
        self.start_again().await;
    }

    async fn start_again(&mut self) {
        self.process = launch(self.port, &self.directory);
        self.ready().await;
    }

    /// Waits until the server accepts connections.
    async fn ready(&mut self) {
        const LIMIT: Duration = Duration::from_secs(60);
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Ok(mut connection) = PgConnection::connect(&self.url()).await
                && sqlx::raw_sql("SELECT 1").execute(&mut connection).await.is_ok()
            {
                return;
            }
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL did not start:\n{}", log());
            if self.process.try_wait().expect("the server's state").is_some() {
                // The processes of a killed server hold its memory until they notice.
                assert!(log().contains("in use") || log().contains("lock file"), "{}", log());
                self.process = launch(self.port, &self.directory);
            }
            // There is no event to wait for: the port refuses connections until the server listens.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn url(addr: SocketAddr, user: &str, password: &str, database: &str) -> String {
    format!("postgres://{user}:{password}@{addr}/{database}?sslmode=disable")
}

async fn sql(url: &str, statements: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.expect("the server accepts connections");
    let rows = sqlx::raw_sql(AssertSqlSafe(statements)).fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{statements}: {error}"));
    let text = |row: &sqlx::postgres::PgRow, column| {
        let value = row.try_get_raw(column).expect("a column");
        if value.is_null() { String::new() } else { value.as_str().expect("text").to_owned() }
    };
    rows.iter()
        .map(|row| (0..row.len()).map(|column| text(row, column)).collect::<Vec<_>>().join("|"))
        .collect()
}

/// The user and group that the server runs as. It refuses to run as root.
static USER: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the system's users");
    let find = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let user = fields.find(|fields| fields[0] == name)?;
        Some((user[2].parse().ok()?, user[3].parse().ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("an unprivileged user"))
});

fn give_away(path: &Path) {
    if let Some((user, group)) = *USER {
        chown(path, Some(user), Some(group)).expect("root may change owners");
    }
}

/// Returns a program of the newest PostgreSQL. Debian has them in no folder of `PATH`.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let mut command = match version {
        Some(version) => Command::new(format!("/usr/lib/postgresql/{version}/bin/{name}")),
        None => Command::new(name),
    };
    if let Some((user, group)) = *USER {
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

fn missing<T>(error: std::io::Error) -> T {
    panic!("PostgreSQL cannot be run ({error}): run tests/run.sh once, or apt-get install postgresql")
}

fn launch(port: u16, directory: &Path) -> Child {
    // The test's own output would stay open for as long as a server that outlives its test.
    let log = File::create(directory.join("log")).expect("a file for the server's log");
    let errors = log.try_clone().expect("the same for its errors");
    let mut command = program("postgres");
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=16MB",
        "max_connections=100",
        "max_wal_size=32MB",
        "min_wal_size=2MB",
    ] {
        command.args(["-c", setting]);
    }
    command.args(["-p", &port.to_string()]).arg("-D").arg(directory.join("data"));
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().unwrap_or_else(missing)
}

/// Copies a directory with its owners.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp can be run");
    assert!(copied.success(), "cp -a {} {}", from.display(), to.display());
}

#[cfg(test)]
mod tests;
