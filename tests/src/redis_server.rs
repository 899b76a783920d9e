//! A real Redis that a test can stop, freeze and reset to an earlier state.
//!
//! The environment variable `REDIS_SERVER` names another program than the installed `redis-server`, such as Valkey or an older Redis.

mod resp;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use self::resp::Connection;
use crate::signals;

/// A `redis-server` on a free port of 127.0.0.1 with its own directory. Dropping it kills the process.
///
/// It writes nothing to disk unless its options say so.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    port: u16,
    directory: PathBuf,
    options: Vec<String>,
}

/// The contents of a [`RedisServer`] at one moment.
#[derive(Clone, Debug)]
pub struct Dump(Vec<u8>);

impl RedisServer {
    /// Starts an empty server.
    ///
    /// # Panics
    /// If `redis-server` is missing, or does not start.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts an empty server with more options, such as `["--requirepass", "secret"]` or `["--replicaof",
    /// "127.0.0.1", "6379"]`.
    ///
    /// # Panics
    /// If `redis-server` is missing, or does not start.
    pub async fn with(options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let port = server_port();
        let directory = std::env::temp_dir().join(format!("osc-redis-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the server's files");
        let process = launch(port, &directory, &options);
        let mut server = Self { process, port, directory, options };
        server.ready().await;
        server
    }

    /// Returns the address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the server's URL, with the password if it has one.
    pub fn url(&self) -> String {
        self.url_at(self.addr())
    }

    /// Returns the server's URL through a [`Proxy`](crate::Proxy).
    pub fn url_at(&self, addr: SocketAddr) -> String {
        match self.password() {
            Some(password) => format!("redis://:{password}@{addr}"),
            None => format!("redis://{addr}"),
        }
    }

    fn password(&self) -> Option<&str> {
        let mut pairs = self.options.windows(2);
        pairs.find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].as_str())
    }

    /// Kills the server. It writes nothing more, and its port refuses connections.
    ///
    /// # Panics
    /// If the process cannot be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("a killed server ends");
    }

    /// Restarts the server on its port, killed or not. Without `--appendonly yes`, it loses its data.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = launch(self.port, &self.directory, &self.options);
        self.ready().await;
    }

    /// Returns the current contents.
    ///
    /// # Panics
    /// If `SAVE` fails.
    pub async fn save_dump(&self) -> Dump {
        self.command(&["SAVE"]).await;
        let file = self.dump_file();
        let dump = fs::read(&file).expect("the server saved its dump");
        fs::remove_file(file).expect("a dump that is not loaded by chance");
        Dump(dump)
    }

    /// Restarts the server with the contents of the dump.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn restore_dump(&mut self, dump: &Dump) {
        self.kill();
        fs::write(self.dump_file(), &dump.0).expect("a place for the dump");
        self.process = launch(self.port, &self.directory, &self.options);
        self.ready().await;
        fs::remove_file(self.dump_file()).expect("a dump that is not loaded again");
    }

    fn dump_file(&self) -> PathBuf {
        self.directory.join("dump.rdb")
    }

    /// Stops the process without closing anything. The system still accepts new connections for it.
    pub fn freeze(&self) {
        signals::freeze(self.process.id());
    }

    /// Lets the process continue.
    pub fn thaw(&self) {
        signals::thaw(self.process.id());
    }

    /// Sends a command and returns the answer: text, a number, `""` for nil, one line per element of a list.
    ///
    /// # Panics
    /// If the server is out of reach or answers with an error.
    pub async fn command(&self, command: &[&str]) -> String {
        let answer = self.connect().await.ask(command).await;
        answer.unwrap_or_else(|error| panic!("Redis answers {command:?} with {error}"))
    }

    async fn connect(&self) -> Connection {
        Connection::connect(self.addr(), self.password()).await.expect("the server accepts connections")
    }

    /// Returns true for this version of Redis and later ones. Valkey counts as Redis 7.
    ///
    /// # Panics
    /// If the server is out of reach.
    pub async fn is_at_least(&self, version: u32) -> bool {
        let server = self.command(&["INFO", "server"]).await;
        let own = server.lines().find_map(|line| line.strip_prefix("redis_version:")?.split('.').next());
        own.and_then(|own| own.parse().ok()).is_some_and(|own: u32| own >= version)
    }

    /// Returns how often the server ran each command, by lower-case name. Commands inside scripts count.
    ///
    /// # Panics
    /// If the server is out of reach.
    pub async fn calls(&self) -> BTreeMap<String, u64> {
        let stats = self.command(&["INFO", "commandstats"]).await;
        let calls = stats.lines().filter_map(|line| {
            let (command, stats) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((command.to_owned(), stats.split(',').next()?.parse().ok()?))
        });
        calls.collect()
    }

    /// Listens to the commands that clients send from now on.
    ///
    /// # Panics
    /// If the server is out of reach.
    pub async fn monitor(&self) -> Monitor<'_> {
        let mut connection = self.connect().await;
        connection.ask(&["MONITOR"]).await.expect("the server can be monitored");
        Monitor { server: self, connection, marks: 0 }
    }

    /// Waits until the server accepts commands.
    async fn ready(&mut self) {
        const LIMIT: Duration = Duration::from_secs(20);
        let deadline = Instant::now() + LIMIT;
        while !self.is_ready().await {
            let ended = self.process.try_wait().expect("the server's state");
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("redis-server did not start:\n{log}");
            }
            // There is no event to wait for: the port refuses connections until the server listens.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns true if this process, and no other, answers on the port.
    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::connect(self.addr(), self.password()).await else {
            return false;
        };
        let pong = connection.ask(&["PING"]).await;
        let info = connection.ask(&["INFO", "server"]).await.unwrap_or_default();
        let process = format!("process_id:{}", self.process.id());
        pong.is_ok_and(|pong| pong == "PONG") && info.lines().any(|line| line == process)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The commands that clients send to a [`RedisServer`].
#[derive(Debug)]
pub struct Monitor<'s> {
    server: &'s RedisServer,
    connection: Connection,
    marks: usize,
}

