//! Starts a Redis server for the benchmark.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;
use tower_service::Service;

use crate::stage::{Stage, request, template};

pub(crate) struct Redis {
    server: Child,
    pub(crate) url: String,
}

impl Redis {
    /// Returns `None` if redis-server is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok()?.port();
        let mut server = Command::new("redis-server");
        server.args(["--port", &free.to_string(), "--save", "", "--appendonly", "no"]).stdout(Stdio::null());
        let server = server.spawn().ok()?;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, free)).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        Some(Self { server, url: format!("redis://127.0.0.1:{free}") })
    }

    /// Returns the bytes that Redis has allocated.
    pub(crate) fn used_memory(&self) -> Option<usize> {
        let mut stream = std::net::TcpStream::connect(self.url.strip_prefix("redis://")?).ok()?;
        stream.write_all(b"INFO memory\r\nQUIT\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok())
    }

    /// Fills the node's local cache with every session. Requests do not wait afterwards.
    pub(crate) async fn warm_up(&self, stage: &Stage) {
        let (template, mut layer) = (template("/"), stage.layer.clone());
        for cookies in &stage.cookies {
            let Ok(answer) = layer.call(request(&template, Some(cookies))).await;
            assert_eq!(answer.status(), 200);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
