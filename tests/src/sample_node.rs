//! The samples and examples as separate processes, which a test can kill, freeze and shut down.

mod line;
mod program;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use mock_osc::MockOsc;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tower::service_fn;

pub use self::line::{Line, LineError};
use self::program::Program;
pub use self::program::{Sample, example};
use crate::{App, Body, boxed, signals, soon};

/// The settings that a node is started with. All nodes of one app have the same.
#[derive(Clone, Debug)]
pub struct NodeSetup {
    program: Program,
    arguments: Vec<&'static str>,
    variables: Vec<(&'static str, String)>,
    directory: Option<PathBuf>,
    wrapper: Option<String>,
}

impl NodeSetup {
    /// Returns the settings of an app that uses `osc`, is reached at `http://localhost:{port}`, and keeps its
    /// sessions in the store of the URL `store`.
    pub fn new(sample: Sample, osc: &MockOsc, port: u16, store: &str) -> Self {
        let variables = vec![
            ("CLIENT_ID", osc.client_id()),
            ("CLIENT_SECRET", osc.client_secret()),
            ("OSC_ISSUER", osc.issuer()),
            ("OSC_PLATFORM", osc.platform()),
            ("PUBLIC_URL", format!("http://localhost:{port}")),
            ("SESSION_STORE", store.to_owned()),
            ("BIND", "127.0.0.1:0".to_owned()),
            // It would count among the requests of a test's user.
            ("PREFLIGHT", "off".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("RUST_BACKTRACE", "1".to_owned()),
        ];
        Self::of(Program::Sample(sample), variables)
    }

    /// Returns the settings of one of the layer's examples as a user starts it: with the mock inside, and in this process's directory.
    pub fn example(name: &'static str) -> Self {
        let variables = [("BIND", "127.0.0.1:0"), ("NO_COLOR", "1"), ("RUST_BACKTRACE", "1")];
        let variables = variables.map(|(name, value)| (name, value.to_owned()));
        Self::of(Program::Example(name), variables.to_vec())
    }

    fn of(program: Program, variables: Vec<(&'static str, String)>) -> Self {
        Self { program, arguments: Vec::new(), variables, directory: None, wrapper: None }
    }

    /// Returns the same settings with one more argument.
    #[must_use]
    pub fn argument(mut self, argument: &'static str) -> Self {
        self.arguments.push(argument);
        self
    }

    /// Returns the same settings for a node with this current directory.
    #[must_use]
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Returns the same settings with another value of a variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Returns the same settings for a node with mounts of its own, which this shell command makes first.
    #[must_use]
    pub fn after(mut self, command: &str) -> Self {
        self.wrapper = Some(command.to_owned());
        self
    }

    fn command(&self, program: &Path) -> Command {
        let Some(wrapper) = &self.wrapper else { return Command::new(program) };
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]);
        command.arg(format!("{wrapper}; exec \"$0\"")).arg(program);
        command
    }

    /// Starts a node and waits until it listens.
    ///
    /// # Panics
    /// If the program does not build or start.
    pub async fn start(&self) -> SampleNode {
        let program = self.program.path().await;
        let mut command = self.command(&program);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let mut process = command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program can be run");
        let log = Log::default();
        let (listening, mut is_listening) = watch::channel(None);
        let (output, errors) = (process.stdout.take(), process.stderr.take());
        tokio::spawn(log.clone().keep(output.expect("it is piped"), Some(listening)));
        let errors = tokio::spawn(log.clone().keep(errors.expect("it is piped"), None));
        let addr = soon(is_listening.wait_for(Option::is_some)).await.ok().and_then(|addr| *addr);
        let Some(addr) = addr else {
            // The other stream holds the reason.
            let _ = soon(errors).await;
            panic!("the program ended at its start:\n{}", log.text());
        };
        SampleNode { setup: self.clone(), process, addr, log }
    }
}

/// A running sample or example. Dropping it kills the process and, if the test failed, prints the process's output.
#[derive(Debug)]
pub struct SampleNode {
    setup: NodeSetup,
    process: Child,
    addr: SocketAddr,
    log: Log,
}

impl SampleNode {
    /// Returns the address that the node listens on. A restart changes it.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the node as an app for a [`Browser`](crate::Browser). Each request uses a new connection.
    pub fn app(&self) -> App {
        let addr = self.addr;
        boxed(service_fn(move |request: http::Request<Body>| async move {
            let mut line = Line::to(addr).await.map_err(|error| error.to_string())?;
            let answer = line.send(request).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(answer.map(Body::new))
        }))
    }

    /// Returns the standard output and error so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until the output holds this text.
    ///
    /// # Panics
    /// If the text does not come in time.
    pub async fn wrote(&self, text: &str) {
        let mut log = self.log.0.subscribe();
        soon(log.wait_for(|log| log.contains(text))).await.expect("the log stays");
    }

    /// Kills the process.
    ///
    /// # Panics
    /// If the process cannot be killed.
    pub async fn kill(&mut self) {
        self.process.kill().await.expect("a process can be killed");
    }

    /// Starts the process again, killed or not.
    ///
    /// # Panics
    /// If the sample does not start.
    pub async fn restart(&mut self) {
        self.kill().await;
        *self = self.setup.start().await;
    }

    /// Stops the process without closing anything.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn freeze(&self) {
        signals::freeze(self.id());
    }

    /// Lets the process continue.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn thaw(&self) {
        signals::thaw(self.id());
    }

    /// Sends SIGTERM, which asks for a clean shutdown.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn terminate(&self) {
        let process = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        kill_process(process.expect("an id"), Signal::TERM).expect("the process is there");
    }

    /// Waits for the process to end. Returns its exit code, or `None` if a signal ended it.
    ///
    /// # Panics
    /// If the process does not end in time.
    pub async fn ended(&mut self) -> Option<i32> {
        soon(self.process.wait()).await.expect("a child can be waited for").code()
    }

    /// Returns a path as the node sees it, if the node has mounts of its own.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn inside(&self, path: &Path) -> PathBuf {
        Path::new("/proc")
            .join(self.id().to_string())
            .join("root")
            .join(path.strip_prefix("/").expect("a full path"))
    }

    /// Returns the process id.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it has not ended")
    }
}

impl Drop for SampleNode {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.process.try_wait();
            eprintln!("--- the node at {}, {ended:?}, said:\n{}", self.addr, self.log.text());
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<watch::Sender<String>>);

impl Log {
    fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Keeps the output of the process, and reads the address from it.
    async fn keep(
        self,
        output: impl AsyncRead + Unpin,
        listening: Option<watch::Sender<Option<SocketAddr>>>,
    ) {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.0.send_modify(|log| *log += &format!("{line}\n"));
            if let (Some(listening), Some(port)) = (&listening, line.strip_prefix("Open http://localhost:")) {
                let port: u16 = port.parse().expect("the port it listens on");
                listening.send_replace(Some(([127, 0, 0, 1], port).into()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
