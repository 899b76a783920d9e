//! The connection that carries the operations, and its replacement by another when it fails.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout, timeout_at};

use super::connect::{Connection, Server};
use super::problem::Problem;
use super::scripts::Request;
use crate::clock::Pauses;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const REPEAT_IN_LOG: Duration = Duration::from_secs(60);

pub(super) struct Link {
    pub(super) server: Server,
    pub(super) timeout: Duration,
    /// A write that each new connection sends first. A replica accepts reads, so only a write reveals it.
    probe: Request,
    stage: watch::Sender<Stage>,
    /// The last logged refusal that has nothing to do with the connection, and the time of its log line.
    refusal: Mutex<Option<(Problem, Instant)>>,
}

/// The connection, or why there is none.
struct Stage {
    connection: Option<Connection>,
    /// The number of the connection, or of the next one while there is none.
    number: u64,
    /// The time at which the connection was lost, or at which the layer began to connect.
    since: Instant,
    cause: Problem,
    /// True if `cause` is in the log.
    is_told: bool,
    /// The task that connects. `None` until somebody needs a connection. Finished without one if its runtime is gone.
    task: Option<JoinHandle<()>>,
}

impl Stage {
    fn connection(&self) -> Result<(Connection, u64), Problem> {
        self.connection.clone().map(|connection| (connection, self.number)).ok_or_else(|| self.cause.clone())
    }

    /// Notes the result of a try to connect. Returns true if there is a connection now.
    fn note(&mut self, opened: Result<Connection, Problem>) -> bool {
        match opened {
            Ok(connection) => {
                if self.is_told {
                    tracing::info!("RedisStore is connected again.");
                }
                self.connection = Some(connection);
            }
            Err(problem) => {
                if !self.is_told || self.cause != problem {
                    tracing::warn!(cause = %problem, "RedisStore cannot connect. It retries, and sessions are kept.");
                }
                (self.cause, self.is_told) = (problem, true);
            }
        }
        self.connection.is_some()
    }
}

impl Link {
    pub(super) fn new(server: Server, timeout: Duration, probe: Request) -> Self {
        let (since, cause) = (Instant::now(), Problem::TimedOut);
        let stage = Stage { connection: None, number: 0, since, cause, is_told: false, task: None };
        Self { server, timeout, probe, stage: watch::Sender::new(stage), refusal: Mutex::new(None) }
    }

    /// Sends a request and returns the answer, all within the timeout.
    pub(super) async fn ask(self: &Arc<Self>, request: &Request) -> Result<Value, Problem> {
        if Handle::try_current().is_err() {
            return Err(Problem::NoRuntime);
        }
        let deadline = Instant::now() + self.timeout;
        match self.ask_once(request, deadline).await {
            // Redis and proxies close idle connections. Every request may be repeated: a repeated swap meets its own version.
            Err(Problem::Unreachable(_)) => self.ask_once(request, deadline).await,
            answer => answer,
        }
    }

    async fn ask_once(self: &Arc<Self>, request: &Request, deadline: Instant) -> Result<Value, Problem> {
        let (mut connection, number) = self.connection(deadline).await?;
        let answer = timeout_at(deadline.into(), request.send(&mut connection.redis)).await;
        answer.unwrap_or(Err(Problem::TimedOut)).inspect_err(|problem| {
            if problem.is_of_the_connection() {
                self.reconnect(Some(number), problem.clone());
            } else {
                self.tell_refusal(problem);
            }
        })
    }

    /// Sends a request that the server may well refuse, without a log line.
    pub(super) async fn try_to_ask(self: &Arc<Self>, request: &Request) -> Result<Value, Problem> {
        let deadline = Instant::now() + self.timeout;
        let (mut connection, _) = self.connection(deadline).await?;
        let answer = timeout_at(deadline.into(), request.send(&mut connection.redis)).await;
        answer.unwrap_or(Err(Problem::TimedOut))
    }

