//! The connections for operations: the store's own, or those of the app's pool.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

use super::problem::{Next, next, problem};
use super::statements::{EXISTS, MAKE_TABLE};
use crate::store::StoreError;
use crate::store::sql::LIMIT;

const MOST: usize = 4;
/// A firewall may have forgotten a connection that was idle for longer.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
const TRIES: u32 = 3;

#[derive(Clone)]
pub(super) enum Source {
    Server(Box<PgConnectOptions>),
    Pool(PgPool),
}

impl Source {
    /// Returns host and database, without the user.
    pub(super) fn place(&self) -> String {
        let at = |options: &PgConnectOptions| {
            let socket = options.get_socket().map(|socket| socket.display().to_string());
            let host = socket.unwrap_or_else(|| format!("{}:{}", options.get_host(), options.get_port()));
            format!("PostgreSQL at {host}/{}", options.get_database().unwrap_or_default())
        };
        match self {
            Self::Server(options) => at(options),
            Self::Pool(pool) => at(&pool.connect_options()),
        }
    }
}

pub(super) struct Connections {
    pub(super) source: Source,
    permits: Arc<Semaphore>,
    opening: Arc<AsyncMutex<()>>,
    idle: Arc<Idle>,
    has_table: AtomicBool,
}

#[derive(Default)]
struct Idle {
    connections: Mutex<Vec<(PgConnection, Instant)>>,
    returned: Notify,
}

impl Idle {
    fn put(&self, connection: PgConnection) {
        self.connections.lock().push((connection, Instant::now()));
        self.returned.notify_one();
    }
}

/// A connection in use, which the operation gives back by its deadline.
struct Held {
    connection: Connected,
    idle: Arc<Idle>,
    deadline: Instant,
}

enum Connected {
    Own(PgConnection, OwnedSemaphorePermit),
    Pool(PoolConnection<Postgres>),
    GivenBack,
}

/// A request that hangs up drops its connection in the middle of an answer. Strangers must not close connections in this way, so the
/// rest of the answer is awaited until the deadline. A connection that is lost by then is closed.
impl Drop for Held {
    fn drop(&mut self) {
        let connection = mem::replace(&mut self.connection, Connected::GivenBack);
        if matches!(connection, Connected::GivenBack) {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) if Instant::now() < self.deadline => {
                let (idle, deadline) = (self.idle.clone(), self.deadline);
                drop(runtime.spawn(async move { connection.recover(&idle, deadline).await }));
            }
            _ => connection.close(),
        }
    }
}

impl Connected {
    async fn recover(mut self, idle: &Idle, deadline: Instant) {
        let answered = match &mut self {
            Self::Own(connection, _) => timeout_at(deadline.into(), connection.ping()).await,
            Self::Pool(connection) => timeout_at(deadline.into(), connection.ping()).await,
            Self::GivenBack => return,
        };
        if matches!(answered, Ok(Ok(()))) { self.give_back(idle) } else { self.close() }
    }

    fn give_back(self, idle: &Idle) {
        if let Self::Own(connection, _permit) = self {
            idle.put(connection);
        }
    }

    fn close(self) {
        if let Self::Pool(connection) = self {
            // The pool would wait for an answer on the connection, if need be for ever.
            drop(connection.detach());
        }
    }
}

impl Held {
    fn connection(&mut self) -> &mut PgConnection {
        match &mut self.connection {
            Connected::Own(connection, _) => connection,
            Connected::Pool(connection) => connection,
            Connected::GivenBack => unreachable!("only the end of `Held` gives it back"),
        }
    }

    fn give_back(mut self) {
        mem::replace(&mut self.connection, Connected::GivenBack).give_back(&self.idle);
    }

    fn close(mut self) {
        mem::replace(&mut self.connection, Connected::GivenBack).close();
    }
}

