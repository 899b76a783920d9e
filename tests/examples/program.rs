//! An example as a process with the mock of OSC inside, and its user.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;

use http::{StatusCode, header};
use osc_tests::{SocketBrowser, built, soon};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;

/// A running example. Dropping it kills the process.
pub(crate) struct Example {
    base: String,
    _process: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Example {
    /// Builds an example and starts it without any setting but `BIND`.
    pub(crate) async fn start(name: &'static str) -> Self {
        let program = program(name).await;
        let mut process = Command::new(program)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("BIND", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example can be run");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        loop {
            let line = soon(output.next_line()).await.expect("text").expect("the example goes on");
            if let Some(base) = line.strip_prefix("Open ") {
                return Self { base: base.to_owned(), _process: process, _output: output };
            }
        }
    }

    /// Returns a browser that nobody has signed in with.
    pub(crate) fn browser(&self) -> SocketBrowser {
        SocketBrowser::new(&self.base)
    }

    /// Returns a browser after a sign-in at the mock, by its consent page.
    pub(crate) async fn signed_in(&self) -> SocketBrowser {
        let mut browser = self.browser();
        let authorize = soon(browser.follow("/auth/signin")).await;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let allow = http.build().expect("the client builds").post(authorize).form(&[("decision", "allow")]);
        let answer = soon(allow.send()).await.expect("the mock answers");
        let callback = answer.headers()[header::LOCATION].to_str().expect("ASCII").to_owned();
        let callback = callback.strip_prefix(&self.base).expect("the callback is the example's");
        soon(browser.follow(callback)).await;
        browser
    }

    /// Asserts that a page needs a session.
    pub(crate) async fn protects(&self, path: &str) {
        let (status, ..) = soon(self.browser().get(path)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

/// Runs an example that ends by itself, and returns what it prints.
pub(crate) async fn run(name: &'static str) -> String {
    let output = soon(Command::new(program(name).await).env_clear().kill_on_drop(true).output()).await;
    let output = output.expect("the example can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the path of an example's program, rebuilt if its sources changed.
async fn program(name: &'static str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<&str, PathBuf>>> = Mutex::const_new(None);
    let mut paths = BUILT.lock().await;
    let paths = paths.get_or_insert_default();
    if let Some(path) = paths.get(name) {
        return path.clone();
    }
    // With the features of a test of the whole workspace, cargo has built the example already.
    let path = built("osc-auth-layer", &["--workspace", "--all-features", "--example", name], name).await;
    paths.insert(name, path.clone());
    path
}
