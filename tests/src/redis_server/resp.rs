//! The part of Redis's protocol that tests need (RESP2).

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A connection to Redis.
#[derive(Debug)]
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) async fn connect(addr: SocketAddr, password: Option<&str>) -> io::Result<Self> {
        let mut connection = Self(BufReader::new(TcpStream::connect(addr).await?));
        if let Some(password) = password {
            connection.ask(&["AUTH", password]).await?;
        }
        Ok(connection)
    }

    pub(super) async fn ask(&mut self, command: &[&str]) -> io::Result<String> {
        let mut request = format!("*{}\r\n", command.len());
        for part in command {
            request += &format!("${}\r\n{part}\r\n", part.len());
        }
        self.0.write_all(request.as_bytes()).await?;
        self.answer().await
    }

    /// Reads an answer: text, a number, `""` for nil, one line per element of a list.
    pub(super) async fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let line = line.trim_end_matches(['\r', '\n']);
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        match kind {
            "+" | ":" => Ok(rest.to_owned()),
            "-" => Err(io::Error::other(rest)),
            "$" => {
                // A length of -1 means nil.
                let Ok(length) = rest.parse::<usize>() else {
                    return Ok(String::new());
                };
                let mut text = vec![0; length + 2];
                self.0.read_exact(&mut text).await?;
                text.truncate(length);
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            "*" => {
                let mut elements = Vec::new();
                for _ in 0..rest.parse().unwrap_or(0) {
                    elements.push(Box::pin(self.answer()).await?);
                }
                Ok(elements.join("\n"))
            }
            _ => Err(io::Error::other(format!("an answer of an unknown kind: {line}"))),
        }
    }
}
