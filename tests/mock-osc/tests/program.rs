//! Tests of the mock as a program: arguments, announcement, shutdown.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A running program. Dropping it kills the process, so that a failed test leaves none behind.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program and waits for its announcement. Returns it with its output and address.
fn start(arguments: &[&str]) -> (Program, BufReader<std::process::ChildStdout>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-osc"));
    let command = command.args(["--port", "0"]).args(arguments).stdout(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());
    let mut output = BufReader::new(program.0.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("CLIENT_SECRET") {
        assert_ne!(output.read_line(&mut told).unwrap(), 0, "it ended: {told}");
    }
    let platform = told.lines().find_map(|line| line.strip_prefix("export OSC_PLATFORM=http://")).unwrap();
    let platform = platform.to_owned();
    (program, output, platform)
}

#[test]
fn signals_stop_it_gracefully() {
    for signal in ["TERM", "INT"] {
        let (mut program, mut output, platform) = start(&[]);
        // An idle client must not keep the program from ending.
        let _client = TcpStream::connect(&platform).unwrap();
        let told = Command::new("sh").args(["-c", &format!("kill -s {signal} {}", program.0.id())]).status();
        assert!(told.unwrap().success());
        assert_eq!(program.0.wait().unwrap().code(), Some(0), "{signal}");
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(TcpStream::connect(&platform).is_err());
    }
}

#[test]
fn a_user_without_a_workspace_is_refused_at_the_start() {
    for user in ["ada", "ada=", "=team", "ada=team,"] {
        let refused = Command::new(env!("CARGO_BIN_EXE_mock-osc")).args(["--user", user]).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{user}: {told}");
        assert!(told.contains("--user expects ID=WORKSPACE"), "{user}: {told}");
    }
}
