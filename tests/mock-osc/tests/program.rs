//! What the program promises to whoever starts it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Kills a program that a failed test leaves behind.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, once it has told where it listens, and that address.
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
fn it_stops_in_good_order_when_it_is_told_to() {
    for signal in ["TERM", "INT"] {
        let (mut program, mut output, platform) = start(&[]);
        // A client that never goes must not keep it from ending.
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