    /// Waits until there is a connection. Fails at once if there has been none for the length of the timeout.
    pub(super) async fn connected(self: &Arc<Self>) -> Result<(), Problem> {
        self.connection(Instant::now() + self.timeout).await.map(drop)
    }

    async fn connection(self: &Arc<Self>, deadline: Instant) -> Result<(Connection, u64), Problem> {
        let connected = self.stage.borrow().connection();
        if connected.is_ok() {
            return connected;
        }
        self.reconnect(None, Problem::TimedOut);
        let deadline = deadline.min(self.stage.borrow().since + self.timeout);
        let mut stage = self.stage.subscribe();
        let is_up = stage.wait_for(|stage| stage.connection.is_some());
        // The sender is in `self`, so only the time can run out.
        let _ = timeout_at(deadline.into(), is_up).await.map(drop);
        self.stage.borrow().connection()
    }

    /// Begins to connect if the `lost` connection is still the current one, or if there is none and no task connects.
    fn reconnect(self: &Arc<Self>, lost: Option<u64>, cause: Problem) {
        self.stage.send_if_modified(|stage| {
            let is_due = match stage.connection {
                Some(_) => lost == Some(stage.number),
                None => stage.task.as_ref().is_none_or(JoinHandle::is_finished),
            };
            if is_due {
                let is_told = lost.is_some();
                if is_told {
                    tracing::warn!(%cause, "RedisStore lost its connection. It reconnects, and sessions are kept.");
                }
                let task = Some(tokio::spawn(connect(Arc::downgrade(self))));
                let (number, since) = (stage.number + 1, Instant::now());
                *stage = Stage { connection: None, number, since, cause, is_told, task };
            }
            is_due
        });
    }

    async fn open(&self) -> Result<Connection, Problem> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connecting = async {
            let mut connection = self.server.connect(ProtocolVersion::RESP2, config).await?;
            let mut redis = connection.redis.clone();
            // At once, because a second round trip may take long.
            let (mode, written) = join(mode(&mut redis), self.probe.send(&mut connection.redis)).await;
            match (mode, written) {
                (Err(problem), _) => Err(problem),
                (_, Err(problem)) if problem.is_of_the_connection() => Err(problem),
                _ => Ok(connection),
            }
        };
        timeout(self.timeout, connecting).await.unwrap_or(Err(Problem::TimedOut))
    }

    /// Logs a refusal when it is new, and then once a minute, because many requests may be refused for one reason.
    fn tell_refusal(&self, problem: &Problem) {
        let (mut refusal, now) = (self.refusal.lock(), Instant::now());
        if refusal.as_ref().is_none_or(|(last, at)| last != problem || now - *at >= REPEAT_IN_LOG) {
            tracing::error!(cause = %problem, "Redis refused an operation. The cause says what to change.");
            *refusal = Some((problem.clone(), now));
        }
    }
}

/// Fails for a Sentinel or a Redis Cluster. Redis before 6.0 and some proxies do not say what they are.
async fn mode(redis: &mut MultiplexedConnection) -> Result<(), Problem> {
    let answer = redis::cmd("HELLO").arg(2).query_async::<HashMap<String, Value>>(redis).await;
    match answer.unwrap_or_default().get("mode") {
        Some(Value::BulkString(mode)) if mode == b"cluster" => Err(Problem::Cluster),
        Some(Value::BulkString(mode)) if mode == b"sentinel" => Err(Problem::Sentinel),
        _ => Ok(()),
    }
}

/// Tries until it succeeds or nobody has the store any more.
async fn connect(link: Weak<Link>) {
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    while let Some(link) = link.upgrade() {
        let opened = link.open().await;
        if link.stage.send_if_modified(|stage| stage.note(opened)) {
            return;
        }
        drop(link);
        // Else all nodes would come back to a restarted server at the same moment.
        sleep(pauses.next().mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
    }
}
