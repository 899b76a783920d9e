//! Tests of the mock as a program: arguments, announcement, shutdown.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

use std::io::{BufRead, BufReader, Read, Write};
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

/// Starts the program and waits for its announcement. Returns it with its output, its address and its client.
fn start(arguments: &[&str]) -> (Program, BufReader<std::process::ChildStdout>, String, String) {
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
    let client =
        told.lines().filter(|line| line.contains("CLIENT_")).map(|line| format!("{line}\n")).collect();
    (program, output, platform, client)
}

#[test]
fn signals_stop_it_gracefully() {
    for signal in ["TERM", "INT"] {
        let (mut program, mut output, platform, _) = start(&[]);
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
fn a_bad_argument_gets_an_error_of_one_line() {
    let users = "--user: expected ID=WORKSPACE";
    let delays = "--delay: expected ENDPOINT=MILLISECONDS";
    for (arguments, words) in [
        (&["--user", "ada"][..], users),
        (&["--user", "ada="], users),
        (&["--user", "=team"], users),
        (&["--user", "ada=team,"], users),
        (&["--user", "a/b=team"], users),
        (&["--delay", "token"], delays),
        (&["--delay", "token=soon"], "\"soon\" is no number"),
        (&["--delay", "tokens=5"], "the endpoints are metadata, authorize, token,"),
        (&["--auto-consent=alan", "--port", "0"], "no user \"alan\"; it has ada/adalovelace"),
        (&["--auto-consent=ada/turing", "--port", "0"], "no user \"ada\" in the workspace \"turing\""),
        (&["--rotation", "sometimes"], "expected always"),
        (&["--port", "x"], "--port: cannot parse"),
        (&["--bogus"], "--bogus: there is no such option"),
        (&["--iss=yes"], "yes"),
        (&["bogus"], "bogus"),
        (&["--address", "192.0.2.1"], "cannot listen on 192.0.2.1:4000"),
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_mock-osc")).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.starts_with("mock-osc: ") && told.contains(words), "{arguments:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    }
}

#[test]
fn the_client_is_the_same_after_a_restart() {
    let clients = [(); 2].map(|()| start(&[]).3);
    assert_eq!(clients[0], clients[1]);
    assert!(clients[0].contains("export CLIENT_ID=osc_mock\n"), "{}", clients[0]);
}

#[test]
fn it_takes_users_delays_and_an_automatic_consent() {
    let arguments = ["--user", "alan=turing,bletchley", "--delay", "money=1", "--delay", "authorize=1"];
    for (consent, expected) in [("--auto-consent", "303"), ("--auto-consent=alan/bletchley", "303")] {
        let (_program, _output, platform, _) = start(&[&arguments[..], &[consent]].concat());
        let mut client = TcpStream::connect(&platform).unwrap();
        let query = "response_type=code&client_id=osc_mock&redirect_uri=http://localhost/cb&code_challenge_method=S256\
                     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        write!(
            client,
            "GET /api/connect/authorize?{query} HTTP/1.1\r\nHost: {platform}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer.contains(expected) && answer.contains("http://localhost/cb?code="),
            "{consent}: {answer}"
        );
    }
}