impl Connections {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            permits: Arc::new(Semaphore::new(MOST)),
            opening: Arc::default(),
            idle: Arc::default(),
            has_table: AtomicBool::new(false),
        }
    }

    /// Sends a query, and returns the rows of the answer. Makes the table first if it is missing.
    pub(super) async fn ask<'q>(
        &self,
        query: impl Fn() -> Query<'q, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.ask_with(true, query).await
    }

    /// Works like [`ask`](Self::ask), and makes no table.
    pub(super) async fn ask_without_table<'q>(
        &self,
        query: impl Fn() -> Query<'q, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.ask_with(false, query).await
    }

    async fn ask_with<'q>(
        &self,
        needs_table: bool,
        query: impl Fn() -> Query<'q, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let deadline = Instant::now() + LIMIT;
        let mut tries = 0;
        loop {
            tries += 1;
            let started = Instant::now();
            let answer = timeout_at(deadline.into(), self.try_once(needs_table, query(), deadline)).await;
            let error = match answer {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.drop_unused_since(started);
                    return Err(StoreError::new(
                        "PostgreSQL did not answer in time; check its host, port and load",
                    ));
                }
            };
            match next(&error) {
                Next::Repeat => {}
                Next::Reconnect => self.drop_unused_since(started),
                Next::MakeTable => self.has_table.store(false, Ordering::SeqCst),
                Next::GiveUp => tries = TRIES,
            }
            if tries >= TRIES {
                return Err(problem(error));
            }
        }
    }

    async fn try_once(
        &self,
        needs_table: bool,
        query: Query<'_, Postgres, PgArguments>,
        deadline: Instant,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let connection = self.connect().await?;
        let mut held = Held { connection, idle: self.idle.clone(), deadline };
        if needs_table && !self.has_table.load(Ordering::SeqCst) {
            make_table(held.connection()).await?;
            self.has_table.store(true, Ordering::SeqCst);
        }
        let answer = query.fetch_all(held.connection()).await;
        match answer {
            Ok(_) => held.give_back(),
            // It may know statements that the server does not.
            Err(_) => held.close(),
        }
        answer
    }

    async fn connect(&self) -> Result<Connected, sqlx::Error> {
        match &self.source {
            Source::Pool(pool) => Ok(Connected::Pool(pool.acquire().await?)),
            Source::Server(options) => {
                let permit = self.permits.clone().acquire_owned().await;
                let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
                Ok(Connected::Own(self.idle_or_new(options).await?, permit))
            }
        }
    }

    /// Returns an idle connection, or opens one. Opens one at a time, because that takes far longer than an operation: after a
    /// start, most operations are done over the first connection before there is another. Goes on to open it if the caller goes
    /// away.
    async fn idle_or_new(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        loop {
            if let Some(connection) = self.take_idle() {
                return Ok(connection);
            }
            let returned = pin!(self.idle.returned.notified());
            let turn = pin!(self.opening.clone().lock_owned());
            if let Either::Right((turn, _)) = select(returned, turn).await {
                if let Some(connection) = self.take_idle() {
                    return Ok(connection);
                }
                let (options, idle) = (options.clone(), self.idle.clone());
                let opening = tokio::spawn(async move {
                    let connected = timeout(LIMIT, options.connect()).await;
                    let connection = connected.map_err(|late| sqlx::Error::Io(late.into()))??;
                    drop(turn);
                    idle.put(connection);
                    Ok(())
                });
                opening.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))?;
            }
        }
    }

    fn take_idle(&self) -> Option<PgConnection> {
        let (connection, since) = self.idle.connections.lock().pop()?;
        (since.elapsed() < LONGEST_IDLE).then_some(connection)
    }

    /// Closes the idle connections that may be lost too. One that answered after `started` is not lost, even if others are slow.
    fn drop_unused_since(&self, started: Instant) {
        self.idle.connections.lock().retain(|(_, since)| *since > started);
    }
}

async fn make_table(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Asked first: a user who may not make tables gets an error even if the table exists.
    if !sqlx::query_scalar(EXISTS).fetch_one(&mut *connection).await? {
        sqlx::raw_sql(MAKE_TABLE).execute(connection).await?;
    }
    Ok(())
}