impl Monitor<'_> {
    /// Returns the commands sent since the last call, as in `"set" "name" "value"`. Commands inside scripts
    /// are left out.
    ///
    /// # Panics
    /// If the server is out of reach.
    pub async fn commands(&mut self) -> Vec<String> {
        self.marks += 1;
        let mark = format!("mark {}", self.marks);
        self.server.command(&["ECHO", &mark]).await;
        let end = format!("\"ECHO\" \"{mark}\"");
        let mut commands = Vec::new();
        loop {
            let line = self.connection.answer().await.expect("the server goes on");
            // A line reads `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
            let (head, command) = line.split_once("] ").expect("a line of MONITOR");
            if command == end {
                return commands;
            }
            if !head.ends_with(" lua") {
                commands.push(command.to_owned());
            }
        }
    }
}

/// Returns a port below the range for outgoing connections, which could otherwise take the port during a
/// restart. So is the port of a cluster's node for other nodes, which is higher by 10,000.
pub(crate) fn server_port() -> u16 {
    let random = RandomState::new();
    let ports = (0..100_u32).map(|turn| 10_000 + (random.hash_one(turn) % 10_000) as u16);
    let mut free = ports.filter(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    free.next().expect("a free port")
}

fn launch(port: u16, directory: &Path, options: &[String]) -> Child {
    // The test's own output would stay open for as long as a server that outlives its test.
    let log = File::create(directory.join("log")).expect("a file for the server's log");
    let errors = log.try_clone().expect("the same for its errors");
    let program = std::env::var_os("REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
    let mut command = Command::new(program);
    if options.iter().any(|option| option == "--sentinel") {
        let state = directory.join("sentinel.conf");
        File::create(&state).expect("a file for the Sentinel's state");
        command.arg(state);
    }
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        // Without compression, tests can search a dump for secrets.
        .args(["--rdbcompression", "no", "--dbfilename", "dump.rdb"])
        .args(["--port", &port.to_string()])
        .arg("--dir")
        .arg(directory)
        .args(options)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    match command.spawn() {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("redis-server is missing: run tests/run.sh once, or apt-get install redis-server")
        }
        Err(error) => panic!("redis-server cannot be run: {error}"),
    }
}

#[cfg(test)]
mod tests;
